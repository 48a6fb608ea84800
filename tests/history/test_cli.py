"""The commands around a history: in this process where that is the same, in one of its own where signals matter."""

import contextlib
import io
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import datetime

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

import ganad
from ganad.cli.history import seconds
from ganad.cli.main import build_app
from ganad.errors import InputError
from ganad.files import sha256_of
from ganad.history import Entry, History, ModelRecord, database

from .models import digits, save_digit, table


def run(*arguments, code=0, stdin=None):
    """Standard output and standard error of a command."""
    words = [str(word) for word in arguments]
    done = CliRunner().invoke(build_app(words), words, input=stdin)
    assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
    return done.stdout, done.stderr


@pytest.fixture
def place(tmp_path):
    """A history of ten samples, of which the last two are flagged and the first is a spot check."""
    with History(tmp_path / "history.db", durable=False) as history:
        history.register(ModelRecord(sha256="ab" * 32, name="m", method="KDE", threshold=8.5))
        now = time.time()
        history.add(
            Entry(
                name=f"{i}\x1b[31m.png",
                score=i,
                is_anomaly=i > 7,
                threshold=8.5,
                seen_at=now - 3600 * (9 - i),
                model="ab" * 32,
                p_value=1 / (1 + i),
                spot_check=i == 0,
            )
            for i in range(10)
        )
    return tmp_path / "history.db"


def test_a_line_a_sample_and_a_summary(place):
    out, err = run("history", place)
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[0] for line in lines] == [str(i) for i in range(1, 11)]
    assert lines[9][2:6] == ["anomaly", "9", "0.1", ""] and lines[9][6] == "9\\x1b[31m.png"
    assert abs(datetime.fromisoformat(lines[9][1]).timestamp() - time.time()) < 60
    assert "10 samples, 2 flagged; 3 wait for a person" in err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--flagged"], [9, 10]),
        (["--review"], [1, 9, 10]),
        (["--limit", "3"], [8, 9, 10]),
        (["--since", "150min"], [8, 9, 10]),
        (["--until", "8.5h ago"], [1]),
        (["--model", "abab"], list(range(1, 11))),
        (["--feedback", "normal"], []),
        (["--feedback", "none", "--flagged"], [9, 10]),
    ],
)
def test_filters(place, options, expected):
    out, _ = run("history", place, *options)
    assert [int(line.split("\t")[0]) for line in out.splitlines()] == expected


def test_marks_export_and_retention(place, tmp_path):
    run("history", place, "--mark", "9=normal", "--mark", "10=anomaly", "--mark", "1=normal", "--mark", "1=none")
    out, err = run("history", place, "--review")
    assert [line.split("\t")[0] for line in out.splitlines()] == ["1"] and "1 wait for a person" in err
    _, err = run("history", place, "--export", tmp_path / "rows.parquet", "--flagged")
    assert "2 samples in" in err
    found = pyarrow.parquet.read_table(tmp_path / "rows.parquet")
    assert found["feedback"].to_pylist() == ["normal", "anomaly"]
    run("history", place, "--export", tmp_path / "rows.csv", "--flagged")
    text = pyarrow.csv.read_csv(tmp_path / "rows.csv")
    assert text["feedback"].to_pylist() == ["normal", "anomaly"] and "thumbnail" not in text.column_names
    _, err = run("history", place, "--keep-days", 5.5 / 24)
    assert "4 samples forgotten" in err
    with History(place) as history:
        assert history.count() == 6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--since", "yesterday"], "--since yesterday is no time"),
        (["--feedback", "good"], "--feedback good is not one of normal, anomaly, none"),
        (["--mark", "9:normal"], "such as 17=normal"),
        (["--mark", "9=normal", "--mark", "99=normal"], "no sample 99"),
        (["--model", "cd"], "holds no model cd"),
        (["--export", "none/x.parquet"], "no such folder"),
        (["--export", "rows.txt"], "use one of these endings"),
        (["--keep-days", "-1"], "must be 0 or more"),
        (["--check", "--since", "2h"], "--since does not choose samples for --check; leave one of the two out"),
        (["--check", "--model", "ab", "--flagged"], "--flagged does not choose samples for --check"),
        (["--mark", "9=normal", "--review"], "--review does not choose samples for --mark"),
        (["--keep-days", "0", "--until", "2h"], "--until does not choose samples for --keep-days"),
        (["--keep-mb", "1", "--export", "x.parquet", "--model", "ab"], "--model does not choose samples for --keep-mb"),
        (["--export", "x.parquet", "--limit", "3"], "--limit does not choose samples for --export"),
    ],
)
def test_bad_input_is_one_sentence(place, options, words):
    _, err = run("history", place, *options, code=2)
    assert words in err and err.startswith("ganad: ") and err.count("\n") == 1
    with History(place) as history:
        assert history.count() == 10 and history.count(feedback="none") == 10


def test_a_history_that_is_not_there(tmp_path):
    _, err = run("history", tmp_path / "none.db", code=2)
    assert "no such history" in err and not list(tmp_path.iterdir())


