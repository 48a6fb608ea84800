"""Suites and their lines: remedies repeat a line with one thing changed, and several tables run as one grid."""

import json

import pytest
from typer.testing import CliRunner

from ganad import InputError, Trivial, bench, protocols
from ganad.bench import KINDS, SUITES, Task, grid, trial
from ganad.bench.rows import current, make, parameters, read
from ganad.bench.table_lines import collect
from ganad.cli.main import build_app
from ganad.protocols import PROTOCOLS

REMEDIES = [(suite.name, r.label) for suite in SUITES.values() for r in suite.recipes if r.remedy_of]
CHEAP = dict(labels=["distance to the mean", "random"], seeds=2, budget="smoke")


@pytest.mark.parametrize(("suite", "label"), REMEDIES)
def test_a_remedy_changes_one_thing_of_its_line(suite, label):
    remedy = SUITES[suite].recipe(label)
    line = SUITES[suite].recipe(remedy.remedy_of)
    there = parameters(make(line.detector, *line.arguments("paper")))
    here = parameters(make(remedy.detector, *remedy.arguments("paper"), snapshots=remedy.snapshots))
    changed = {name for name in here if name not in there or here[name] != there[name]}
    what = {"averaged": "ema", "stopped": "patience", "contrast": "scaling"}
    assert changed == {what.get(label.split(", ")[-1], "snapshots")}
    assert line.arguments("quick")[0] == remedy.arguments("quick")[0] and remedy.quick == line.quick


def test_every_table_of_a_papers_gan_has_the_three_remedies():
    for name in ("fencegan-2d", "fencegan-kdd99"):
        labels = {r.label for r in SUITES[name].recipes}
        assert {f"FenceGAN, {what}" for what in ("averaged", "stopped", "snapshots")} <= labels
    of_images = {(suite, label.split(", ")[-1]) for suite, label in REMEDIES if suite not in KINDS["tables"]}
    assert of_images == {("study-mnist", "contrast"), ("study-mnist", "snapshots")}


def test_a_row_of_snapshots_counts_as_long_as_both_sets_of_settings_do():
    suite = SUITES["fencegan-2d"]
    row = json.loads(json.dumps(trial(Task(suite, "FenceGAN, snapshots", "normal", 0, "smoke"))))
    assert row["detector"] == "FenceGAN" and row["snapshots"] and 0 <= row["metrics"]["auroc"] <= 1
    assert current(suite, [row]) == [row]
    plain = trial(Task(suite, "FenceGAN", "normal", 0, "smoke"))
    assert "snapshots" not in plain and plain["parameters"].items() <= row["parameters"].items()
    assert plain["metrics"]["auroc"] != row["metrics"]["auroc"]
    other = row | dict(parameters=row["parameters"] | dict(snapshots=row["parameters"]["snapshots"] | dict(trim=0.1)))
    assert current(suite, [other]) == [] == current(suite, [row | dict(label="FenceGAN", snapshots=None)])


def test_a_method_is_asked_for_without_its_remedies():
    labels = {task.label for task in bench.tasks("fencegan-kdd99", labels=["fence-gan", "RGAN, stopped"], seeds=1)}
    assert labels == {"FenceGAN", "RGAN, stopped"}
    labels = {task.label for task in bench.tasks("study-mnist", labels=["GANomaly"], classes=["0"], seeds=1)}
    assert labels == {"GANomaly"}


def test_every_protocol_of_a_paper_is_measured_by_a_suite():
    measured = {suite.protocol for suite in SUITES.values()}
    assert set(PROTOCOLS) - measured == {"user-holdout", "user-folders"}
    assert sorted(SUITES) == sorted(name for names in KINDS.values() for name in names)
    for kind, names in KINDS.items():
        for suite in (SUITES[name] for name in names):
            if PROTOCOLS[suite.protocol].dataset in ("digits", "blob", "production-line"):
                assert (protocols.read(suite.protocol).x.ndim > 2) == (kind == "images")


def row_of(suite, label, cls, **metrics):
    recipe = SUITES[suite].recipe(label)
    row = dict(suite=suite, label=label, seed=0, budget="paper", commit="abc", gpu=None, device="cpu")
    row |= {"class": cls, "n_train_cap": None, "n_test_cap": None, "best_epoch_on_test": None}
    row |= dict(zip(("preset", "settings"), recipe.arguments("paper")), metrics=metrics)
    return row | dict(roc=[0.0, 1.0], histogram=dict(edges=[0, 1], normal=[1, 0], anomalous=[0, 1]))


@pytest.mark.parametrize(
    ("suite", "label", "cls", "metric", "published"),
    [
        ("alad-kdd99", "ALAD", None, "f1", 0.9501),
        ("alad-cifar10", "ALAD", "ship", "auroc", 0.762),
        ("ocan-fraud-codes", "OCAN", "normal", "f1", 0.8656),
    ],
)
def test_the_later_suites_have_their_published_figures(suite, label, cls, metric, published):
    tables = collect([row_of(suite, label, cls, auroc=0.5, f1=0.5)], [SUITES[suite]])
    (line,) = [line for table in tables if table.metric == metric for line in table.lines if line.label == label]
    assert line.published[cls or ""].value == published


