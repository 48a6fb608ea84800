"""Killed, interrupted and raced: what is there is whole, what runs next cleans up, and two writers make no mixture.

The commands run in children of one warm process, so that a moment of their time is a moment of their work and not of
imports. A quick run kills six times; ``-m slow`` kills fifty times.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import ganad
from ganad.bench import rows as results
from ganad.training.stop import stop_requests

from .warm import Warm, hidden

pytestmark = pytest.mark.skipif(os.name != "posix", reason="forks, and kills with SIGKILL")


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    modules = "onnx onnxscript torch.onnx ganad.bench ganad.bench.own_data ganad.bench.ranking ganad.reporting".split()
    server = Warm(tmp_path_factory.mktemp("said") / "words", *modules)
    yield server
    server.end()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a table, a labelled table and a model."""
    rng = np.random.default_rng(0)
    lines = [f"{a:.4f},{a + b / 5:.4f},{b:.4f}" for a, b in rng.normal(size=(400, 2))]
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,c", *lines]) + "\n")
    labelled = [f"{line},{'odd' if i % 10 == 0 else 'fine'}" for i, line in enumerate(lines)]
    (tmp_path / "labelled.csv").write_text("\n".join(["a,b,c,kind", *labelled]) + "\n")
    return tmp_path


FIT = "fit rows.csv -o m.safetensors --method autoencoder --epochs 20 --random-state 0".split()
COMMANDS = {
    "fit": FIT,
    "score": "score old.safetensors rows.csv -o s.csv --report r.html".split(),
    "export": "export old.safetensors -o m.onnx".split(),
    "bench": "bench labelled.csv --label kind --anomaly odd --methods kde,lof --seeds 1 --results b".split(),
}


def check_whole(folder):
    """Every file that is there is complete, whatever was killed."""
    for path in folder.rglob("*"):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.suffix == ".safetensors" and path.parent == folder:
            ganad.load(path)
        if path.name == "s.csv":
            assert len(path.read_text().splitlines()) == 401
        if path.name == "r.html":
            assert path.read_text("utf-8").rstrip().endswith("</html>")
        if path.name == "m.onnx":
            import onnx

            onnx.checker.check_model(onnx.load(path))
        if path.suffix == ".jsonl" and path.parent.name == "b":
            results.mend(path)
            results.read(path)


def killed_and_run_again(warm, folder, name, moments):
    """How many of the kills hit; the command then runs to its end and leaves no litter."""
    if not (folder / "old.safetensors").exists():
        warm.done(folder, *"fit rows.csv -o old.safetensors --method autoencoder --epochs 2 --random-state 0".split())
    began = time.monotonic()
    warm.done(folder, *COMMANDS[name])
    length, hits = time.monotonic() - began, 0
    before = (folder / "m.safetensors").read_bytes() if name == "fit" else b""
    for moment in moments:
        for made in ("m.safetensors", "s.csv", "r.html", "m.onnx", "b"):
            target = folder / made
            if target.is_dir():
                for file in target.iterdir():
                    file.unlink()
            else:
                target.unlink(missing_ok=True)
        command = warm.start(folder, *COMMANDS[name])
        time.sleep(moment * length)
        command.send(signal.SIGKILL)
        hits += command.code() == -signal.SIGKILL
        check_whole(folder)
        began = any((folder / "m.safetensors.ckpt").glob("[cr]*.safetensors"))
        warm.done(folder, *COMMANDS[name], *(["--resume"] if began and not (folder / "m.safetensors").exists() else []))
        check_whole(folder)
        assert hidden(folder) == []
    if name == "fit":
        assert weights(folder / "m.safetensors") == weights_of(before, folder)
    return hits


def weights(path):
    state = ganad.load(path).nets_.state_dict()
    return {k: v.tolist() for k, v in state.items()}


def weights_of(data, folder):
    path = folder / "unbroken"
    path.write_bytes(data)
    found = weights(path)
    path.unlink()
    return found


@pytest.mark.parametrize(("name", "kills"), [("fit", 2), ("score", 2), ("bench", 2)])
def test_a_command_that_was_killed_leaves_whole_files_and_the_next_one_no_litter(warm, place, name, kills):
    source = random.Random(name)
    killed_and_run_again(warm, place, name, [source.random() for _ in range(kills)])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kills"), [("fit", 15), ("score", 15), ("export", 10), ("bench", 10)])
