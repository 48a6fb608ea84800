"""The benchmark: rows that repeat, grids that go on, leaks that are caught, tables that add up."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits
from typer.testing import CliRunner

from ganad import DETECTORS, VAE, AutoEncoder, InputError, PCAResidual, Trivial, bench, metrics, protocols, registry
from ganad.bench import SUITES, Recipe, Suite, Task, grid, trial
from ganad.bench.machine import peak_mb, reset_peak
from ganad.bench.ranking import ranking, so_far, verdict, without_labels
from ganad.bench.rows import asked, current, key, make, mend, parameters, read
from ganad.bench.table_lines import collect
from ganad.bench.table_text import caption, cells, measures
from ganad.bench.trial import measured
from ganad.cli.main import build_app
from ganad.data.sets import kddcup99
from ganad.migrations import Change
from ganad.protocols import PROTOCOLS

QUICK = ("DCAE", "KDE", "random")
#: what a second run of a trial may change
CLOCK = ("fit_s", "score_s", "peak_mb")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's cache of pictures."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def run(suite, folder, *, workers=1, retry=False, on_row=None, **options):
    """The rows that are missing of a suite."""
    return bench.run(bench.tasks(suite, **options), folder, workers=workers, retry=retry, on_row=on_row)


def task_of(label, cls="0", budget="smoke"):
    """One trial on the digits."""
    return Task(SUITES["digits"], label, cls, 0, budget)


def timeless(row):
    return {k: v for k, v in row.items() if k not in CLOCK}


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda s: s.name)
@pytest.mark.parametrize("budget", ["paper", "quick", "smoke"])
def test_every_recipe_makes_a_detector(suite, budget):
    assert suite.protocol in PROTOCOLS
    labels = [r.label for r in suite.recipes]
    assert len(labels) == len(set(labels))
    assert sum(r.is_baseline for r in suite.recipes) >= 5
    for recipe in suite.recipes:
        make(recipe.detector, *recipe.arguments(budget)).check_settings()


def test_a_killed_grid_goes_on_to_the_rows_of_an_unbroken_one(tmp_path):
    options = dict(labels=QUICK, classes=["0"], seeds=2, budget="smoke")
    whole = run("digits", tmp_path / "a", **options)
    assert len(whole) == 6 and not any("error" in row for row in whole)

    def killed(row, done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("digits", tmp_path / "b", **options, on_row=killed)
    path = tmp_path / "b" / "digits.jsonl"
    with path.open("a") as file:
        file.write('{"suite": "dig')  # and in the middle of a line
    assert len(run("digits", tmp_path / "b", **options)) == 3
    assert list(map(timeless, read(path))) == list(map(timeless, whole))
    assert run("digits", tmp_path / "b", **options) == []


def test_processes_give_the_rows_of_a_serial_run(tmp_path):
    options = dict(labels=QUICK, classes=["0"], seeds=1, budget="smoke")
    rows = [run("digits", tmp_path / str(n), workers=n, **options) for n in (1, 2)]
    order = [sorted(map(timeless, r), key=key) for r in rows]
    assert order[0] == order[1]


def test_lsun_runs_from_the_files_that_its_own_script_exports(tmp_path):
    rng = np.random.default_rng(0)
    scenes = ["bedroom", *(f"scene{i}" for i in range(9))]
    for part, n, names in (("train", 40, ["bedroom"]), ("val", 300, scenes)):
        for k, name in enumerate(names):
            folder = tmp_path / "lsun" / part / name / "0" / "a"
            folder.mkdir(parents=True)
            for i in range(n):
                Image.fromarray(rng.integers(20 * k, 20 * k + 60, (8, 9, 3)).astype(np.uint8)).save(
                    folder / f"{i}.webp"
                )
    row = trial(Task(SUITES["lsun"], "distance to the mean", "bedroom", 0, "paper", str(tmp_path)))
    assert row["n_train"] == 40 and row["metrics"]["n"] == 3000 and row["metrics"]["n_anomalies"] == 2700
    assert row["metrics"]["auroc"] > 0.95


def test_watching_the_test_set_changes_nothing():
    watched, blind = (trial(task_of("DCAE"), watch=w) for w in (True, False))
    assert watched["best_epoch_on_test"] is not None and blind["best_epoch_on_test"] is None
    assert watched["metrics"] == blind["metrics"]


def test_of_several_stages_the_last_one_is_watched():
    row = trial(task_of("DeepSVDD"))
    assert 0 <= row["best_epoch_on_test"] <= 1
    assert row["parameters"]["pretrain_epochs"] == 1 and row["data"] == protocols.read("digits-lo").hash()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_the_peak_is_that_of_the_trial():
    large = np.ones(2**25)
    high = peak_mb()
    del large
    reset_peak()
    assert peak_mb() < high - 200


class Peeking(Trivial):
    """Its score is relative to the batch, as with batch norm in training mode."""

    def score_batch(self, x):
        distance = super().score_batch(x)
        return distance - distance.mean()


class Picking(AutoEncoder):
    """Ends with the weights of the epoch that is best on test labels, if it finds any."""

    def fit(self, X, y=None, *, on_epoch=None, **options):
        best = {"auroc": -1.0}

        def choose(model):
            on_epoch(model)
            arrays = [y, *vars(on_epoch).values()] if y is not None else vars(on_epoch).values()
            for labels in (v for v in arrays if isinstance(v, np.ndarray) and set(v.ravel().tolist()) == {0, 1}):
                auroc = metrics.auroc(labels, model.anomaly_score(on_epoch.x))
                if auroc > best["auroc"]:
                    best.update(auroc=auroc, weights={k: v.clone() for k, v in model.nets_.state_dict().items()})

        super().fit(X, y, on_epoch=choose, **options)
        if "weights" in best:
            self.nets_.load_state_dict(best["weights"])
        return self


PRESETS_OF = {
    "mnist": "mnist",
    "cifar10": "cifar10",
    "kddcup99": "kddcup99",
    "arrhythmia": "arrhythmia",
    "ocan-credit-card-raw": "credit-card",
    "production-line": "production",
}


def test_paper_length_means_the_published_settings_wherever_there_are_some():
    for suite in SUITES.values():
        wanted = PRESETS_OF.get(PROTOCOLS[suite.protocol].dataset)
        for recipe in (r for r in suite.recipes if not r.is_baseline):
            if wanted in registry.get(recipe.detector).PRESETS:
                preset, _ = recipe.arguments("paper")
                assert preset and preset.startswith(wanted), (suite.name, recipe.label)


def test_a_detector_that_peeks_at_its_batch_fails_its_trial(monkeypatch):
    monkeypatch.setattr("ganad.registry.get", lambda name: Peeking)
    row = trial(task_of("distance to the mean"))
    assert "depends on the other samples" in row["error"] and "metrics" not in row


def test_a_detector_that_picks_its_epoch_by_test_labels_finds_none(monkeypatch):
    recipe = Recipe("DCAE", "AutoEncoder", settings=dict(epochs=8, latent_dim=32))
    task = Task(Suite("digits", "digits-lo", (recipe,), quick_train=400, quick_test=300), "DCAE", "1")
    honest = measured(task)
    monkeypatch.setattr("ganad.registry.get", lambda name: Picking)
    assert measured(task)["metrics"] == honest["metrics"]
    assert honest["best_epoch_on_test"] > honest["metrics"]["auroc"] + 0.02  # what it would have picked


def test_a_detector_is_given_the_training_samples_and_nothing_else(monkeypatch):
    given = []

    class Noting(Trivial):
        def fit(self, X, y=None, **options):
            given.append((X, y))
            return super().fit(X, y, **options)

    monkeypatch.setattr("ganad.registry.get", lambda name: Noting)
    trial(task_of("distance to the mean", "3", "quick"))
    ((x, y),) = given
    samples = protocols.read("digits-lo")
    split = PROTOCOLS["digits-lo"].split(samples, "3", 0)
    assert y is None and np.array_equal(x, samples.x[split.train])
    assert not set(split.train) & set(split.test) and "3" not in samples.y.astype(str)[split.train]


def deadly_trial(task):
    if task.label == "random":
        os._exit(9)
    return trial(task)


def test_a_trial_that_ends_its_process_is_a_row_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "trial", deadly_trial)
    options = dict(labels=["random", "brightness", "distance to the mean"], classes=["0"], seeds=1, budget="smoke")
    rows = run("digits", tmp_path, **options, workers=2)
    assert len(rows) == 3 and {r["label"] for r in rows if "error" in r} == {"random"}
    assert all("process ended" in r["error"] for r in rows if r["label"] == "random")
    assert run("digits", tmp_path, **options, workers=2) == []


def test_a_failed_trial_is_a_row_and_can_be_tried_again(tmp_path, monkeypatch):
    def broken(self, x):
        raise RuntimeError("out of luck")

    with monkeypatch.context() as m:
        m.setattr(Trivial, "train", broken)
        (row,) = run("digits", tmp_path, labels=["random"], classes=["0"], seeds=1, budget="smoke")
    assert row["error"] == "RuntimeError: out of luck"
    options = dict(labels=["random"], classes=["0"], seeds=1, budget="smoke")
    assert run("digits", tmp_path, **options) == []
    (row,) = run("digits", tmp_path, **options, retry=True)
    assert 0 <= row["metrics"]["auroc"] <= 1


def test_a_method_or_a_class_that_is_named_twice_runs_once():
    tasks = bench.tasks("digits", labels=["fence-gan", "FenceGAN", "1-nn"], classes=["0", "0"], seeds=1)
    assert [task.label for task in tasks] == ["FenceGAN", "1-NN"]


def test_a_damaged_row_is_refused_with_its_line(tmp_path):
    (tmp_path / "digits.jsonl").write_text('{}\n{"suite": \n')
    with pytest.raises(InputError, match="line 2 is not valid JSON; delete it"):
        run("digits", tmp_path, labels=["random"])


def test_a_line_that_is_being_written_is_no_row_and_one_without_its_task_is_damaged(tmp_path):
    path = tmp_path / "digits.jsonl"
    path.write_text('{}\n{"suite": "dig')
    assert read(path) == [{}]
    path.write_text('{"suite": "digits"}\n')
    with pytest.raises(InputError, match="line 1 is not a row of a benchmark; delete it"):
        read(path)


def test_a_second_run_into_a_folder_is_refused_while_the_first_writes(tmp_path):
    options = dict(labels=["random"], classes=["0"], seeds=1, budget="smoke")

    def again(row, done, total):
        with pytest.raises(InputError, match="another run writes its rows here"):
            run("digits", tmp_path, **options)

    assert len(run("digits", tmp_path, **options, on_row=again)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["digits.jsonl"]


def test_wrong_names_are_refused(tmp_path):
    with pytest.raises(InputError, match="'x' is neither a suite nor a file or folder; the suites are digits"):
        run("x", tmp_path)
    with pytest.raises(InputError, match="no method 'x'"):
        run("digits", tmp_path, labels=["x"])
    with pytest.raises(InputError, match="no class x"):
        run("digits", tmp_path, classes=["x"])
    with pytest.raises(InputError, match="device='cuda:99' cannot be used here"):
        run("digits", tmp_path, device="cuda:99")


def test_the_device_reaches_the_detector_and_the_row(tmp_path, monkeypatch):
    seen, train = [], Trivial.train
    monkeypatch.setattr(Trivial, "train", lambda self, x: (seen.append(self.device), train(self, x)))
    (row,) = run("digits", tmp_path, labels=["random"], classes=["0"], seeds=1, budget="smoke", device="cpu")
    assert seen == ["cpu"] == [row["device"]]


def row_of(label, cls, seed, auroc, **more):
    row = dict(suite="study-mnist", label=label, seed=seed, budget="quick", commit="abc", gpu=None, device="cpu")
    row |= {"class": cls, "n_train_cap": 12000, "n_test_cap": None, "best_epoch_on_test": None}
    row |= dict(zip(("preset", "settings"), SUITES[more.get("suite", "study-mnist")].recipe(label).arguments("quick")))
    row |= dict(metrics=dict(auroc=auroc), roc=[0.0, 0.5, 1.0])
    return row | dict(histogram=dict(edges=[0, 1], normal=[1, 0], anomalous=[0, 1])) | more


def test_tables_print_published_beside_measured(tmp_path):
    rows = [row_of("GANomaly", c, s, 0.8 + 0.1 * s) for c in ("0", "1") for s in (0, 1)]
    for row in rows:
        row["metrics"]["f1_above"] = 0.3 if row["class"] == "0" else 0.5
    rows += [row_of("random", "0", 0, 0.5), {**row_of("VAE", "0", 0, 0.5), "error": "RuntimeError: no"}]
    (tmp_path / "study-mnist.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (table,) = collect(rows, SUITES.values())
    line = next(line for line in table.lines if line.label == "GANomaly")
    own = np.mean([line.published[c].value for c in ("0", "1")])
    head, body = cells(table)
    values = next(cells for found, cells in body if found is line and cells[1] == "quick, cpu")
    assert values[head.index("0")] == "0.850 ± 0.071" and values[head.index("trials")] == "4"
    assert float(values[head.index("difference")]) == pytest.approx(0.85 - own, abs=1e-3)
    head, body = measures(table)
    values = next(cells for found, cells in body if found is line)
    assert values[head.index("F1")] == "0.400" and values[head.index("AP, anomalies positive")] == "-"
    md, page = (path.read_text() for path in bench.write(tmp_path, tmp_path / "out"))
    assert "| *random* |" in md and "failed: VAE: RuntimeError: no" in md
    assert f"published by {line.published['0'].source}: ALAD, FenceGAN, GANomaly" in md
    assert "at most 12000 training" in md and "<svg" in page and "<script" not in page
    assert "failed: VAE: RuntimeError: no" in page


def test_a_mean_that_is_printed_alone_is_compared_with_all_classes():
    classes = PROTOCOLS["cifar-one-official"].classes
    rows = [row_of("ADGAN", c, 0, 0.5, suite="adgan-cifar10") for c in classes]
    for made, gap in ((rows, "-0.120"), (rows[1:], "")):
        (table,) = collect(made, [SUITES["adgan-cifar10"]])
        head, body = cells(table)
        values = next(values for line, values in body if line.label == "ADGAN" and values[1] != "published")
        assert values[head.index("difference")] == gap


@pytest.mark.parametrize("budget", ["paper", "quick"])
def test_only_rows_of_the_present_settings_count(budget):
    suite = SUITES["study-mnist"]
    preset, settings = suite.recipe("VAE").arguments(budget)
    row = row_of("VAE", "0", 0, 0.9, budget=budget, preset=preset, settings=json.loads(json.dumps(settings)))
    failed = {k: v for k, v in row.items() if k != "metrics"} | {"error": "RuntimeError: no"}
    shorter = row | dict(settings=settings | dict(epochs=1), metrics=dict(auroc=0.1))
    gone = row | dict(label="a method of the past")
    other = row | dict(preset="another")
    assert current(suite, [failed, shorter, gone, other, row]) == [row]
    known = row | dict(parameters=parameters(make("VAE", preset, settings)))
    assert current(suite, [known]) == [known] and known["parameters"]["latent_dim"]
    assert not current(suite, [known | dict(parameters=known["parameters"] | dict(latent_dim=3))])
    (table,) = collect([failed, shorter, gone, other, row], [suite])
    (line,) = [line for line in table.lines if line.rows or line.failed]
    assert line.measured == {"0": [0.9]} and not line.failed
    assert "left out (other settings, or run again since): 3." in caption(table)
    assert "Left out are the rows of methods not known here: a method of the past." in caption(table)
    assert ("Networks saw images of 16 x 16 pixels." in caption(table)) == (budget == "quick")
    assert not list(collect([shorter], [suite]))
    assert current(suite, [row, failed]) == [failed]  # the last row of a task


def test_a_row_counts_in_whatever_words_its_parameters_were_asked_for(tmp_path):
    spelled = Recipe("PCA", "PCAResidual", settings=dict(PCAResidual.PRESETS["kddcup99"]))
    short = Recipe("PCA", registry.name_of(PCAResidual), preset="kddcup99")
    other = Recipe("PCA", "PCAResidual", preset="kddcup99", settings=dict(n_components=7))
    suites = [Suite("twice", "digits-lo", (recipe,)) for recipe in (spelled, short, other)]
    (row,) = run(suites[0], tmp_path, classes=["0"], seeds=1, budget="smoke")
    assert row["preset"] is None and row["settings"] and "metrics" in row
    assert run(suites[1], tmp_path, classes=["0"], seeds=1, budget="smoke") == []
    assert len(run(suites[2], tmp_path, classes=["0"], seeds=1, budget="smoke")) == 1
    del row["parameters"]  # as an old row, which has nothing but the words
    assert [len(current(suite, [row])) for suite in suites] == [1, 0, 0]


def test_a_later_version_can_translate_the_parameters_of_earlier_rows(monkeypatch):
    suite = SUITES["study-mnist"]
    now = parameters(make("VAE", *suite.recipe("VAE").arguments("quick")))
    then = {k: v for k, v in now.items() if k != "latent_dim"} | dict(code=now["latent_dim"])
    row = row_of("VAE", "0", 0, 0.9, parameters=then, versions=dict(ganad="0.0.1"))
    assert current(suite, [row]) == []

    monkeypatch.setattr(VAE, "CHANGES", (Change("0.1", renamed=dict(code="latent_dim")),), raising=False)
    assert current(suite, [row]) == [row]


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_recipe_may_name_a_detector_as_the_command_line_does(detector):
    assert registry.get(detector.__name__) is registry.get(registry.name_of(detector)) is detector
    with pytest.raises(InputError, match="no method 'fence'"):
        registry.get("fence")


def test_unverified_figures_are_never_printed():
    rows = [row_of("DeepSVDD", "0", 0, 0.9, suite="adgan-mnist")]
    (table,) = collect(rows, SUITES.values())
    assert all(f.is_published for line in table.lines for f in line.published.values())


def test_the_column_called_minus_count():
    numeric = [name for name in kddcup99.FEATURES if name not in kddcup99.CATEGORICAL]  # these come first
    settings = SUITES["fencegan-kdd99"].recipe("minus count").settings
    assert numeric[settings["column"]] == "count" and settings["sign"] == -1.0


def pictures(folder, n_normal=60, n_odd=10):
    """Real digits as PNG files: zeros are normal, ones are not."""
    digits = load_digits()
    for name, digit, n in (("normal", 0, n_normal), ("anomalous", 1, n_odd)):
        (folder / name).mkdir(parents=True)
        for i, image in enumerate(digits.images[digits.target == digit][:n]):
            Image.fromarray((image * 15).astype(np.uint8)).save(folder / name / f"{i}.png")
    return folder


def ganad(*arguments):
    result = CliRunner().invoke(build_app([]), [*arguments, "--budget", "smoke"])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_folder_is_a_table_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["bench", str(pictures(tmp_path / "parts")), "--methods", "DCAE,IsolationForest,random", "--seeds", "2"]
    said = ganad(*command)
    assert "6/6" in said and "is best, AUROC" in said and said.count("so far: best ") == 6
    (rows,) = [read(path) for path in (tmp_path / "parts-bench").glob("*.jsonl")]
    assert {(r["n_train"], r["metrics"]["n_anomalies"]) for r in rows} == {(48, 10)}
    assert "Detectors on parts" in (tmp_path / "parts-bench" / "TABLES.md").read_text()
    done = CliRunner().invoke(build_app([]), ["tables", "--results", "parts-bench", "-o", "t"])
    assert done.exit_code == 2 and "its rows are of your own data" in done.output and not (tmp_path / "t").exists()
    assert "1/6" not in ganad(*command)  # nothing is run again
    (tmp_path / "parts" / "normal" / "0.png").unlink()
    assert "6/6" in ganad(*command)  # other data, other rows
    (rows,) = [read(path) for path in (tmp_path / "parts-bench").glob("*.jsonl")]
    assert {r["n_train"] for r in rows[6:]} == {47}  # in one process as well


def test_a_labelled_table_is_a_table_of_its_own(tmp_path):
    cancer = load_breast_cancer()
    columns = dict(zip(cancer.feature_names.tolist(), cancer.data.T)) | {"target": cancer.target}
    pq.write_table(pa.table(columns), tmp_path / "cancer.parquet")
    where = bench.OwnData(str(tmp_path / "cancer.parquet"), label="target", normal=("1",))
    suite = bench.own_data.suite(where, where.read())
    labels = {recipe.label for recipe in suite.recipes}
    assert {"distance to the mean", "auto"} < labels and "brightness" not in labels
    rows = run(suite, tmp_path, labels=["1-NN", "DCAE", "random"], seeds=2, budget="smoke", workers=2)
    places = ranking(suite, rows, "smoke")
    assert {p.recipe.label for p in places[:2]} == {"1-NN", "DCAE"} and places[-1].recipe.label == "random"
    gap = abs(np.mean([places[0].auroc[s] - places[1].auroc[s] for s in (0, 1)]))
    said = verdict(places)
    assert said.startswith(f"{places[0].recipe.label} is best") and f"by {gap:.3f}" in said


def test_a_method_of_ones_own_is_measured_on_its_kind_of_data_alone(tmp_path, monkeypatch):
    class Looks(AutoEncoder):
        """Is for images."""

        def build_table(self, d):
            raise InputError("Looks is for images")

    known = registry.get
    monkeypatch.setattr(registry, "targets", lambda: registry.BUILT_IN | {"looks": "here:Looks"})
    monkeypatch.setattr(registry, "get", lambda name: Looks if name == "looks" else known(name))
    (tmp_path / "parts.csv").write_text("a,b,kind\n" + "1.5,2,normal\n" * 12 + "9,9,odd\n")
    own = [bench.OwnData(str(pictures(tmp_path / "parts"))), bench.OwnData(str(tmp_path / "parts.csv"), label="kind")]
    suites = [bench.own_data.suite(where, where.read()) for where in own]
    assert [[r.label for r in suite.recipes if r.detector == "looks"] for suite in suites] == [["Looks"], []]


def test_a_changed_method_of_ones_own_is_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_added", {})
    monkeypatch.syspath_prepend(tmp_path)
    suite = Suite("own", "digits-lo", (Recipe("Mine", "Mine"), Recipe("PCA", "PCAResidual")))
    counts = []
    rows = [asked(Task(suite, "PCA", "0")) | dict(error="no")]
    for text in ("", "", "# changed"):
        (tmp_path / "ones_own.py").write_text("from ganad import Trivial\n\nclass Mine(Trivial): ...\n" + text)
        monkeypatch.delitem(sys.modules, "ones_own", raising=False)
        registry.add("ones_own")
        counts.append(len(current(suite, rows)))
        rows.append(asked(Task(suite, "Mine", "0")) | dict(error="no"))
    assert counts == [1, 2, 1] and "source" not in rows[0]


def test_the_first_rows_of_own_data_rank_something(tmp_path):
    where = bench.OwnData(str(pictures(tmp_path / "parts")))
    suite = bench.own_data.suite(where, where.read())
    kinds = [task.suite.recipe(task.label).is_baseline for task in bench.tasks(suite, seeds=1)]
    assert kinds == sorted(kinds, reverse=True) and 5 <= sum(kinds) < len(kinds)

    def row(label, seed, auroc):
        found = asked(Task(suite, label, seed=seed))
        return found | dict(metrics=dict(auroc=auroc, average_precision=0.5, n=20), fit_s=1.0, score_s=0.1)

    rows = [asked(Task(suite, "KDE")) | dict(error="RuntimeError: no")]
    assert so_far(suite, rows, "quick") == ""
    rows.append(row("LOF", 0, 0.934))
    assert so_far(suite, rows, "quick") == "so far: best LOF (.93)"
    rows += [row("random", 0, 0.5), row("GANomaly", 0, 1.0), row("LOF", 1, 0.914)]
    assert so_far(suite, rows, "quick") == "so far: best GANomaly (1.00), LOF (.92)"
    assert so_far(suite, rows, "paper") == ""


@pytest.mark.parametrize("seeds", [1, 3])
def test_what_three_decimals_do_not_tell_apart_is_as_good(tmp_path, seeds):
    where = bench.OwnData(str(pictures(tmp_path / "parts")))
    suite = bench.own_data.suite(where, where.read())
    measured = dict(metrics=dict(auroc=1.0, average_precision=1.0, n=20), fit_s=1.0, score_s=0.1)
    rows = [asked(Task(suite, label, seed=seed)) | measured for label in ("KDE", "DCAE") for seed in range(seeds)]
    said = verdict(ranking(suite, rows, "quick"))
    assert said.startswith("KDE is best, AUROC 1.000, as good as DCAE (1.000)")


def test_a_mean_over_other_seeds_is_no_lead(tmp_path):
    where = bench.OwnData(str(pictures(tmp_path / "parts")))
    suite = bench.own_data.suite(where, where.read())
    rows = []
    for label, aurocs in dict(DCAE=(0.95, 0.94), KDE=(0.97, 0.95, 0.70)).items():
        for seed, auroc in enumerate(aurocs):
            measured = dict(metrics=dict(auroc=auroc, average_precision=0.5, n=20), fit_s=1.0, score_s=0.1)
            rows.append(asked(Task(suite, label, seed=seed)) | measured)
    assert verdict(ranking(suite, rows, "quick")) == (
        "DCAE is best, AUROC 0.945, but on the 2 seeds that both have, KDE leads by 0.015 ± 0.007; measure both on the "
        "same seeds."
    )


def test_a_choice_without_labels_is_told_with_what_it_costs(tmp_path):
    where = bench.OwnData(str(pictures(tmp_path / "parts")))
    suite = bench.own_data.suite(where, where.read())

    def row(label, auroc, told, findings=()):
        measured = dict(metrics=dict(auroc=auroc, average_precision=0.5, n=20), fit_s=1.0, score_s=0.1)
        return asked(Task(suite, label, seed=0)) | measured | dict(self_test=dict(auroc=told, findings=list(findings)))

    rows = [
        row("LOF", 0.95, dict(noise=0.9, halves=0.7)),
        row("KDE", 0.90, dict(noise=0.9, halves=0.9)),
        row("GANomaly", 0.40, dict(noise=1.0, halves=1.0), ["upside down"]),
        row("auto", 0.94, dict(noise=1.0, halves=1.0)),
    ]
    assert without_labels(ranking(suite, rows, "quick")) == (
        "without labels, the self-test would have taken KDE, AUROC 0.900, 0.050 below the best; auto has AUROC 0.940, "
        "0.010 below the best."
    )
    older = [{name: value for name, value in r.items() if name != "self_test"} for r in rows[:2]]
    assert without_labels(ranking(suite, older, "quick")) == ""
    assert verdict(ranking(suite, rows, "quick")).startswith("LOF is best, AUROC 0.950, ahead of GANomaly (0.400)")


def refused(*arguments):
    """The one line with which ``ganad bench`` refuses."""
    result = CliRunner().invoke(build_app([]), ["bench", *map(str, arguments)])
    assert result.exit_code == 2 and result.output.startswith("ganad: ") and result.output.count("\n") == 1
    return result.output


@pytest.mark.parametrize(
    ("names", "n", "said"),
    [
        (("good", "bad"), 12, "name the normal classes with --normal or --anomaly; it has bad, good"),
        (("normal",), 12, "12 normal and 0 anomalous samples; at least 10 and 1 are needed"),
        (("normal", "anomalous"), 9, "9 normal and 9 anomalous samples"),
        ((".",), 12, "nothing says what is normal; sort images into subfolders"),
        (("normal", "anomalous", "."), 12, "12 images are not in a class folder"),
    ],
)
def test_a_folder_that_does_not_say_what_is_normal_is_refused(tmp_path, names, n, said):
    image = Image.fromarray(np.zeros((8, 8), np.uint8))
    for name in names:
        (tmp_path / "parts" / name).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            image.save(tmp_path / "parts" / name / f"{i}.png")
    assert said in refused(tmp_path / "parts")


def test_a_table_that_does_not_say_what_is_normal_is_refused(tmp_path):
    (tmp_path / "parts.csv").write_text("length,kind\n" + "1.5,good\n" * 12)
    assert "give a table --label COLUMN" in refused(tmp_path / "parts.csv")
    assert "no column 'sort'" in refused(tmp_path / "parts.csv", "--label", "sort")
    assert "12 normal and 0 anomalous" in refused(tmp_path / "parts.csv", "--label", "kind", "--normal", "good")
    assert "digits is a table with classes of its own" in refused("digits", "--normal", "3")
    assert "'nope.csv' is neither a suite nor a file or folder" in refused("nope.csv", "--label", "kind")


@pytest.mark.slow
def test_a_killed_benchmark_goes_on_to_the_rows_of_an_unbroken_one(tmp_path):
    command = [sys.executable, "-m", "ganad.cli", "bench", "digits", "--budget", "smoke", "--classes", "0,1"]
    command += ["--methods", "DCAE,KDE,LOF,random", "--seeds", "2", "--workers", "2", "--results"]
    subprocess.run([*command, tmp_path / "whole"], check=True, stdout=subprocess.DEVNULL)
    path = tmp_path / "killed" / "digits.jsonl"
    running = subprocess.Popen([*command, path.parent], stdout=subprocess.DEVNULL)
    while not (path.exists() and path.stat().st_size) and running.poll() is None:
        time.sleep(0.01)
    running.kill()
    running.wait()
    whole = read(tmp_path / "whole" / "digits.jsonl")
    assert len(whole) == 16 and not any("error" in row for row in whole)
    mend(path)
    assert 0 < len(read(path)) < 16
    subprocess.run([*command, path.parent], check=True, stdout=subprocess.DEVNULL)
    order = [sorted(map(timeless, rows), key=key) for rows in (read(path), whole)]
    assert order[0] == order[1]


def test_workers_end_with_a_killed_grid(tmp_path):
    command = [sys.executable, "-m", "ganad.cli", "bench", "digits", "--methods", "VAE", "--workers", "2"]
    grid_process = subprocess.Popen([*command, "--results", str(tmp_path)], stdout=subprocess.DEVNULL)
    workers = []
    for _ in range(600):
        workers = [p for p in psutil.Process(grid_process.pid).children() if "spawn_main" in " ".join(p.cmdline())]
        if len(workers) == 2:
            break
        time.sleep(0.1)
    grid_process.kill()
    grid_process.wait()
    gone, alive = psutil.wait_procs(workers, timeout=60)
    assert len(gone) == 2 and not alive
