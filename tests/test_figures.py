"""The papers' figures: none forgotten, each says what it is of, the same bytes each time, bars as high as the rows."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ganad import InputError
from ganad.bench import SUITES
from ganad.bench.longest import best_epoch, longest, metric
from ganad.bench.rows import Task, asked
from ganad.cli.main import build_app
from ganad.errors import MissingExtra
from ganad.figures import FIGURES, Asked, chosen, fence_gan, from_rows, making, mmoc_gan, style, write

#: what the five papers print: figures by number, and the study's tables, which are all it measures
PRINTED = {
    "igmm-gan": ["Fig. 1", "Fig. 2", "Fig. 3", "Fig. 4", "Fig. 5"],
    "study": ["Figure 1", "Tables 2 and 3"],
    "adgan": ["Fig. 1", "Fig. 2", "Fig. 3", "Fig. 4", "Fig. 5", "Fig. 6"],
    "mmoc-gan": ["Figure 1", "Figure 2", "Figure 3", "Figure 4"],
    "fence-gan": ["Fig. 1", "Fig. 2", "Fig. 3", "Fig. 4", "Fig. 5"],
}
#: figures that a second or two suffice for
FAST = {"fence-gan-1", "fence-gan-curves", "mmoc-gan-1"}
FROM_ROWS = {"fence-gan-2", "fence-gan-3", "igmm-gan-5", "adgan-3", "study-means"}


def row(suite, label, cls=None, seed=0, budget="quick", auroc=0.75, **more):
    """A row as the suite would make it today."""
    made = asked(Task(SUITES[suite], label, cls, seed, budget))
    values = dict(auroc=auroc, pr_area_trapezoid=auroc / 2, chance_auroc=0.5, chance_pr_area_trapezoid=0.35)
    return made | {"metrics": values, "roc": np.linspace(0, 1, 41).tolist(), "best_epoch_on_test": None} | more


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder with a few rows for every figure that is drawn from rows."""
    folder = tmp_path_factory.mktemp("results")
    tables = {
        "fencegan-mnist": [row("fencegan-mnist", n, c) for n in ("FenceGAN", "VAE", "LOF") for c in "01"],
        "fencegan-cifar10": [row("fencegan-cifar10", "FenceGAN", "ship"), row("fencegan-cifar10", "LOF", "ship")],
        "igmm-gan-mnist": [row("igmm-gan-mnist", "IGMMGAN", "1", s, auroc=a) for s, a in ((0, 0.8), (1, 0.9))],
        "adgan-mnist": [row("adgan-mnist", "KDE", c, budget="paper", auroc=0.9) for c in "0123456789"],
        "adgan-cifar10": [row("adgan-cifar10", "GMM", "car")],
    }
    for name, rows in tables.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


def ganad(*arguments):
    return CliRunner().invoke(build_app([]), ["figures", *map(str, arguments)])


def test_every_figure_of_the_papers_is_drawn_or_has_a_reason():
    for paper, numbers in PRINTED.items():
        assert [e.number for e in FIGURES.values() if e.paper == paper and e.number] == numbers
    for name, entry in FIGURES.items():
        assert name == entry.name and name.startswith(f"{entry.paper}-")
        assert bool(entry.draw) != bool(entry.reason)
        assert entry.title and entry.needs
    assert {e.paper for e in chosen([])} == set(PRINTED)


def test_wrong_names_get_one_sentence_with_the_nearest():
    with pytest.raises(InputError, match="'fence-gam-1'; did you mean fence-gan-1"):
        chosen(["fence-gam-1"])
    with pytest.raises(InputError, match="adgan-5 cannot be drawn: LSUN"):
        chosen(["adgan-5"])
    assert [e.name for e in chosen(["study", "study-means"])] == ["study-means"]
    with pytest.raises(InputError, match="'pdf' is not one of png, svg"):
        write(FIGURES["mmoc-gan-1"], Asked("smoke"), "unused", ["pdf"])


