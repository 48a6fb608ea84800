"""The guard: it fires on every kind of failure, made on purpose, and is silent on good fits."""

import copy
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import ganad
from ganad import (
    GMM,
    KDE,
    LOF,
    VAE,
    AnoGAN,
    AutoEncoder,
    IsolationForest,
    NearestNeighbor,
    OneClassSVM,
    PCAResidual,
    Trivial,
    selftest,
)
from ganad.bench.rows import Task
from ganad.bench.suites import SUITES
from ganad.bench.trial import trial
from ganad.errors import UntrustedFit

from .samples import KINDS, anomalous, normal, small, trained

pytestmark = pytest.mark.filterwarnings("default::ganad.errors.UntrustedFit")


class Signs(NearestNeighbor):
    """Knows far from near and nothing else."""

    def rate(self, z):
        return (super().rate(z) > 1).double()


class Saturated(NearestNeighbor):
    """Ends like a discriminator that has won."""

    def rate(self, z):
        return torch.sigmoid(20 + super().rate(z).float())


class UpsideDown(NearestNeighbor):
    def rate(self, z):
        return -super().rate(z)


class Collapsed(VAE):
    def sample_batch(self, n):
        return super().sample_batch(1) + 1e-3 * super().sample_batch(n)


class OnlyTheMean(AutoEncoder):
    def reconstruct_batch(self, x):
        return torch.as_tensor(self.mean_, device=x.device).expand_as(x) if hasattr(self, "mean_") else 0 * x

    def score_batch(self, x):
        return (x - self.reconstruct_batch(x)).flatten(1).square().sum(1)


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        (small(Trivial, variant="constant"), "table", "have the same score"),
        (small(Trivial, variant="constant"), "images", "have the same score"),
        (small(Signs), "table", "different scores|have the same score"),
        (small(Saturated), "table", "have the same score up to rounding|different scores"),
        (small(UpsideDown), "table", "takes noise in the range of the data for more normal"),
        (small(UpsideDown), "images", "takes noise in the range of the data for more normal"),
        (trained(Collapsed), "table", "generator always draws nearly the same sample"),
        (trained(Collapsed), "images", "generator always draws nearly the same sample"),
        (small(OnlyTheMean), "table", "by their distance from the mean"),
        (small(NearestNeighbor, k=1), "table", "threshold 0 is zero|have the same score"),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, ganad.Detector) else None,
)
def test_a_failure_made_on_purpose_is_found_by_fit(model, kind, words):
    with pytest.warns(UntrustedFit, match=words) as said:
        model.fit(normal(kind))
    assert said[0].filename == __file__, "the warning points at the call of fit"
    assert "; " in str(said[0].message) and "\n" not in str(said[0].message)
    assert not model.self_test_.trusted and model.self_test_.findings[0] in str(said[0].message)


def test_a_threshold_that_is_what_rounding_left_is_found():
    images = normal("images")[:20]
    with pytest.warns(UntrustedFit, match="is zero up to rounding.*hold_out=0.2"):
        model = small(PCAResidual).fit(images)
    assert model.threshold_ < 1e-12
    assert not model.self_test(normal("images")[20:]).trusted
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert small(PCAResidual, n_components=5).fit(images).self_test_.trusted


@pytest.mark.parametrize("kind", ["columns", "halves", "patches"])
def test_mixtures_that_pass_for_normal_are_found_unless_chance_explains_it(kind):
    rng = np.random.default_rng(0)
    x, high = normal("table")[:100], 9 + rng.random(100)
    scores, slightly, plainly = rng.normal(size=100), rng.normal(-0.3, size=100), rng.normal(-1, size=100)
    given = dict(threshold=3.0, held_out=True, is_trained=True)
    assert selftest.examine(x, scores, {"noise": high, kind: slightly}, **given).trusted
    (finding,) = selftest.examine(x, scores, {"noise": high, kind: plainly}, **given).findings
    assert "for more normal than the normal samples (AUROC 0.2" in finding
    few = {"noise": high[:5], kind: plainly[:5]}
    assert selftest.examine(x[:5], scores[:5], few, **given).trusted


