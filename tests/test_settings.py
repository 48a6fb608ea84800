"""Settings as text: every field of every method has a comment and can be given on the command line."""

import dataclasses
from typing import Literal

import pytest

import ganad
from ganad import DETECTORS, AutoEncoder, FenceGAN, InputError
from ganad.registry import name_of
from ganad.settings import check, describe, parse


@dataclasses.dataclass
class Ordinary:
    """Settings of ordinary types."""

    sizes: list[int] = dataclasses.field(default_factory=lambda: [1, 2])
    words: tuple[str, ...] = ("a", "b")
    both: int | str = 3
    wide: tuple[int, ...] | None = None
    kind: Literal["a", "b"] | None = None
    pair: tuple[int, str] = (1, "a")
    flags: tuple[bool, ...] = ()


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


@pytest.mark.parametrize(
    ("detector", "words"),
    [
        (AutoEncoder(betas=(0.9, 1.0)), "betas=(0.9, 1.0): each must be at least 0 and below 1"),
        (AutoEncoder(betas=(0.5,)), "betas=(0.5,) must be 2 numbers"),
        (AutoEncoder(hidden=(16.5,)), "hidden=(16.5,): each must be a whole number"),
        (AutoEncoder(hidden=(8, 0, 8)), "hidden=(8, 0, 8): each must be at least 1"),
        (ganad.VAE(n_draws=0), "n_draws=0 must be above 0"),
        (ganad.FAnoGAN(n_critic=0), "n_critic=0 must be above 0"),
        (ganad.IGMMGAN(concentration=0), "concentration=0 must be above 0"),
        (ganad.IGMMGAN(sweeps=0), "sweeps=0 must be above 0"),
        (ganad.IGMMGAN(dof=-9), "dof=-9 must be above -1"),
        (ganad.IGMMGAN(dof=1, psi_scale="covariance"), "dof=1 must be above 1 with psi_scale='covariance'"),
    ],
)
def test_what_cannot_work_is_refused_before_the_earlier_fit_is_forgotten(detector, words):
    with pytest.raises(InputError) as caught:
        detector.check_settings()
    assert words in str(caught.value)


def test_a_setting_has_no_name_of_what_a_fit_learns():
    with pytest.raises(TypeError, match="Net: the setting 'lambda_' ends in _, as what a fit learns; rename it"):

        class Net(ganad.Detector):
            lambda_: float = 0.5


def test_settings_of_ordinary_types_survive_the_way_through_text():
    check(Ordinary())
    options = {s.option: str(s.default) for s in describe(Ordinary)}
    assert Ordinary(**parse(Ordinary, options)) == Ordinary()
    given = parse(
        Ordinary, {"sizes": "3,4", "words": "x, y", "both": "abc", "wide": "8", "kind": "b", "flags": "yes,no"}
    )
    assert given == dict(sizes=[3, 4], words=("x", "y"), both="abc", wide=(8,), kind="b", flags=(True, False))
    check(Ordinary(**given))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict(sizes=[1.5]), "sizes=[1.5]: each must be a whole number"),
        (dict(words="abc"), "words='abc' must be values with commas"),
        (dict(both=1.5), "both=1.5 must be a whole number or must be text"),
        (dict(wide=("x",)), "wide=('x',) must be numbers with commas"),
        (dict(kind="c"), "kind='c' is not one of 'a', 'b'"),
        (dict(pair=(1, 2)), "pair=(1, 2): value 2 must be text"),
        (dict(flags=(1,)), "flags=(1,): each must be true or false"),
    ],
)
def test_values_of_other_types_are_refused(given, words):
    with pytest.raises(InputError) as caught:
        check(Ordinary(**given))
    assert words in str(caught.value)


@pytest.mark.parametrize("options", [{"wide": "x"}, {"kind": "c"}, {"sizes": "a"}, {"flags": "maybe"}])
def test_text_that_fits_no_part_of_a_type_is_refused(options):
    with pytest.raises(InputError):
        check(Ordinary(**parse(Ordinary, options)))
