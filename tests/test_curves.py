"""AUROC against training time: moments within epochs change no bit, and curves go on, are drawn and listed."""

import json
import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ganad import IGMMGAN, AutoEncoder, FAnoGAN, FenceGAN, InputError, NotSupported, bench, metrics, protocols
from ganad.bench import SUITES, curve_tables, curves
from ganad.bench.rows import read
from ganad.cli.main import build_app
from ganad.data import load

ROOT = Path(__file__).resolve().parent.parent
QUIET = dict(random_state=0, verbose=0, threads=1)


@pytest.fixture
def digits(monkeypatch):
    """Curves on the digits, because MNIST is not everywhere."""
    monkeypatch.setattr(curves, "CLASSES", {"digits": ("0",)})


class Often:
    """Looks after every second step, and counts."""

    def __init__(self, look=lambda model: None):
        self.look, self.steps, self.looks = look, 0, []

    def due(self):
        self.steps += 1
        return self.steps % 2 == 0

    def __call__(self, model):
        self.looks.append((len(model.history_), self.look(model)))


@pytest.mark.parametrize(
    "detector",
    [FenceGAN(epochs=2, pretrain_epochs=0, batch_size=50, **QUIET), AutoEncoder(epochs=2, batch_size=50, **QUIET)],
)
def test_a_fit_that_is_looked_at_within_its_epochs_ends_in_the_same_bits(detector):
    x = load("digits").x[:400]
    blind = detector.fit(x).anomaly_score(x)
    often = Often(lambda model: model.anomaly_score(x[:20]))
    watched = detector.fit(x, on_epoch=often).anomaly_score(x)
    assert np.array_equal(blind, watched)
    within = [scores for epochs, scores in often.looks if epochs == 0]
    assert len(within) >= 2 and not np.array_equal(within[0], within[1])
    assert [epochs for epochs, _ in often.looks].count(2) == 1  # after the last epoch it is called once


def test_as_if_ended_is_the_model_of_a_shorter_fit():
    x = load("digits").x[:400]
    settings = dict(latent_dim=8, batch_size=50, sweeps=10, min_cluster_size=5, **QUIET)
    copies = []
    longer = IGMMGAN(epochs=2, **settings).fit(x, on_epoch=lambda model: copies.append(model.as_if_ended(x)))
    assert np.array_equal(longer.anomaly_score(x), IGMMGAN(epochs=2, **settings).fit(x).anomaly_score(x))
    shorter = IGMMGAN(epochs=1, **settings).fit(x).anomaly_score(x)
    assert np.array_equal(copies[0].anomaly_score(x), shorter)
    assert np.array_equal(copies[1].anomaly_score(x), longer.anomaly_score(x))
    with pytest.raises(NotSupported, match="trains again after its run 1"):
        FAnoGAN(epochs=1, width=8, **QUIET).fit(x, on_epoch=lambda model: model.as_if_ended(x))


def test_moments_are_log_spaced_and_count_training_alone():
    clock = {"now": 100.0}
    look = curves.Moments(np.zeros(1), np.zeros(1), 64.0, lambda: clock["now"])

    class Slow:
        device_, history_ = "cpu", [1]

        def unlearnt(self):
            return set()

        def anomaly_score(self, x):
            clock["now"] += 1000.0
            return np.zeros(2)

    for _ in range(63):
        look(Slow())
        clock["now"] += 1.0
    assert look.seconds[0] == 0.0 and look.seconds[1] == 1.0 and look.seconds == sorted(set(look.seconds))
    assert len(look.seconds) == len(look.scores) == 12 and len(look.waiting) == 1
    clock["now"] += 1.0
    with pytest.raises(curves.TimeIsUp):
        look(Slow())
    assert look.seconds[-1] == 64.0