def test_times():
    now = time.time()
    assert seconds(None, "--since") is None
    assert seconds("2h", "--since") == pytest.approx(now - 7200, abs=5)
    assert seconds("1.5 d ago", "--since") == pytest.approx(now - 129_600, abs=5)
    assert seconds("2026-11-29T14:20:00+00:00", "--since") == 1795962000
    assert seconds("2026-11-29", "--since") == datetime(2026, 11, 29).timestamp()
    today = datetime.now().replace(hour=9, minute=5, second=0, microsecond=0)
    assert seconds("9:05", "--since") == today.timestamp()
    for bad in ("25:00", "2026-13-01", "-1h", "9" * 40):
        with pytest.raises(InputError, match="is no time"):
            seconds(bad, "--since")


def test_watch_a_stream(table_file, tmp_path):
    path = table(tmp_path / "new.csv", 30, seed=4)
    out, _ = run("watch", table_file, "-", "--history", tmp_path / "h.db", "--spot-checks", 1, stdin=path.read_text())
    lines = [line.split("\t") for line in out.splitlines()]
    assert [line[0] for line in lines] == [f"line {i}" for i in range(2, 32)]
    assert {line[3] for line in lines} <= {"normal", "anomaly"} and all(0 < float(line[2]) <= 1 for line in lines)
    with History(tmp_path / "h.db") as history:
        assert history.count(spot_check=True) == 30
        (known,) = history.models()
        assert known.sha256 == sha256_of(table_file) and known.false_alarm_rate == 0.01
    run("watch", table_file, "-", "--history", tmp_path / "h.db", stdin="a,b\n1,2\n", code=3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-", "--once"], "--once is for a folder"),
        (["-", "--move", "x"], "--move is for a folder"),
        (["-", "--settle", "0.5"], "--settle is for a folder"),
        (["none"], "no such folder to watch"),
        ([".", "--spot-checks", "2"], "must lie between 0 and 1"),
        ([".", "--settle", "-1"], "--settle -1"),
        ([".", "--run", "echo"], "put {path}"),
        ([".", "--history", "mysql://h/d"], "not in mysql"),
    ],
)
def test_a_watch_that_cannot_be(table_file, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [] if "--history" in arguments else ["--history", tmp_path / "h.db"]
    _, err = run("watch", table_file, *arguments, *options, code=2)
    assert words in err


def test_a_signal_ends_the_watch_and_everything_is_kept(digit_file, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for i, picture in enumerate(digits()[0][:30]):
        save_digit(picture, folder / f"{i:02d}.png")
    command = [sys.executable, "-m", "ganad.cli", "watch", digit_file, folder, "--history", tmp_path / "h.db"]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(30)]
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0 and out == "" and "Traceback" not in err
    assert [line.split("\t")[0] for line in lines] == [f"{i:02d}.png" for i in range(30)]
    with History(tmp_path / "h.db") as history:
        assert history.count() == 30


def test_a_signal_ends_the_watch_of_a_stream_that_is_silent(table_file, tmp_path):
    command = [sys.executable, "-m", "ganad.cli", "watch", table_file, "-", "--history", tmp_path / "h.db"]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with subprocess.Popen([*map(str, command)], **pipes, text=True) as process:
        process.stdin.write("a,b,colour\n1,10,red\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("line 2\t")
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0 and process.stderr.read() == ""


def test_a_start_while_the_history_is_away_waits_for_it(table_file, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(database, "_BUSY", 0.01)
    with contextlib.closing(sqlite3.connect(tmp_path / "h.db", check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")

        def give_back():
            while "waiting for it" not in caplog.text:
                time.sleep(0.01)
            other.rollback()

        thread = threading.Thread(target=give_back, daemon=True)
        thread.start()
        out, _ = run("watch", table_file, "-", "--history", tmp_path / "h.db", stdin="a,b,colour\n1,10,red\n")
        thread.join()
    assert out.startswith("line 2\t") and "the history is back" in caplog.text


def test_recalibrate(table_file, tmp_path):
    place, rows = tmp_path / "h.db", io.StringIO()
    rows.write(table(tmp_path / "new.csv", 400, seed=4, shift=1.0).read_text())
    run("watch", table_file, "-", "--history", place, "--spot-checks", 1, stdin=rows.getvalue())
    arguments = ["recalibrate", table_file, "--history", place, "-o", tmp_path / "new.ganad"]
    _, err = run(*arguments, code=2)
    assert "400 of 400 spot checks wait for a person" in err
    with History(place, durable=False) as history:
        for row in history.rows(thumbnails=False):
            history.mark(row.id, "normal")
    out, _ = run(*arguments)
    assert "of 400 (" in out and "at most 1 % false alarms, calibrated on 400 spot checks" in out
    old, new = ganad.load(table_file), ganad.load(tmp_path / "new.ganad")
    assert new.parent_ == sha256_of(table_file) and new.threshold_ != old.threshold_
    np.testing.assert_array_equal(new.mean_, old.mean_)
    _, err = run(*arguments[:-1], table_file, code=2)
    assert "would overwrite another file" in err
