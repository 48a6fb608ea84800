"""Settings as text: every field of every method has a comment and can be given on the command line."""

import dataclasses

import pytest

from ganad import DETECTORS, AutoEncoder, FenceGAN, InputError
from ganad.registry import name_of
from ganad.settings import describe, parse


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.__name__)
def test_every_setting_is_described_where_it_is_declared(detector):
    settings = describe(detector)
    assert {s.name for s in settings} == {f.name for f in dataclasses.fields(detector)}
    assert [s.name for s in settings if not s.comment] == []


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.__name__)
def test_every_default_survives_the_way_through_text(detector):
    defaults = {s.option: str(s.default).strip("()") for s in describe(detector)}
    assert detector(**parse(detector, defaults)).get_params() == detector().get_params()


def test_names():
    assert name_of(FenceGAN) == "fence-gan"
    assert name_of(AutoEncoder) == "autoencoder"


def test_text_becomes_the_type_of_the_field():
    got = parse(FenceGAN, {"latent-dim": "7", "lr": "1e-3", "separate-steps": "true", "patience": "none"})
    assert got == dict(latent_dim=7, lr=1e-3, separate_steps=True, patience=None)
    assert parse(AutoEncoder, {"hidden": "8,4,8"}) == dict(hidden=(8, 4, 8))
    assert parse(FenceGAN, {"no-separate-steps": "true"}) == dict(separate_steps=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"latent-dims": "7"}, "did you mean --latent-dim"),
        ({"latent-dim": "many"}, "--latent-dim many: must be a whole number"),
        ({"separate-steps": "perhaps"}, "must be true or false"),
    ],
)
def test_what_does_not_fit_is_named(options, words):
    with pytest.raises(InputError, match=words):
        parse(FenceGAN, options)
