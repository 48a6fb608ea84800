"""What missing trials will take: paces of steps, hours from rows, and where the printed figures stand."""

import json
import re
import time

import pytest
import torch
from typer.testing import CliRunner

from ganad import VAE, InputError, bench, published
from ganad.bench import SUITES, Task, cost, pace, printed
from ganad.bench.cost import costs
from ganad.bench.rows import asked, read
from ganad.cli.main import build_app

SUITE = SUITES["digits"]


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    """A hundredth of a second of steps says as much of the code."""
    monkeypatch.setattr(pace, "_SECONDS", 0.01)


def task_of(label, suite="digits", budget="quick", cls="0", device="cpu"):
    return Task(SUITES[suite], label, cls, 0, budget, device=device)


def row_of(task, seconds, **more):
    made = dict(metrics={"auroc": 0.5}, fit_s=seconds - 1.0, score_s=1.0, device="cpu", n_train=100)
    return asked(task) | made | more


@pytest.fixture(scope="module")
def paces():
    names = ("FenceGAN", "AnoGAN")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "_SECONDS", 0.01)
        return {name: pace.measure(task_of(name)) for name in names}


def test_a_pace_knows_the_stages_of_a_fit_and_how_long_they_are(paces):
    fence = paces["FenceGAN"]
    settings = fence["parameters"]
    wanted = {"pretrain": settings["pretrain_epochs"], "training": settings["epochs"]}
    assert {stage["name"]: stage["passes"] for stage in fence["stages"]} == wanted
    assert all(stage["seconds"] > 0 and stage["mflop"] > 0 for stage in fence["stages"])
    # the adversarial step trains both networks, the one before it the discriminator alone
    assert fence["stages"][1]["mflop"] > fence["stages"][0]["mflop"]
    assert "suite" not in fence and json.loads(json.dumps(fence)) == fence


def test_a_search_makes_scores_dear(paces):
    anogan, fence = paces["AnoGAN"], paces["FenceGAN"]
    assert anogan["score_mflop"] > 10 * fence["score_mflop"]


def test_what_is_computed_between_stages_counts_in_proportion_to_samples(monkeypatch):
    train = VAE.train

    def longer(self, x):
        train(self, x)
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass

    monkeypatch.setattr(VAE, "train", longer)
    found = pace.measure(task_of("VAE"))
    assert found["between_s"] >= 0.2 * found["n_train"] / pace._FEWEST > 0.2


def test_what_is_to_compute_is_counted():
    a, b = torch.ones(3, 4), torch.ones(4, 5)
    assert pace.counted(lambda: torch.mm(a, b)) == 2 * 3 * 4 * 5


def test_a_pace_of_the_same_settings_and_data_is_not_timed_twice():
    (first,) = (pace.measure(task_of("VAE")),)
    again = pace.measure(task_of("VAE", "digits-one"), [first])
    assert again["timed_in"] == "digits" and again["stages"] == first["stages"]
    assert again["n_train"] != first["n_train"] and again["pace_of"] == "digits-one"
    other = pace.measure(task_of("VAE", budget="paper"), [first])
    assert "timed_in" not in other  # trained longer, so its settings differ


def test_a_detector_without_networks_has_no_pace():
    with pytest.raises(bench.pace.NotSupported, match="trains no network"):
        pace.measure(task_of("LOF"))
    assert not pace.trains(SUITE.recipe("LOF")) and not pace.trains(SUITE.recipe("auto"))


def test_hours_come_from_rows_then_from_paces_and_else_are_unknown(paces):
    tasks = [task_of(label, cls=cls) for label in ("FenceGAN", "AnoGAN", "LOF") for cls in "01"]
    rows = [row_of(task_of("FenceGAN", cls=cls), seconds) for cls, seconds in (("2", 3600), ("3", 7200), ("4", 36000))]
    fence, anogan, lof = costs(tasks, rows, list(paces.values()))
    assert (fence.trials, fence.hours, fence.source) == (2, 4.0, "3 rows")
    assert anogan.source == "timed steps"
    assert anogan.hours == pytest.approx(2 * cost.seconds(paces["AnoGAN"]) / 3600)
    assert (lof.hours, lof.source) == (None, "not measured")
    assert "6 trials are missing: 4.0" in cost.table([fence, lof, anogan], workers=2)
    assert "2 of them not measured" in cost.table([fence, lof, anogan])
    assert "2 trials are missing: - hours" in cost.table([lof], workers=2)


def test_a_failed_row_an_old_one_and_one_of_another_device_say_nothing(paces):
    task, known = task_of("FenceGAN"), [paces["FenceGAN"]]
    for changed in (dict(error="no"), dict(settings={"epochs": 1}), dict(device="cuda:0")):
        row = row_of(task_of("FenceGAN", cls="1"), 3600, **changed)
        if "error" in changed:
            del row["metrics"]
        assert costs([task], [row], known)[0].source == "timed steps"
    stale = known[0] | dict(parameters=known[0]["parameters"] | dict(epochs=7))
    assert costs([task], [], [stale])[0].source == "not measured"