def test_a_curve_has_its_time_and_is_not_made_again(tmp_path, digits):
    options = dict(classes=["0"], minutes=0.02)
    (row,) = curves.run(curves.curves(["FenceGAN"], **options), tmp_path)
    assert row["ended"] == "time" and row["seconds"][-1] >= 1.2 > row["seconds"][-2]
    assert row["auroc"][0] != row["auroc"][-1] and len(row["auroc"]) == len(row["seconds"]) == len(row["epochs"])
    assert curves.run(curves.curves(["FenceGAN"], **options), tmp_path) == []
    with (tmp_path / curves.FILE).open("a") as file:
        file.write('{"curve_of": ')  # a killed one
    (longer,) = curves.run(curves.curves(["FenceGAN"], classes=["0"], minutes=0.03), tmp_path)
    assert curves.current(read(tmp_path / curves.FILE)) == [json.loads(json.dumps(longer))]
    assert curves.run(curves.curves(["FenceGAN"], **options), tmp_path, hours=0) == []


def test_a_fit_at_its_full_length_ends_a_curve(tmp_path, digits):
    wanted = curves.curves(["IGMMGAN"], budget="smoke", minutes=9)
    (row,) = curves.run(wanted, tmp_path)
    assert row["ended"] == "length" and row["n_watched"] == 300
    split = protocols.PROTOCOLS["digits-lo"].split(protocols.read("digits-lo"), "0", 0, n_train=500, n_test=300)
    arguments = SUITES["digits"].recipe("IGMMGAN").arguments("smoke")
    model = bench.rows.make("IGMMGAN", *arguments).set_params(**QUIET)
    x, x_test = split.take(protocols.read("digits-lo").x)
    rows = curves.watched(split.y_test, 1000)
    assert row["auroc"][-1] == pytest.approx(
        metrics.auroc(split.y_test[rows], model.fit(x).anomaly_score(x_test[rows])), abs=1e-6
    )
    assert curves.run(wanted, tmp_path) == []


def test_what_fails_is_a_row_that_is_tried_again(tmp_path, digits, monkeypatch):
    monkeypatch.setattr(FenceGAN, "training_step", lambda self, batches: 1 / 0)
    for _ in range(2):
        (row,) = curves.run(curves.curves(["FenceGAN"], budget="smoke"), tmp_path)
        assert row["error"].startswith("ZeroDivisionError")
    arguments = ["curves", "--methods", "FenceGAN", "--budget", "smoke", "--results", str(tmp_path)]
    assert CliRunner().invoke(build_app([]), arguments).exit_code == 1
    assert curves.current(read(tmp_path / curves.FILE)) == []


def curve(label, cls, seconds, aurocs, *, suite="study-mnist", seed=0, ended="time"):
    preset, settings = SUITES[suite].recipe(label).arguments("paper")
    row = dict(curve_of=suite, label=label, seed=seed, budget="paper", preset=preset, settings=settings, ended=ended)
    return row | {"class": cls, "minutes": 10.0, "seconds": seconds, "auroc": aurocs}


def baseline(label, detector, cls, auroc):
    preset, settings = SUITES["study-mnist"].recipe(label).arguments("paper")
    row = dict(suite="study-mnist", label=label, detector=detector, seed=0, budget="paper", preset=preset)
    row |= dict(n_train_cap=None, n_test_cap=None, commit="abc", gpu=None, device="cpu", best_epoch_on_test=None)
    row |= dict(roc=[0.0, 1.0], histogram=dict(edges=[0, 1], normal=[1, 0], anomalous=[0, 1]))
    return row | {"class": cls, "settings": settings, "metrics": dict(auroc=auroc)}


ROWS = [
    curve("FenceGAN", "1", [0.0, 60.0, 600.3], [0.5, 0.25, 0.75]),
    curve("FenceGAN", "1", [0.0, 60.0, 599.8], [0.5, 0.35, 0.85], seed=1),
    curve("GANomaly", "8", [0.5, 30.0], [0.5, 0.6], suite="adgan-mnist", ended="length"),
    baseline("1-NN", "NearestNeighbor", "1", 0.4),
    baseline("LOF", "LOF", "1", 0.7),
    baseline("untrained network", "Trivial", "1", 0.98),
]


