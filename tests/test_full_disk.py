"""Full disks, and two processes that write one file: what is written is whole or not there, and a fit goes on."""

import json
import logging
import os
import subprocess
import sys
import time

import pytest

import ganad
from ganad import AutoEncoder, InputError, atomic
from ganad.logs import MetricsFile
from ganad.training import Checkpoint

from .samples import normal, small

ROOM = 512 * 1024


@pytest.fixture
def disk(tmp_path):
    """A small file system, and a function that fills what is left of it."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root on Linux may mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place) -> None:
    try:
        with open(place / "ballast", "ab", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    except OSError:
        pass


def leftovers(place) -> list[str]:
    return [p.name for p in place.rglob(".*")]


def test_a_full_disk_is_told_with_the_files_name_and_leaves_no_debris(disk):
    fill(disk)
    with (
        pytest.raises(OSError, match=r"No space left on device.*model.safetensors"),
        atomic.replacing(disk / "model.safetensors") as temporary,
    ):
        temporary.write_bytes(b"x" * 2 * ROOM)
    assert leftovers(disk) == []
    with pytest.raises(OSError, match=r"page.html"):
        atomic.write_text(disk / "page.html", "x" * 2 * ROOM)
    assert leftovers(disk) == []


def test_a_model_that_cannot_be_written_leaves_the_old_one(disk):
    model = small(AutoEncoder).fit(normal("table"))
    model.save(disk / "model.safetensors")
    before = (disk / "model.safetensors").read_bytes()
    fill(disk)
    with pytest.raises(OSError, match="model.safetensors"):
        model.save(disk / "model.safetensors")
    assert (disk / "model.safetensors").read_bytes() == before
    assert leftovers(disk) == []


def test_a_fit_goes_on_without_its_checkpoint_and_writes_it_when_there_is_room(disk, caplog):
    x, place = normal("table"), disk / "checkpoint"
    room_at = 3

    def on_epoch(model):
        if len(model.history_) == 1:
            fill(disk)
        if len(model.history_) == room_at:
            (disk / "ballast").unlink()

    with caplog.at_level(logging.WARNING, "ganad"):
        model = small(AutoEncoder, epochs=5).fit(x, checkpoint=place, checkpoint_every=0, on_epoch=on_epoch)
    assert (model.anomaly_score(x) == small(AutoEncoder, epochs=5).fit(x).anomaly_score(x)).all()
    assert sum("checkpoint cannot be written" in r.message for r in caplog.records) == 1
    assert "No space left" in caplog.text
    assert (place / "run-0.safetensors").exists()
    again = small(AutoEncoder, epochs=5).fit(x, checkpoint=place, resume=True)
    assert (again.anomaly_score(x) == model.anomaly_score(x)).all()


def test_metrics_that_cannot_be_written_do_not_end_a_fit_and_are_all_there_in_the_end(disk, caplog):
    log = MetricsFile(disk / "metrics.jsonl")

    class Fitted:
        history_ = [{"epoch": 1, "loss": 0.5}]

    fill(disk)
    log(Fitted)
    assert "metrics.jsonl cannot be written" in caplog.text
    (disk / "ballast").unlink()
    Fitted.history_.append({"epoch": 2, "loss": 0.25})
    log(Fitted)
    assert [json.loads(line) for line in (disk / "metrics.jsonl").open()] == Fitted.history_


def test_the_command_keeps_a_model_for_which_there_is_no_room(disk, tmp_path, monkeypatch, capsys):
    from ganad.cli.fitting import saved

    monkeypatch.chdir(tmp_path)
    model = small(AutoEncoder).fit(normal("table"))
    fill(disk)
    place = saved(model, disk / "model.safetensors")
    assert place.parent == tmp_path
    assert (ganad.load(place).anomaly_score(normal("table")) == model.anomaly_score(normal("table"))).all()
    assert "No space left" in capsys.readouterr().err

    monkeypatch.chdir(disk)
    monkeypatch.setenv("HOME", str(disk))
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    with pytest.raises(InputError, match="--resume"):
        saved(model, disk / "model.safetensors")


# -- two processes ---------------------------------------------------------------------------------------


def test_one_file_has_one_writer(tmp_path):
    with atomic.replacing(tmp_path / "a.csv") as first:
        first.write_text("first")
        with pytest.raises(InputError, match="another process is writing"), atomic.replacing(tmp_path / "a.csv"):
            pass
        with atomic.replacing(tmp_path / "b.csv") as other:
            other.write_text("b")
    assert (tmp_path / "a.csv").read_text() == "first"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "b.csv"]
    with atomic.replacing(tmp_path / "a.csv") as second:
        second.write_text("second")
    assert (tmp_path / "a.csv").read_text() == "second"


def test_one_checkpoint_has_one_fit(tmp_path):
    with Checkpoint(tmp_path / "c", "mark"), pytest.raises(InputError, match="another process uses this checkpoint"):
        small(AutoEncoder).fit(normal("table"), checkpoint=tmp_path / "c")
    small(AutoEncoder).fit(normal("table"), checkpoint=tmp_path / "c")
    Checkpoint.remove_folder(tmp_path / "c")
    assert not (tmp_path / "c").exists()


WRITER = """
import sys, time
from ganad.atomic import replacing
with replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills with SIGKILL")
def test_what_a_killed_process_left_is_in_nobodys_way(tmp_path):
    path = tmp_path / "scores.csv"
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    with pytest.raises(InputError, match="another process"), atomic.replacing(path):
        pass
    process.kill()
    process.wait()
    assert leftovers(tmp_path) == [".scores.csv.tmp"]
    with atomic.replacing(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert leftovers(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="forks")
def test_one_that_waits_gets_its_turn(tmp_path):
    path = tmp_path / "pixels"
    script = WRITER.replace("60", "0.5").replace("half", "first")
    process = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    started = time.monotonic()
    with atomic.replacing(path, wait=True) as temporary:
        assert path.read_text() == "first"
        temporary.write_text("second")
    process.wait()
    assert time.monotonic() - started > 0.1
    assert path.read_text() == "second"