def test_fifty_kills(warm, place, name, kills):
    source = random.Random(f"slow {name}")
    hits = killed_and_run_again(warm, place, name, [source.random() for _ in range(kills)])
    assert hits >= kills // 4  # the others came when it had ended: moments are shares of a first run, which is slower


# -- signals ---------------------------------------------------------------------------------------------------


LONG = "fit rows.csv -o m.safetensors --method autoencoder --epochs 100000 --random-state 0".split()


def begun(command, folder):
    deadline = time.monotonic() + 60
    while not (folder / "m.safetensors.ckpt" / "current.safetensors").exists():
        assert time.monotonic() < deadline, command.words()
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_fit_says_where_its_checkpoint_is_and_leaves_nothing_else(warm, place, number):
    command = warm.start(place, *LONG)
    begun(command, place)
    command.send(number)
    assert command.code() == 130
    assert "stopped; checkpoint kept in m.safetensors.ckpt" in command.words()
    assert "Traceback" not in command.words()
    assert not (place / "m.safetensors").exists()
    assert hidden(place) == []


def test_a_second_ctrl_c_ends_it_at_once_and_the_checkpoint_is_whole(warm, place):
    command = warm.start(place, *LONG)
    begun(command, place)
    command.send(signal.SIGINT)
    command.send(signal.SIGINT)
    assert command.code() == 130
    assert "Traceback" not in command.words()
    finished = LONG[:]
    finished[finished.index("100000")] = "2"
    warm.done(place, *finished)
    assert hidden(place) == []


@pytest.mark.parametrize("name", ["score", "bench"])
def test_sigterm_in_the_middle_of_a_command_leaves_no_litter(warm, place, name):
    warm.done(place, *"fit rows.csv -o old.safetensors --method autoencoder --epochs 2 --random-state 0".split())
    command = warm.start(place, *COMMANDS[name])
    time.sleep(0.05)
    command.send(signal.SIGTERM)
    assert command.code() in (0, 130, 143)
    assert "Traceback" not in command.words()
    check_whole(place)
    assert hidden(place) == []


def test_a_second_request_to_stop_meets_the_handler_that_was_there_before():
    with stop_requests(True) as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# -- races and clocks ------------------------------------------------------------------------------------------


def test_of_two_fits_of_one_model_the_second_is_told(warm, place):
    first = warm.start(place, *LONG)
    begun(first, place)
    second = subprocess.run([sys.executable, "-m", "ganad.cli", *LONG], cwd=place, capture_output=True, text=True)
    assert second.returncode == 2
    assert "another process uses this checkpoint" in second.stderr
    first.send(signal.SIGTERM)
    assert first.code() == 130
    assert "stopped; checkpoint kept" in first.words()


def test_rows_of_two_runs_in_one_file_are_all_there(tmp_path, monkeypatch):
    """A second run mends the file of rows while a first one writes it."""
    path = tmp_path / "suite.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2, "half')
    results.mend(path)
    with path.open("a") as file:
        file.write('{"n": 3}\n')
    assert [row["n"] for row in results.read(path)] == [1, 3]


def test_a_clock_that_jumps_changes_no_fit(tmp_path, monkeypatch):
    from ganad import AutoEncoder

    from .samples import normal, small

    x = normal("table")
    honest = small(AutoEncoder, epochs=3).fit(x).anomaly_score(x)
    clock = iter(range(10**9, 0, -(10**6)))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))  # back by eleven days at every look
    monkeypatch.setattr(time, "time_ns", lambda: next(clock) * 10**9)
    jumped = small(AutoEncoder, epochs=3).fit(x, checkpoint=tmp_path / "c", checkpoint_every=0).anomaly_score(x)
    assert (jumped == honest).all()


def test_an_input_that_vanishes_is_named(warm, place):
    from PIL import Image

    folder = place / "photos"
    folder.mkdir()
    for i in range(12):
        Image.fromarray(np.full((16, 16), 20 * i, np.uint8)).save(folder / f"{i}.png")
    from ganad.data import load, load_photos

    photos = load_photos(folder).x
    (folder / "3.png").unlink()
    with pytest.raises(ganad.InputError, match=r"3\.png: no longer readable"):
        list(photos)
    samples = load(folder, cache=place / "cache")
    assert len(samples.x) == 11
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(ganad.InputError, match="no images in this folder"):
        load(folder, cache=place / "cache")
    command = warm.start(place, "score", "gone.safetensors", "rows.csv", "-o", "s.csv")
    assert command.code() == 2
    assert "gone.safetensors: no such file" in command.words()
    assert Path(place / "rows.csv").exists() and hidden(place) == []
