"""Model files whose hashes are right and whose content is not: refused in one sentence, whatever they hold."""

import contextlib
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

import ganad
from ganad import InputError, files, registry
from ganad.data import described, iter_table, recipes
from ganad.detector import declared
from ganad.devices import available_cores, choose_threads
from ganad.display import shown
from ganad.errors import ModelFileError, OtherScores, OtherVersion
from ganad.methods.baselines.isolation_forest import IsolationForest
from ganad.methods.vae import VAE

from .samples import normal, small

GOLDEN = Path(__file__).parent / "golden" / "0.1"
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


def test_a_search_that_ends_a_little_elsewhere_is_told(tmp_path):
    """As on another processor, so that it is no reason to refuse; a setting that was changed shows alike."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OtherVersion)
        ganad.load(GOLDEN / "adgan-from-vae-table.safetensors", device="cpu").save(tmp_path / "m")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ganad.load(tmp_path / "m", device="cpu")
    changed = altered(tmp_path / "m", tmp_path, lambda header: header["settings"].update(search_steps=5))
    with pytest.warns(OtherScores, match="its searches end a little elsewhere than the file says"):
        ganad.load(changed, device="cpu")


def test_a_file_starts_no_more_threads_than_there_are_cores():
    assert choose_threads(1000, is_image=False) == available_cores()


RECIPE = {
    "kind": "table",
    "columns": [
        {"name": "a", "kind": "numeric", "fill": 1.5},
        {"name": "b", "kind": "categorical", "categories": ["x", "y"], "usual": "x", "fill": None},
        {"name": "c", "kind": "date", "parts": ["elapsed"], "first": 10**15, "fill": None},
    ],
    "label": None,
    "text": {"decimal": ".", "thousands": "", "missing": [], "missing_among_numbers": ["?"], "day_first": None},
    "unknown": "anomaly",
    "read": {"rows": 9, "missing": {}, "left_out": {"d": "--drop"}, "separator": ","},
}


def test_a_recipe_that_reading_may_have_left_passes():
    recipes.check(RECIPE, list("abcd"), (4,))
    recipes.check(RECIPE | {"encoding": "latin-1"}, None, (4,))
    recipes.check({"kind": "images", "size": [8, 9], "mode": "RGB", "depth": 12}, None, (8, 9, 3))
    recipes.check({"kind": "photos", "mode": "L"}, None, None)


def leaves(value, path=()):
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from leaves(value[key], (*path, key))


def put(value, path, new):
    copy = json.loads(json.dumps(value))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return copy


@pytest.mark.parametrize("new", [{"a": {}}, [[]], -(10**400), object, "\x1b[2J", 1.5, True], ids=list("abcdefg"))
def test_recipes_that_no_reading_leaves_are_refused_before_anything_is_read(new, tmp_path):
    new, kept = "nothing of the kind" if new is object else new, 0
    for path in filter(None, leaves(RECIPE)):
        changed = put(RECIPE, path, new)
        try:
            recipes.check(changed, None, (4,))
        except InputError as error:
            assert str(error).isprintable()
            continue
        kept += 1  # another recipe, by which tables are read or refused in a sentence
        assert all(line.isprintable() for line in described(changed))
        (tmp_path / "t.csv").write_text("a,b,c\n1,x,2001-09-09\n")
        with contextlib.suppress(InputError):
            list(iter_table(tmp_path / "t.csv", changed))
    assert kept <= 15


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(columns=[{"name": "a", "kind": "numeric"}] * 3), "3 features"),
        (dict(columns=[{"name": "b", "kind": "categorical", "categories": ["x", "x", "y", "z"]}]), "twice"),
        (dict(columns=[{"name": "b", "kind": "categorical", "categories": []}]), "no categories"),
        (dict(columns=[{"name": "a", "kind": "numeric", "fill": float("nan")}] * 4), "filled"),
        (dict(columns=[{"name": "a", "kind": "numeric", "fill": "x"}] * 4), "filled"),
        (dict(encoding="zlib"), "encoding"),
        (dict(kind="images"), "how its data were read"),
        (dict(kind="photos", mode="L", read=None), "not its samples"),
        (dict(kind="images", mode="L", size=[8, 8], read=None), "not its samples"),
    ],
)
def test_recipes_that_contradict_the_model(change, words):
    with pytest.raises(InputError, match=words):
        recipes.check(RECIPE | change, None, (4,))


def test_a_model_file_with_such_a_recipe_is_refused(vae, tmp_path):
    def change(header):
        header["state"]["source_"] = {"value": {"kind": "table", "columns": 5}}

    assert "how its data were read" in refusal(altered(vae, tmp_path, change))


@pytest.mark.parametrize("part", ["shift", "scale"])
def test_another_scaling_of_ordinary_size_is_noticed(vae, tmp_path, part):
    known, _ = files.read(vae, "model")
    other = known[f"scaling/{part}"] * 1.1 + 0.1
    assert "other scores" in refusal(altered(vae, tmp_path, **{f"scaling__{part}": other}))