def test_curves_are_drawn_beside_what_is_published_and_their_rivals():
    pictures = curve_tables.pictures(ROWS)
    assert list(pictures) == ["FenceGAN", "GANomaly"]
    text = " ".join(t.text or "" for t in ET.fromstring(pictures["FenceGAN"]).iter() if t.tag.endswith("text"))
    published = bench.table_lines.published.lookup("mnist-lo-official", "FenceGAN", "1", "auroc").value
    for said in ("1 held out", f"published {published:.3f}", "LOF 0.700", "untrained network 0.980", "10 min"):
        assert said in text
    assert "1-NN" not in text and pictures["FenceGAN"].count("<polyline") == 2
    assert "8 is normal" in pictures["GANomaly"] and "published" not in pictures["GANomaly"]


def test_curves_stand_in_the_tables_and_are_no_rows_of_them(tmp_path):
    (tmp_path / curves.FILE).write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    markdown, page = (path.read_text() for path in bench.write(tmp_path, tmp_path / "out"))
    (line,) = [line for line in markdown.splitlines() if line.startswith("| FenceGAN | 1 held out |")]
    assert line.startswith("| FenceGAN | 1 held out | 2 | 0.500 ± 0.000 | 0.300 ± 0.071 | 0.800 ± 0.071 | - | 0.800")
    assert "| GANomaly | 8 normal | 1 | 0.500 | 0.600 | 0.600 | 0.600 | 0.600 | 0.5, full | 0.600 | - |" in markdown
    assert page.count('class="time"') == 2 and 'href="#curves"' in page and "<script" not in page
    assert "| FenceGAN † | published |" in markdown and "| FenceGAN † | paper, cpu |" not in markdown
    assert curve_tables.markdown(ROWS[3:]) == curve_tables.section(ROWS[3:]) == ""


def test_pages_have_the_pictures_of_their_own_lines_and_of_nothing_else():
    pages = runpy.run_path(str(ROOT / "scripts" / "method_pages.py"))
    pictures = curve_tables.pictures(ROWS)
    page = pages["page"]("ganad.methods.fence_gan", [FenceGAN], [], pictures)
    assert "(../assets/curves/fencegan.svg)" in page and "ganomaly.svg" not in page
    assert "curves" not in pages["page"]("ganad.methods.fence_gan", [FenceGAN], [])
    figures = runpy.run_path(str(ROOT / "scripts" / "figures.py"))
    readme = "<!-- curves -->\nold\n<!-- /curves -->\n"
    assert "(docs/assets/curves/fencegan.svg)" in figures["marked"](readme, ROWS)
    assert figures["marked"](readme, ROWS[2:]) == "<!-- curves -->\n\n<!-- /curves -->\n"


def test_wrong_names_are_refused():
    for options, said in (
        (dict(methods=["DCAE"]), "DCAE has no curve; there are FenceGAN, "),
        (dict(methods=["FenceGAN"], classes=["3"]), "curves have no class 3; they have 0, 1, 5, 8"),
    ):
        with pytest.raises(InputError, match=said):
            curves.curves(**options)
    assert {c.task.label for c in curves.curves(["GANomaly"])} == {"GANomaly"}  # not "GANomaly, contrast"
    done = CliRunner().invoke(build_app([]), ["curves", "--budget", "long"])
    assert done.exit_code == 2 and "--budget long is not one of smoke, quick, paper" in done.output


def test_a_curve_whose_first_step_took_longer_has_no_figure_for_the_first_minute():
    row = dict(seconds=[63.6, 90.0, 180.0], auroc=[0.5, 0.6, 0.7], ended="time")
    assert [curve_tables.at(row, minutes) for minutes in (1, 2, 3, 5)] == [None, 0.6, 0.7, None]
    assert curve_tables.at(row | dict(ended="length"), 5) == 0.7
