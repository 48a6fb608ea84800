"""What long work says of itself on stderr where there is no terminal."""

import io
import re
import threading

import numpy as np
import pytest
from typer.testing import CliRunner

from ganad import Ensemble, Gaussian, NearestNeighbor, progress
from ganad.cli.main import build_app
from ganad.photos import Backbone, Regions
from ganad.progress import Bar, one_clock

from .photos.samples import plates


class Reader(io.StringIO):
    """A stderr that is no terminal, and that can be waited for."""

    def __init__(self, monkeypatch):
        super().__init__()
        self.came = threading.Event()
        monkeypatch.setattr("sys.stderr", self)  # in the test itself: pytest sets its own after fixtures

    def write(self, text):
        super().write(text)
        self.came.set()
        return len(text)


@pytest.fixture
def titles(monkeypatch):
    """The titles that bars show, each once, in order."""
    seen = []
    monkeypatch.setattr(progress._Lines, "show", lambda self, title, *_: seen.append(title))
    return seen


def test_long_work_without_a_terminal_says_how_far_it_is(monkeypatch):
    stderr = Reader(monkeypatch)
    monkeypatch.setattr(progress, "EVERY", 0.01)
    with one_clock():
        with Bar("reading", enabled=False) as bar:
            bar.update(1, 2)
        with Bar("training") as bar:
            bar.update(1000, 4000, "loss 0.5")
        for _ in range(2):  # the first line may have been under way before
            stderr.came.clear()
            assert stderr.came.wait(60)
    lines = stderr.getvalue().splitlines()
    assert re.fullmatch(r"ganad: training: 1,000 of 4,000 \(25 %\), loss 0\.5, \d+ s so far", lines[-1])
    assert not any("reading" in line for line in lines)


def test_short_work_is_silent_and_leaves_no_thread(monkeypatch):
    stderr = Reader(monkeypatch)
    before = threading.active_count()
    with Bar("training") as bar:
        bar.update(1, 2)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before and stderr.getvalue() == ""


def test_scores_move_the_bar_that_follows_them_and_no_other(monkeypatch):
    told = []
    monkeypatch.setattr(Bar, "update", lambda self, done, total: told.append((self.title, done, total)))
    x = np.random.default_rng(0).normal(size=(10, 3))
    model = Gaussian(score_batch_size=4, threshold_fits=0, verbose=0).fit(x)
    told.clear()
    with Bar("scoring", follows=True), Bar("another"):
        model.anomaly_score(x)
    model.anomaly_score(x)
    assert told == [("scoring", 4, 10), ("scoring", 8, 10), ("scoring", 10, 10)]


def test_a_table_that_is_scored_says_so(tmp_path, titles):
    rows = np.random.default_rng(0).normal(size=(30, 3))
    np.savetxt(tmp_path / "rows.csv", rows, delimiter=",", header="a,b,c", comments="")
    for command in ("fit rows.csv -o m.safetensors --method gaussian", "score m.safetensors rows.csv -o s.csv"):
        titles.clear()
        words = [str(tmp_path / word) if "." in word else word for word in command.split()]
        assert CliRunner().invoke(build_app(words), words).exit_code == 0
    assert titles[-1] == "scoring"


def test_more_fits_for_the_threshold_are_counted(monkeypatch, titles):
    Reader(monkeypatch)
    rows = np.random.default_rng(0).normal(size=(60, 3))
    NearestNeighbor(threshold_fits=3, device="cpu").fit(rows)
    assert list(dict.fromkeys(titles)) == ["NearestNeighbor", *(f"NearestNeighbor fit {i} of 4" for i in (2, 3, 4))]
    titles.clear()
    view = Backbone("filters", cells=2)
    Regions(Gaussian(apart=True), view, threshold_fits=1, device="cpu").fit(plates(12))
    assert list(dict.fromkeys(titles))[:4] == ["reading regions", "Gaussian", "reading regions, fit 2 of 2"] + [
        "planting defects"
    ]


def test_the_members_of_auto_are_named(monkeypatch, titles):
    Reader(monkeypatch)
    rows = np.random.default_rng(0).normal(size=(40, 3))
    Ensemble(members=[NearestNeighbor(), Gaussian()], device="cpu").fit(rows)
    assert {f"Ensemble {name}" for name in ("nearest_neighbor", "gaussian")} <= set(titles)
    assert any(re.match(r"Ensemble fit 2 of \d nearest_neighbor", title) for title in titles)


def test_a_fit_says_how_long_it_took_in_all(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n" + "\n".join(f"{i},{i * i % 7}" for i in range(40)))
    words = ["fit", str(tmp_path / "t.csv"), "-o", str(tmp_path / "m"), "--method", "kde"]
    made = CliRunner().invoke(build_app(words), words)
    assert made.exit_code == 0 and re.search(r"KDE: 40 normal samples, in \d+\.\d s\n", made.output), made.output