def test_a_remedy_costs_what_its_line_costs():
    task = task_of("FenceGAN, snapshots", "fencegan-2d", "paper", "normal")
    row = row_of(task_of("FenceGAN", "fencegan-2d", "paper", "normal"), 7200)
    (found,) = costs([task], [row], [])
    assert (found.label, found.hours, found.source) == ("FenceGAN, snapshots", 2.0, "1 row of FenceGAN")


def test_a_line_without_networks_is_taken_in_proportion_to_samples():
    task = task_of("OCSVM", "study-mnist", "paper")
    small = row_of(task_of("OCSVM", "study-mnist", "quick"), 36, n_train=1000)
    large = row_of(task_of("LOF", "study-mnist", "paper"), 1, n_train=54_000)
    assert costs([task], [small, large], [])[0].hours == pytest.approx(54 * 36 / 3600)
    assert costs([task], [small], [])[0].hours is None


@pytest.mark.parametrize("paper", printed.PAPERS)
def test_every_figure_of_the_papers_has_a_line_that_measures_it_or_a_reason(paper):
    found = printed.standings(paper, [], [])
    seeds = [f for f in published.load() if f.provenance == "seed" and f.source.startswith(printed.PAPERS[paper])]
    assert sum(line.figures for line in found) == len(seeds)
    assert all(line.reason or (line.table in SUITES and line.cost) for line in found)
    assert all(line.full == line.short == 0 for line in found)
    assert found


def test_papers_are_all_that_figures_are_held_of():
    begins = tuple(printed.PAPERS.values())
    assert all(f.source.startswith(begins) for f in published.load() if f.provenance == "seed")


def test_rows_stand_beside_the_figures_of_their_classes_and_beside_means_when_all_are_there():
    rows = [row_of(task_of("KDE", "adgan-mnist", "paper", str(k)), 10) for k in range(9)]
    line = next(x for x in printed.standings("study", rows, []) if (x.method, x.table) == ("KDE", "adgan-mnist"))
    assert (line.figures, line.full, line.short, line.cost.trials) == (11, 9, 0, 1)
    rows.append(row_of(task_of("KDE", "adgan-mnist", "paper", "9"), 10))
    line = next(x for x in printed.standings("study", rows, []) if (x.method, x.table) == ("KDE", "adgan-mnist"))
    assert (line.figures, line.full, line.cost) == (11, 11, None)
    text = printed.account("study", rows, [])
    assert "11 stand beside rows at the published length" in text and "| KDE | adgan-mnist |" not in text


def test_shorter_rows_count_apart_unless_they_are_as_long():
    quick = [row_of(task_of(label, "mmoc-production", "quick", "0"), 10) for label in ("OCAN", "DAGMM")]
    for row in quick:
        row["metrics"] = dict.fromkeys(("pass_accuracy", "nonpass_accuracy", "accuracy", "f1_pass_positive"), 0.5)
    rows = [row | {"class": cls} for row in quick for cls in "01234"]
    found = {line.method: line for line in printed.standings("mmoc-gan", rows, [])}
    assert (found["OCAN"].full, found["OCAN"].short) == (0, 4)
    assert (found["DAGMM"].full, found["DAGMM"].short) == (4, 0)  # its quick settings are those of the paper


def test_trials_are_laid_beside_what_steps_say(paces):
    twice = row_of(task_of("FenceGAN", budget="paper"), 1 + 2 * cost.seconds(paces["FenceGAN"]) - 1)
    full = paces["FenceGAN"] | {key: twice[key] for key in ("budget", "settings", "preset")}
    del full["parameters"]
    assert printed.agreement([twice], [full]) == [pytest.approx(2)]
    assert printed.agreement([], [full]) == []


def test_the_command_times_what_no_row_tells_and_makes_no_row(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    command = ["bench", "digits", "--methods", "VAE,LOF", "--classes", "0,1", "--seeds", "1", "--estimate"]
    command += ["--results", str(tmp_path), "--device", "cpu"]
    done = CliRunner().invoke(build_app(command), command)
    assert done.exit_code == 0, done.output
    assert re.search(r"digits +VAE +2 .*timed steps", done.output) and re.search(
        r"LOF +2 +- +not measured", done.output
    )
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["pace.jsonl"]
    assert CliRunner().invoke(build_app(command), command).output.splitlines()[-1] == done.output.splitlines()[-1]
    assert len(read(tmp_path / "pace.jsonl")) == 1


def test_a_damaged_file_of_paces_is_refused(tmp_path):
    (tmp_path / "pace.jsonl").write_text("[1]\n")
    with pytest.raises(InputError, match="line 1"):
        pace.run([task_of("VAE")], tmp_path)