def test_without_matplotlib_the_command_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pip install 'ganad\[figures\]'"):
        write(FIGURES["mmoc-gan-1"], Asked("smoke"), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", sorted(FROM_ROWS))
def test_a_figure_of_rows_says_which_and_is_the_same_bytes_each_time(name, results, tmp_path):
    entry, wanted = FIGURES[name], Asked("smoke", results=results)
    (first,) = write(entry, wanted, tmp_path / "a", ("svg",))
    (again,) = write(entry, wanted, tmp_path / "b", ("svg",))
    assert first.read_bytes() == again.read_bytes()
    text = first.read_text()
    assert entry.number in text and "not the paper" in text
    assert ("budget paper" if name == "adgan-3" else "paper)" if name == "study-means" else "budget quick") in text


def test_a_png_is_the_same_bytes_each_time_and_carries_no_date(results, tmp_path):
    wanted = Asked(results=results)
    first, again = (write(FIGURES["igmm-gan-5"], wanted, tmp_path / name)[0] for name in "ab")
    assert first.read_bytes() == again.read_bytes()
    with Image.open(first) as image:
        assert set(image.info) <= {"dpi"} and np.asarray(image.convert("L")).std() > 10


def test_bars_are_as_high_as_the_mean_of_the_rows(results):
    with style.look():
        _, axes = style.page(1, 1, 3, 2)
        lines = from_rows.lines(Asked(results=results), "igmm-gan-mnist", ("IGMMGAN", "LOF"))
        from_rows.bars(axes[0, 0], lines, metric("auroc"))
    assert [round(p.get_height(), 6) for p in axes[0, 0].patches] == [0.85]
    said = from_rows.told("igmm-gan-mnist", lines, ("IGMMGAN", "LOF"))
    assert "up to 2 seeds" in said and "no rows yet: LOF" in said


def test_of_a_line_the_longest_rows_that_cover_as_many_classes_count():
    quick = [row("study-mnist", "LOF", c, budget="quick", auroc=0.6) for c in "01"]
    one = [row("study-mnist", "LOF", "0", budget="paper", auroc=0.8)]
    both = [row("study-mnist", "LOF", c, budget="paper", auroc=0.9) for c in "01"]
    suite = SUITES["study-mnist"]
    assert [line.budget for line in longest(suite, quick + one)] == ["quick"]
    assert [line.budget for line in longest(suite, quick + one, ["0"])] == ["paper"]
    (line,) = longest(suite, quick + both)
    assert line.budget == "paper" and line.spread(metric("auroc")).mean == pytest.approx(0.9)
    assert longest(suite, [row("study-mnist", "LOF", "0", budget="smoke")]) == []
    assert best_epoch(row("digits", "VAE", "0", auroc=0.9, best_epoch_on_test=0.8)) == 0.9


def test_without_rows_the_command_that_makes_them_is_named(tmp_path):
    with pytest.raises(InputError, match="ganad bench fencegan-mnist makes them"):
        write(FIGURES["fence-gan-2"], Asked(results=tmp_path), tmp_path)


@pytest.mark.parametrize("name", sorted(FAST))
def test_a_small_fit_is_drawn(name, tmp_path):
    (path,) = write(FIGURES[name], Asked("smoke"), tmp_path, ("svg",))
    text = path.read_text()
    assert "Budget smoke" in text and ("seed 0" in text or name == "mmoc-gan-1")
    assert FIGURES[name].place in text


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({n for n, e in FIGURES.items() if e.draw} - FAST - FROM_ROWS))
def test_a_fit_to_the_digits_is_drawn(name, tmp_path):
    (path,) = write(FIGURES[name], Asked("smoke"), tmp_path)
    assert np.asarray(Image.open(path).convert("L")).std() > 5


def test_a_nearly_black_image_is_drawn_nearly_black():
    dark = np.full((2, 8, 8), 16, np.uint8)
    _, ((one, several),) = style.page(1, 2, 2, 1)
    style.picture(one, dark[0])
    style.sheet(several, dark, 1)
    for axes in (one, several):
        assert axes.images[0].get_array()[:8].max() == pytest.approx(16 / 255)


def test_the_plane_is_read_as_the_discriminator_says():
    fit = fence_gan.plane_fit("smoke")
    assert set(fit.moments) == {1} and len(fit.auroc) == 1
    level = fit.moments[1].normality
    assert level.shape == (70, 70) and (level >= 0).all() and (level <= 1).all() and np.ptp(level) > 0


@pytest.mark.slow
def test_generated_parts_are_in_the_units_of_the_data_and_codes_are_shares():
    fit = making.fitted(making.Fit("mmoc-production", "MMOCGAN-cat", "0"), "smoke", None)
    drawn = mmoc_gan.complementary(fit, 50)
    low, high = fit.x.min(0), fit.x.max(0)
    middle, half = (low + high) / 2, (high - low) / 2
    assert drawn.shape == (50, 40) and (np.abs(drawn - middle) <= 2.01 * half).all()
    np.testing.assert_allclose(mmoc_gan.codes_of(fit, fit.x_test).sum(1), 1, rtol=1e-5)
    assert np.array_equal(drawn, mmoc_gan.complementary(fit, 50))


def test_the_command_lists_draws_and_names_what_it_could_not_draw(results, tmp_path):
    listed = ganad("--list")
    assert listed.exit_code == 0 and all(name in listed.output for name in FIGURES)
    assert "not to be had: LSUN" in listed.output
    of_one = ganad("adgan", "fence-gan-1", "--list")
    assert "not to be had: LSUN" in of_one.output and "fence-gan-1 " in of_one.output
    assert "fence-gan-2" not in of_one.output and "study-means" not in of_one.output
    done = ganad("study", "fence-gan-2", "-o", tmp_path, "--results", results, "--format", "png,svg")
    assert done.exit_code == 0 and {p.suffix for p in tmp_path.iterdir()} == {".png", ".svg"}
    some = ganad("fence-gan-3", "fence-gan-2", "-o", tmp_path, "--results", tmp_path / "nothing")
    assert some.exit_code == 3 and "fence-gan-3: " in some.output
    assert ganad("fence-gan-2", "-o", tmp_path, "--results", tmp_path / "nothing").exit_code == 2
    assert ganad("fence-gan", "--budget", "long").exit_code == 2
