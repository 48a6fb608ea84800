"""Model files whose hashes are right and whose content is not: refused in one sentence, whatever they hold."""

import json

import numpy as np
import pytest
import torch

import ganad
from ganad import InputError, files, registry
from ganad.detector import declared
from ganad.display import shown
from ganad.errors import ModelFileError
from ganad.methods.baselines.isolation_forest import IsolationForest
from ganad.methods.vae import VAE

from .samples import normal, small

ESCAPE = "\x1b]0;owned\x07\x1b[2J\x1b[31m"


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    small(VAE).fit(normal("table")).save(path)
    return path


def altered(path, tmp_path, change=None, **tensors):
    """A copy with another header or other tensors, its checksums right."""
    known, header = files.read(path, "model")
    del header["format"]
    header = json.loads(json.dumps(header))
    if change:
        change(header)
    files.write(tmp_path / "altered", "model", known | {k.replace("__", "/"): v for k, v in tensors.items()}, header)
    return tmp_path / "altered"


def refusal(path) -> str:
    with pytest.raises(ModelFileError) as caught:
        ganad.load(path, device="cpu")
    words = str(caught.value)
    assert words.isprintable()
    assert len(words) <= ModelFileError.LONGEST + 3
    return words


@pytest.mark.parametrize(
    "draws",
    [
        torch.zeros(2, 2, 1),
        torch.zeros(0, 2),
        torch.zeros(()),
        torch.zeros(2, 2, dtype=torch.float64),
        torch.zeros(2, 2, dtype=torch.int64),
        torch.zeros(2, 2, dtype=torch.bfloat16),
        torch.full((2, 2), torch.inf),
        torch.full((2, 2), torch.nan),
        torch.full((2, 2), 1e38),
    ],
)
def test_a_fitted_array_of_another_shape_type_or_of_wild_numbers(vae, tmp_path, draws):
    assert "draws_" in refusal(altered(vae, tmp_path, state__draws_=draws))


NO_NUMBERS = [None, "x", [], {}, True, 10**400, float("nan"), float("inf"), ESCAPE, "\ud800"]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=list("abcdefghij"))
def test_a_threshold_that_is_not_one(vae, tmp_path, value):
    def change(header):
        header["state"]["offset_"] = {"value": value}

    refusal(altered(vae, tmp_path, change))


STRANGERS = ["extra_", "score_batch", "generator_of_", ESCAPE, "\ud800", "x" * 100_000]


@pytest.mark.parametrize("name", STRANGERS, ids=list("abcdef"))
def test_state_that_the_class_does_not_learn(vae, tmp_path, name):
    def change(header):
        header["state"][name] = {"value": 5}

    refusal(altered(vae, tmp_path, change))


@pytest.mark.parametrize("missing", ["offset_", "draws_", "mean_", "history_"])
def test_state_that_is_missing(vae, tmp_path, missing):
    assert missing in refusal(altered(vae, tmp_path, lambda header: header["state"].pop(missing)))


@pytest.mark.parametrize("value", [10**400, "x" * 100_000, [1] * 10_000, ESCAPE, float("nan")], ids=list("abcde"))
@pytest.mark.parametrize("name", ["latent_dim", "scaling", "hidden", "threads", "random_state", "lr"])
def test_a_setting_of_another_type(vae, tmp_path, name, value):
    refusal(altered(vae, tmp_path, lambda header: header["settings"].update({name: value})))


@pytest.mark.parametrize("part", ["shift", "scale"])
@pytest.mark.parametrize(
    "change",
    [
        lambda x: x * torch.inf,
        lambda x: x[:-1],
        lambda x: x[None],
        lambda x: x.to(torch.int64),
        lambda x: x.to(torch.bfloat16),
        lambda x: x * torch.nan,
    ],
)
def test_a_scaling_that_no_fit_leaves(vae, tmp_path, part, change):
    known, _ = files.read(vae, "model")
    refusal(altered(vae, tmp_path, **{f"scaling__{part}": change(known[f"scaling/{part}"])}))


@pytest.mark.parametrize("clip", [None, -1, 5, float("inf"), float("nan"), "x"])
def test_another_clip(vae, tmp_path, clip):
    refusal(altered(vae, tmp_path, lambda header: header["input"].update(clip=clip)))


@pytest.mark.parametrize("key", ["input", "scores"])
def test_a_file_of_this_version_names_its_scores(vae, tmp_path, key):
    assert "probe scores" in refusal(altered(vae, tmp_path, lambda header: header.pop(key)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38])
def test_weights_that_no_fit_leaves(vae, tmp_path, value):
    known, _ = files.read(vae, "model")
    name = next(k for k in known if k.startswith("nets/"))
    words = refusal(altered(vae, tmp_path, **{name.replace("/", "__"): torch.full_like(known[name], value)}))
    assert "a fit cannot give" in words


@pytest.mark.parametrize("place", [0, 1, 2])
def test_trees_that_point_outside_of_themselves(tmp_path, place):
    small(IsolationForest).fit(normal("table")).save(tmp_path / "forest")
    nodes = files.read(tmp_path / "forest", "model")[0]["state/nodes_"].clone()
    nodes[-1, -1, place] = 10**6
    assert "outside" in refusal(altered(tmp_path / "forest", tmp_path, state__nodes_=nodes))
    far = altered(tmp_path / "forest", tmp_path, lambda header: header["state"].update(longest_={"value": 10**9}))
    assert "path" in refusal(far)


def test_every_detector_declares_forms_that_can_be_read():
    for name in registry.names():
        for form in declared.forms(registry.get(name)).values():
            declared._Form.read(form)


def test_a_detector_of_another_package_may_learn_what_it_does_not_declare():
    class Mine(VAE):
        pass

    Mine.__module__ = "elsewhere"
    model = small(Mine).fit(normal("table"))
    state = {k: getattr(model, k) for k in ("history_", "mean_", "offset_", "draws_")}
    declared.check(model, state | {"extra_": 5}, (model.input_.n_features,))
    with pytest.raises(InputError, match="mean_"):
        declared.check(model, state | {"mean_": np.zeros(1)}, (model.input_.n_features,))


def test_foreign_text_is_shown_on_one_line_and_bounded():
    assert shown(f"a{ESCAPE}\n\ud800") == "a\\x1b]0;owned\\x07\\x1b[2J\\x1b[31m\\n\\ud800"
    assert shown("Größe µ") == "Größe µ"
    assert len(shown("x" * 10**6, 60)) <= 63
    assert len(shown([[1] * 10**5] * 10**5)) < 100
    assert shown(10**5000)
    words = str(InputError(f"{ESCAPE}\nganad: all fine"))
    assert words.isprintable()
    words.encode()


@pytest.mark.parametrize("change", [dict(n_draws=1), dict(variant="kl")], ids=str)
def test_a_setting_that_changes_scores_is_noticed(vae, tmp_path, change):
    refusal(altered(vae, tmp_path, lambda header: header["settings"].update(change)))


@pytest.mark.parametrize("part", ["shift", "scale"])
def test_another_scaling_of_ordinary_size_is_noticed(vae, tmp_path, part):
    known, _ = files.read(vae, "model")
    other = known[f"scaling/{part}"] * 1.1 + 0.1
    assert "other scores" in refusal(altered(vae, tmp_path, **{f"scaling__{part}": other}))