def test_of_several_tables_what_tells_most_comes_first():
    labels = ["random", "RGAN", "RGAN, stopped"]
    tasks = bench.together(["fencegan-2d", "ocan-fraud"], labels=labels, seeds=2, budget="smoke")
    assert [(t.seed, t.label, t.suite.name) for t in tasks[:6]] == [
        (0, label, suite) for label in labels for suite in ("fencegan-2d", "ocan-fraud")
    ]
    assert {t.seed for t in tasks[6:]} == {1}
    one = bench.together(["digits", "fencegan-2d"], labels=["RGAN"], classes=["normal"], seeds=1)
    assert [t.suite.name for t in one] == ["fencegan-2d"]
    with pytest.raises(InputError, match="digits has no method 'nobody'"):
        bench.together(["digits", "fencegan-2d"], labels=["nobody"])
    with pytest.raises(InputError, match="'dgits' is neither a suite nor"):
        bench.together(["digits", "dgits"], labels=["random"])


class Late:
    """An engine to which the time limit comes while a trial runs."""

    def __init__(self, clock):
        self.clock, self.begun = clock, []

    def map(self, function, items):
        for item in items:
            self.begun.append(item)
            result = function(item)
            self.clock["now"] += 1800.0
            yield item, result


def test_a_grid_of_several_tables_ends_in_time_and_goes_on(tmp_path, monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr(grid.time, "monotonic", lambda: clock["now"])
    tasks = bench.together(["fencegan-2d", "mmoc-production"], classes=None, **CHEAP)
    first = Late(clock)
    rows = bench.run(tasks, tmp_path, engine=first, hours=1.4)
    assert len(rows) == len(first.begun) == 3  # the third began in time, and its row counts
    rest = bench.run(tasks, tmp_path, engine=Late(clock))
    assert len(rest) == len(tasks) - 3 and not bench.missing(tasks, tmp_path)
    assert {p.stem: len(read(p)) for p in tmp_path.glob("*.jsonl")} == {"fencegan-2d": 4, "mmoc-production": 20}


def ganad(*arguments):
    return CliRunner().invoke(build_app([]), ["bench", *arguments, "--budget", "smoke", "--seeds", "1"])


def test_all_of_a_kind_leaves_out_what_it_has_no_data_for(tmp_path, monkeypatch):
    monkeypatch.delenv("GANAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    options = ("--results", str(tmp_path / "rows"), "--methods", "random")
    done = ganad("all", "--kind", "images", "--classes", "bedroom", *options)
    assert done.exit_code == 0 and "left out: lsun: no LSUN here" in done.output
    assert not list((tmp_path / "rows").glob("*"))
    done = ganad("fencegan-2d", "mmoc-production", *options, "--hours", "0")
    assert done.exit_code == 0 and done.output == "time is up, trials that are left: 6; the same command goes on\n"
    assert "-1.0 is not in the range" in ganad("fencegan-2d", *options, "--hours", "-1").output
    done = ganad("fencegan-2d", "mmoc-production", *options)
    assert "1/6 fencegan-2d: random normal seed 0: AUROC" in done.output and "6/6 mmoc-production" in done.output
    assert ganad("fencegan-2d", "mmoc-production", *options).output == ""


def test_missing_data_are_refused_and_no_row_hides_them(tmp_path, monkeypatch):
    monkeypatch.delenv("GANAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none"))
    done = ganad("lsun", "--classes", "bedroom", "--methods", "random", "--results", str(tmp_path / "rows"))
    assert done.exit_code == 2 and "ganad: lsun: no LSUN here" in done.output
    assert not list(tmp_path.rglob("*.jsonl"))


def test_failed_trials_are_counted_and_a_run_of_nothing_else_has_failed(tmp_path, monkeypatch):
    def broken(self, x):
        raise RuntimeError("out of luck")

    command = ("fencegan-2d", "--methods", "random,distance to the mean", "--results", str(tmp_path))
    with monkeypatch.context() as m:
        m.setattr(Trivial, "train", broken)
        done = ganad(*command)
    said = "failed trials: 2; their rows are kept, and --retry tries them again\n"
    assert done.exit_code == 1 and done.output.endswith(said)
    assert ganad(*command).output == said
    assert "failed" not in ganad(*command, "--retry").output


def test_kinds_and_names_that_make_no_sense_are_refused(tmp_path):
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    for arguments, said in (
        (("all", "--kind", "words"), "--kind words is not one of tables, images"),
        (("digits", "--kind", "images"), "which say what of 'all' to run"),
        (("digits", str(tmp_path / "mine.csv")), "is data of your own; give it alone"),
        (("digits", "fencegan-3d"), "'fencegan-3d' is neither a suite nor"),
    ):
        done = ganad(*arguments)
        assert done.exit_code == 2 and said in done.output and done.output.count("\n") == 1
