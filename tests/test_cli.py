"""The command line as a person uses it: processes of their own, real files, exit codes."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from PIL import Image
from scipy.stats import false_discovery_control
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import roc_auc_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import ganad
from ganad.cli.main import place_of_command
from ganad.data import iter_table
from ganad.registry import name_of
from ganad.score_file import ScoreFile

from . import warm

FAST = ["--method", "autoencoder", "--epochs", "2", "--latent-dim", "8", "--random-state", "0"]


def run(*arguments: object, code: int = 0, cwd: Path | None = None) -> tuple[str, str]:
    """Run ``ganad``; returns stdout and stderr after checking the exit code."""
    done = warm.run(*arguments, cwd=cwd)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def digits_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("m") / "digits.safetensors"
    run("fit", "digits", "--anomaly", "9", *FAST, "-o", path)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_help_is_instant_because_torch_is_not_imported():
    for arguments in (["--help"], ["fit", "--help"], ["score", "--help"]):
        code = f"import sys; sys.argv = ['ganad', *{arguments!r}]\nfrom ganad.cli import main\n"
        code += "try: main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules, 'torch was imported'"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "Usage" in done.stdout


def test_a_name_with_a_comma_stands_in_quotes(tmp_path):
    arguments = ["--classes", "0", "--seeds", 1, "--budget", "smoke", "--results", tmp_path]
    out, _ = run("bench", "digits", "--methods", 'random,"1-NN, PCA"', *arguments)
    assert [line.split(" ", 1)[1].partition(" 0 seed")[0] for line in out.splitlines()] == ["random", "1-NN, PCA"]


def test_a_fit_to_a_part_of_the_data_is_said(tmp_path):
    _, err = run("fit", "digits", "--method", "gmm", "--components", "2", "--max-samples", 100, "-o", tmp_path / "m")
    assert "GMM: fitted on 100 of 1797 training samples" in err


def test_fit_and_score_a_data_set_by_name(digits_model, tmp_path):
    out, _ = run("score", digits_model, "digits", "--anomaly", "9", "-o", tmp_path / "s.csv")
    assert "1,797 samples" in out
    assert "AUROC" in out
    table = rows(tmp_path / "s.csv")
    assert len(table) == 1797
    assert set(table[0]) == {"name", "score", "verdict", "label"}
    model = ganad.load(digits_model, device="cpu")
    x = np.rint(load_digits().images * 255 / 16).astype(np.uint8)
    assert np.allclose([float(r["score"]) for r in table], model.anomaly_score(x), rtol=1e-6)
    assert [r["verdict"] == "anomaly" for r in table] == (model.anomaly_score(x) > model.threshold_).tolist()
    assert not list(digits_model.parent.glob("*.ckpt"))


def test_a_false_alarm_rate_is_kept_and_p_values_are_written(tmp_path):
    model = tmp_path / "m.safetensors"
    out, _ = run("fit", "digits", *FAST, "--false-alarm-rate", "0.05", "-o", model)
    assert "at most 5 % false alarms, calibrated on 359 held-out samples" in out
    run("score", model, "digits", "-o", tmp_path / "s.csv")
    table = rows(tmp_path / "s.csv")
    assert set(table[0]) == {"name", "score", "p_value", "verdict"}
    assert all((float(r["p_value"]) <= 0.05) == (r["verdict"] == "anomaly") for r in table)
    _, err = run("fit", "digits", *FAST, "--false-alarm-rate", "0.0001", "-o", model, code=2)
    assert "give at least 9999 samples to calibrate on" in err


def write_images(folder: Path, count: int, start: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(load_digits().images[start : start + count]):
        Image.fromarray((image * 255 / 16).astype(np.uint8)).save(folder / f"{i}.png")


def test_a_folder_of_images_with_broken_ones_among_them(tmp_path):
    write_images(tmp_path / "train", 60)
    write_images(tmp_path / "new", 20, start=100)
    (tmp_path / "new" / "empty.png").write_bytes(b"")
    (tmp_path / "new" / "note.png").write_text("not an image")
    out, _ = run("fit", tmp_path / "train", *FAST, "-o", tmp_path / "m.safetensors")
    assert "60 normal samples" in out
    arguments = ["score", tmp_path / "m.safetensors", tmp_path / "new", "-o", tmp_path / "s.csv"]
    _, err = run(*arguments, code=3)
    assert "2 inputs could not be read" in err
    assert "empty.png: empty file" in err
    assert len(rows(tmp_path / "s.csv")) == 20
    run(*arguments, "--skip-bad", code=0)


def test_a_table_scored_in_another_column_order_and_as_parquet(tmp_path):
    data = load_breast_cancer(as_frame=False)
    names = [n.replace(" ", "_") for n in data.feature_names]
    table = pyarrow.table(dict(zip(names, data.data.T)) | {"kind": data.target.astype(str)})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    model = tmp_path / "m.safetensors"
    run("fit", tmp_path / "t.parquet", "--label", "kind", "--normal", "1", *FAST, "-o", model)
    turned = table.select(["kind", *names[::-1]])
    pyarrow.csv.write_csv(turned, tmp_path / "t.csv")
    for source, output in (("t.parquet", "a.parquet"), ("t.csv", "b.parquet")):
        out, _ = run("score", model, tmp_path / source, "--label", "kind", "--normal", "1", "-o", tmp_path / output)
        assert "AUROC" in out
    a, b = (pyarrow.parquet.read_table(tmp_path / n) for n in ("a.parquet", "b.parquet"))
    assert a.column_names == ["name", "score", "verdict", "label"]
    assert np.allclose(a["score"], b["score"], rtol=1e-6)
    pyarrow.csv.write_csv(table.drop_columns([names[3]]), tmp_path / "short.csv")
    _, err = run("score", model, tmp_path / "short.csv", "-o", tmp_path / "c.csv", code=2)
    assert err.strip().endswith(f"column '{names[3]}' is missing, which the model was trained on")
    assert not (tmp_path / "c.csv").exists()
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_selection_is_made_from_the_p_values_of_all_parts(tmp_path):
    x = load_breast_cancer()
    names = [f"f{i}" for i in range(30)]
    table = pyarrow.table(dict(zip(names, x.data.T)) | {"kind": x.target.astype(str)})
    pyarrow.csv.write_csv(table, tmp_path / "t.csv")
    model, plain, output = tmp_path / "m", tmp_path / "plain", tmp_path / "s.csv"
    fit = ["fit", tmp_path / "t.csv", "--label", "kind", "--normal", "1", "--method", "pcaresidual", "-o"]
    run(*fit, model, "--false-alarm-rate", 0.1)
    run(*fit, plain)
    _, err = run("score", plain, tmp_path / "t.csv", "-o", output, "--fdr", 0.1, code=2)
    assert err.strip().endswith("--fdr needs a calibrated model; fit it with --false-alarm-rate")
    _, err = run("score", model, tmp_path / "t.csv", "-o", output, "--fdr", 1, code=2)
    assert "fdr=1 must lie between 0 and 1" in err and not output.exists()
    out, err = run("score", model, tmp_path / "t.csv", "-o", output, "--fdr", 0.3)
    p = np.array([float(row["p_value"]) for row in rows(output)])
    selected = np.array([row["selected"] == "true" for row in rows(output)])
    expected = false_discovery_control(p) <= 0.3
    assert np.array_equal(selected, expected) and 0 < selected.sum() < len(p)
    assert f"{selected.sum()} selected; on average at most 30 % of them are normal" in out
    assert len(err.strip().splitlines()) == 1 and "71 held-out normal samples are few to select from 569 samples" in err
    # the file in two parts: a selection in each would be another
    detector, parts = (
        ganad.load(model, device="cpu"),
        iter_table(tmp_path / "t.csv", ganad.load(model).source_, rows=400),
    )
    with ScoreFile(tmp_path / "parts.parquet", detector, 0.3) as file:
        for part in parts:
            file.add(part, detector.anomaly_score(part.x))
    assert pyarrow.parquet.read_table(tmp_path / "parts.parquet")["selected"].to_pylist() == selected.tolist()
    apart = np.concatenate([false_discovery_control(part) <= 0.3 for part in (p[:400], p[400:])])
    assert not np.array_equal(apart, selected)


def test_named_classes_must_occur_and_those_in_neither_list_have_no_label(digits_model, tmp_path):
    score = ["score", digits_model, "digits", "-o", tmp_path / "s.csv"]
    for option in ("--normal", "--anomaly"):
        _, err = run(*score, option, "okk", code=2)
        assert "no class 'okk' in the data; it has 0, 1, 2" in err and not (tmp_path / "s.csv").exists()
    out, _ = run(*score, "--normal", "0,1", "--anomaly", "9", "--report", tmp_path / "r.html")
    assert "in neither --normal nor --anomaly, so without label: 2, 3, 4, 5, 6, 7, 8" in out
    digits, found = load_digits().target, rows(tmp_path / "s.csv")
    assert [row["label"] for row in found] == [{0: "0", 1: "0", 9: "1"}.get(d, "") for d in digits]
    known = np.isin(digits, (0, 1, 9))
    auroc = roc_auc_score(digits[known] == 9, np.array([float(row["score"]) for row in found])[known])
    assert f"AUROC {auroc:.4f}" in out
    write_images(tmp_path / "flat", 12)
    run("fit", tmp_path / "flat", *FAST, "-o", tmp_path / "m")
    _, err = run("score", tmp_path / "m", tmp_path / "flat", "-o", tmp_path / "f.csv", "--normal", "ok", code=2)
    assert "--normal and --anomaly need classes" in err


def test_names_that_a_spreadsheet_would_run_are_defused_in_csv_alone(tmp_path):
    write_images(tmp_path / "new", 20)
    names = ['=HYPERLINK("a").png', "+1.png", "-1.png", "@x.png", "\tx.png"]
    for i, name in enumerate(names):
        (tmp_path / "new" / f"{i}.png").rename(tmp_path / "new" / name)
    run("fit", tmp_path / "new", *FAST, "-o", tmp_path / "m")
    for ending in ("csv", "parquet"):
        run("score", tmp_path / "m", tmp_path / "new", "-o", tmp_path / f"s.{ending}")
    told = [row["name"] for row in rows(tmp_path / "s.csv")]
    true = pyarrow.parquet.read_table(tmp_path / "s.parquet")["name"].to_pylist()
    assert set(names) < set(true)
    assert told == ["'" + name if name in names else name for name in true]


def test_dates_that_can_be_read_both_ways_are_read_as_the_option_says(tmp_path):
    days = "\n".join(f"{i % 12 + 1:02}/{i % 9 + 1:02}/2024,{i}" for i in range(40))
    (tmp_path / "t.csv").write_text(f"day,n\n{days}\n")
    fit = ["fit", tmp_path / "t.csv", "--method", "gaussian", "--dates", "elapsed", "-o", tmp_path / "m"]
    _, err = run(*fit, code=2)
    assert "--day-first or --month-first" in err
    for option, is_day_first in (("--day-first", True), ("--month-first", False)):
        run(*fit, option)
        assert ganad.load(tmp_path / "m").source_["text"]["day_first"] is is_day_first


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("", 0),
        ("fit data", 0),
        ("--plugin fit history", 2),
        ("--plugin=fit --plugin mine fit", 3),
        ("history fit --check", 0),
        ("--version", 1),
    ],
)
def test_the_command_is_the_first_word_that_is_no_option(words, place):
    assert place_of_command(words.split()) == place


def test_a_file_called_fit_does_not_change_the_command(tmp_path):
    _, err = run("history", "fit", "--check", code=2, cwd=tmp_path)
    assert "no such history" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "n.csv", "--plugin", "json", "-o", "m"], "before the command, as in ganad --plugin MODULE fit"),
        (["fit", "nowhere", "-o", "m.safetensors"], "no such file or folder"),
        (["fit", "digits", "--method", "gannomaly", "-o", "m.safetensors"], "did you mean ganomaly"),
        (["fit", "digits", "--method", "ganomaly", "--epoch", "3", "-o", "m.safetensors"], "did you mean --epochs"),
        (["fit", "digits", "--method", "ganomaly", "--epochs", "few", "-o", "m.safetensors"], "must be a whole number"),
        (["fit", "digits", "--contamination", "2", "-o", "m.safetensors"], "must lie between 0 and 0.5"),
        (["fit", "digits", "--preset", "imagenet", "-o", "m.safetensors"], "has no preset 'imagenet'"),
        (["fit", "digits", "--anomaly", "10", "-o", "m.safetensors"], "no class '10' in the data"),
        (["fit", "digits", "-o", "missing/m.safetensors"], "no such folder for the model"),
        (["fit", "digits", "--false-alarm-rate", "3", "-o", "m.safetensors"], "--false-alarm-rate 3 must lie between"),
        (["fit", "digits", "-o", "."], ". is a folder; name a file in it for the model"),
        (["fit", "t.csv", "-o", "t.csv"], "would overwrite another file"),
        (["score", "m.safetensors", "t.csv", "-o", "t.csv"], "would overwrite another file"),
        (["score", "m.safetensors", "t.csv", "-o", "s.csv", "--report", "missing/r.html"], "folder for the report"),
        (["export", "m.safetensors", "-o", "m.safetensors"], "would overwrite another file"),
        (["tables", "--results", "missing", "-o", "."], "no rows in this folder"),
        (["score", "missing.safetensors", "digits", "-o", "s.csv"], "no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(tmp_path, arguments, words):
    _, err = run(*arguments, code=2, cwd=tmp_path)
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert not [p for p in tmp_path.iterdir() if p.name != "cache"]


@pytest.mark.parametrize("data", ["t.csv", "images"])
def test_a_split_is_of_a_data_set_by_name(digits_model, tmp_path, data):
    write_images(tmp_path / "images", 3)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    _, err = run("score", digits_model, tmp_path / data, "--split", "train", "-o", tmp_path / "s.csv", code=2)
    assert "--split is for data sets by name" in err


def test_a_set_without_a_split_has_no_training_samples(digits_model, tmp_path):
    _, err = run("score", digits_model, "digits", "--split", "train", "-o", tmp_path / "s.csv", code=2)
    assert "digits: the set is not split into train and test" in err


def test_scores_need_a_known_ending(digits_model, tmp_path):
    _, err = run("score", digits_model, "digits", "-o", tmp_path / "s.txt", code=2)
    assert "written as .csv or .parquet" in err


def test_interrupted_fit_keeps_a_checkpoint_and_resume_ends_in_the_same_model(tmp_path):
    settings = ["--method", "autoencoder", "--epochs", "10", "--batch-size", "50", "--random-state", "0"]
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    command = [sys.executable, "-m", "ganad.cli", "fit", "digits", *settings, "-o", str(broken)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "broken.safetensors.ckpt" / "current.safetensors").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "checkpoint kept in" in err
    assert not broken.exists()
    shutil.copytree(tmp_path / "broken.safetensors.ckpt", tmp_path / "other.ckpt")
    _, err = run("fit", "digits", *settings, "--resume", "-o", broken)
    assert "checkpoint" not in err
    _, err = run("fit", "digits", *settings, "--resume", "-o", whole)
    assert "whole.safetensors.ckpt: no checkpoint to resume from; the fit starts from the beginning" in err
    one, two = (ganad.load(p, device="cpu").nets_.state_dict() for p in (whole, broken))
    assert all((one[k] == two[k]).all() for k in one)
    metrics = [timeless_lines(p.with_name(p.name + ".metrics.jsonl")) for p in (whole, broken)]
    assert len(metrics[0]) == 10 and metrics[0] == metrics[1]
    _, err = run("fit", "digits", *FAST, "-o", tmp_path / "other")
    assert "there was a checkpoint of an interrupted fit in" in err and "other.ckpt; it is replaced" in err
    for path in tmp_path.glob("other*"):
        path.unlink()
    left = sorted(p.name for p in tmp_path.iterdir() if p.name != "cache")
    files = ["broken.safetensors", "whole.safetensors"]
    assert left == sorted([*files, *(f + ".metrics.jsonl" for f in files)])


def timeless_lines(path: Path) -> list[dict]:
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in path.read_text().splitlines()]


def test_log_dir_holds_events_in_a_folder_of_the_models_name(tmp_path):
    run("fit", "digits", *FAST, "-o", tmp_path / "part.safetensors", "--log-dir", tmp_path / "runs")
    events = EventAccumulator(str(tmp_path / "runs" / "part")).Reload()
    rows = timeless_lines(tmp_path / "part.safetensors.metrics.jsonl")
    assert [e.step for e in events.Scalars("training/autoencoder/reconstruction")] == [1, 2]
    assert [e.value for e in events.Scalars("training/autoencoder/reconstruction")] == pytest.approx(
        [row["autoencoder/reconstruction"] for row in rows], rel=1e-6
    )
    assert len(events.Images("input and reconstruction")) == 2


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ganad s", {"score", "serve"}),
        ("ganad fit --method ", set(map(name_of, ganad.DETECTORS))),
        ("ganad methods fence", {"fence-gan"}),
        ("ganad bench fencegan-k", {"fencegan-kdd99"}),
    ],
)
def test_the_shell_completes_without_importing_torch(words, offered):
    code = "import sys; sys.argv = ['ganad']\nfrom ganad.cli import main\n"
    code += "try: main()\nexcept SystemExit: pass\nassert 'torch' not in sys.modules, 'torch was imported'"
    environment = {"_GANAD_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == offered


@pytest.mark.parametrize(
    "environment",
    [
        {"_GANAD_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "ganad fit --method ocg"},
        {
            "_GANAD_COMPLETE": "complete_fish",
            "_TYPER_COMPLETE_ARGS": "ganad fit --method ocg",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
    ],
    ids=["zsh", "fish"],
)
def test_other_shells_complete_too(environment):
    code = "import sys; sys.argv = ['ganad']\nfrom ganad.cli import main\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment)
    assert "ocgan" in done.stdout and "fence-gan" not in done.stdout, done.stderr


def test_listings():
    out, _ = run("methods")
    assert "fence-gan" in out and out.startswith("auto ") and "ensemble:A,B" in out and "snapshots:A" in out
    out, _ = run("methods", "fence-gan")
    assert "--latent-dim" in out
    assert "size of z [a whole number, default 200]" in out
    assert "preset mnist" in out
    assert "mnist" in run("datasets")[0]
    out, _ = run("doctor")
    assert "torch" in out
    assert "precision" in out
    assert run("--version")[0].strip() == ganad.__version__


def test_a_reader_that_has_seen_enough_is_no_error():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-m", "ganad.cli", "methods"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert done.stderr == b""