def test_a_score_that_tells_nothing_that_was_made_is_found_unless_there_is_too_little():
    rng = np.random.default_rng(0)
    x, scores = normal("table")[:40], rng.normal(size=40)
    given = dict(threshold=3.0, held_out=True, is_trained=True)
    made = dict(noise=rng.normal(size=40), columns=rng.normal(size=40))
    (finding,) = selftest.examine(x, scores, made, **given).findings
    assert "tells nothing from normal samples that is made of them, nor noise" in finding
    assert selftest.examine(x, scores, made | dict(noise=rng.normal(2, 1, 40)), **given).trusted
    few = selftest.examine(x[:7], scores[:7], {kind: values[:7] for kind, values in made.items()}, **given)
    assert few.trusted and "7 samples are too few to judge it by" in str(few)


GOOD = [
    *(small(cls) for cls in (NearestNeighbor, LOF, KDE, GMM, OneClassSVM, IsolationForest, PCAResidual, Trivial)),
    *(trained(cls) for cls in (AutoEncoder, VAE)),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", GOOD, ids=lambda m: type(m).__name__)
def test_a_good_fit_is_left_alone(model, kind):
    x = normal(kind)
    half = len(x) // 2
    with warnings.catch_warnings():
        warnings.simplefilter("error", UntrustedFit)
        model.fit(x[:half])
    figures = model.self_test(x[half:])
    assert figures.trusted and figures.held_out and not model.self_test_.held_out
    assert figures.auroc["noise"] > 0.6
    assert model.anomaly_score(anomalous(kind)).mean() > model.anomaly_score(x[half:]).mean()


def test_what_scores_do_not_see_is_a_note_and_no_warning():
    digits = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    figures = small(Trivial).fit(digits[:800]).self_test(digits[800:])
    assert figures.trusted
    assert any("halves" in note for note in figures.notes)
    assert any("blurred" in note for note in figures.notes)
    assert any("distance from the mean" in note for note in figures.notes)
    near = small(NearestNeighbor).fit(digits[:800]).self_test(digits[800:])
    assert not any("halves" in note for note in near.notes)


@pytest.mark.parametrize("kind", KINDS)
def test_made_samples_keep_what_they_say_and_lose_the_rest(kind):
    x = normal(kind)
    made = selftest.made(x, np.random.default_rng(0))
    assert all(other.shape == x.shape and other.dtype == x.dtype for other in made.values())
    assert all(not np.array_equal(other, x) for other in made.values())
    assert x.min() <= made["noise"].min() and made["noise"].max() <= x.max()
    if kind == "table":
        assert np.array_equal(np.sort(made["columns"], axis=0), np.sort(x, axis=0))
        assert abs(np.corrcoef(made["columns"].T)[0, 3]) < 0.2 < np.corrcoef(x.T)[0, 3]
        return
    assert np.array_equal(made["halves"][0, :, :4], x[0, :, :4])
    assert np.array_equal(made["halves"][1, :4], x[1, :4])
    changed = (made["patches"] != x).any(0)
    assert changed.all() and (made["patches"] == x).mean() > 0.8
    assert np.abs(np.diff(made["blur"].astype(int))).mean() < 0.7 * np.abs(np.diff(x.astype(int))).mean()


@pytest.mark.parametrize("shape", [(2, 1), (3, 8, 8), (2, 9, 8, 3)], ids=str)
def test_of_next_to_nothing_it_says_nothing(shape):
    assert small(AutoEncoder).fit(np.zeros(shape)).self_test_.trusted


@pytest.mark.parametrize("cls", [VAE, AutoEncoder])
def test_a_self_test_changes_nothing_and_gives_the_same_figures_again(cls, monkeypatch):
    x = normal("images")
    torch.manual_seed(3)
    before = torch.get_rng_state()
    model = small(cls).fit(x[:100])
    weights = copy.deepcopy(model.nets_.state_dict())
    assert model.self_test(x[100:]) == model.self_test(x[100:])
    assert torch.equal(torch.get_rng_state(), before)
    monkeypatch.setattr(ganad.Detector, "_doubt", lambda *args, **given: None)
    untested = small(cls).fit(x[:100])
    for other in (model.nets_.state_dict(), untested.nets_.state_dict()):
        assert all(torch.equal(other[name], weight) for name, weight in weights.items())
    assert not model.nets_.training


def test_a_method_that_searches_is_tested_on_few_samples():
    x = normal("table")
    model = small(AnoGAN, score_batch_size=3).fit(x)
    assert model.NO_FORWARD_PASS and model.self_test_.n == model.self_test(x).n == 16
    assert small(KDE).fit(x).self_test_.n == 170


def test_fit_looks_at_held_out_samples_where_there_are_some():
    x = normal("table")
    model = small(KDE).fit(x, hold_out=0.2, false_alarm_rate=0.05)
    assert model.self_test_.held_out and model.self_test_.n == 80
    assert model.self_test_.threshold == model.threshold_
    assert not small(KDE).fit(x).self_test_.held_out


def test_the_figures_are_saved_and_the_report_shows_them(tmp_path):
    x = normal("table")
    model = small(VAE).fit(x)
    model.save(tmp_path / "m.safetensors")
    again = ganad.load(tmp_path / "m.safetensors", device="cpu")
    assert again.self_test_ == model.self_test_
    page = ganad.report(again, x, tmp_path / "page.html").read_text("utf-8")
    assert "self-test" in page and "AUROC against columns" in page


def test_a_row_of_results_records_them():
    row = trial(Task(SUITES["digits"], "1-NN, PCA", "0", budget="smoke"))
    assert json.loads(json.dumps(row))["self_test"]["auroc"]["noise"] > 0.9


def test_the_command_says_so_in_one_line(tmp_path):
    x = normal("table")
    rows = "\n".join(",".join(f"{v:.5f}" for v in row) for row in x[:100])
    (tmp_path / "x.csv").write_text("a,b,c,d,e,f\n" + rows + "\n")
    for options, word in ((["trivial", "--variant", "constant"], "untrusted"), (["kde"], "self-test")):
        command = [sys.executable, "-m", "ganad.cli", "fit", tmp_path / "x.csv", "-o", tmp_path / "m", "--method"]
        done = subprocess.run([*map(str, command), *options], capture_output=True, text=True, check=True)
        assert [line.split()[0] for line in done.stdout.splitlines()].count(word) == 1
        assert "Warning" not in done.stderr


FEW = 20
#: What 20 samples of six columns or 64 pixels teach too much: new normal samples are flagged, most or all of them.
BY_HEART = {
    (GMM, "table"),
    (GMM, "images"),
    (KDE, "images"),
    (OneClassSVM, "table"),
    (PCAResidual, "images"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cls", ganad.DETECTORS, ids=lambda cls: cls.__name__)
def test_twenty_samples_are_refused_or_doubted_where_they_teach_nothing_else(cls, kind):
    """Whatever the method: no fit to so few samples flags nearly all new normal ones without a word."""
    x = normal(kind)
    model = small(cls)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            model.fit(x[:FEW])
    except ganad.InputError as refused:
        assert "\n" not in str(refused)
        return
    new = model.anomaly_score(x[FEW:])
    assert np.isfinite(new).all() and np.isfinite(model.threshold_)
    doubted = [w for w in said if issubclass(w.category, UntrustedFit)]
    if (new > model.threshold_).mean() > 0.9:
        assert doubted and not model.self_test_.trusted
    if (cls, kind) in BY_HEART:
        assert "flag nearly every" in str(doubted[0].message)


def test_few_samples_that_are_not_known_by_heart_pass_and_held_out_ones_are_not_asked():
    x = normal("table")[:20]
    rng = np.random.default_rng(0)
    far, near = 9 + rng.random(20), rng.normal(size=20)
    given = dict(threshold=3.0, is_trained=False)
    scores = rng.normal(size=20)
    assert "by heart" in selftest.examine(x, scores, dict(noise=far, columns=far), held_out=False, **given).findings[0]
    assert selftest.examine(x, scores, dict(noise=far, columns=near), held_out=False, **given).trusted
    assert selftest.examine(x, scores, dict(noise=far, columns=far), held_out=True, **given).trusted
    many, of_many = np.concatenate([x] * 3) + rng.normal(size=(60, 6)), np.concatenate([scores] * 3)
    made = dict(noise=9 + rng.random(60), columns=9 + rng.random(60))
    assert selftest.examine(many, of_many, made, held_out=False, **given).trusted
