"""Rows that come on a stream."""

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

import ganad
from ganad import KDE
from ganad.data import load
from ganad.errors import InputError
from ganad.files import sha256_of
from ganad.history import History
from ganad.watching.stream import StreamWatcher

from .models import table


@pytest.fixture
def history(tmp_path):
    with History(tmp_path / "history.db") as history:
        yield history


def score(model, history, lines):
    made = StreamWatcher(ganad.load(model), sha256_of(model), history)
    made.run(lines, threading.Event())
    return made


@pytest.mark.parametrize("kind", ["csv", "semicolons", "json"])
def test_rows_get_the_scores_that_they_have_in_a_table(kind, table_file, history, tmp_path):
    path = table(tmp_path / "new.csv", 700, seed=5)
    names, *rows = path.read_text().splitlines()
    detector = ganad.load(table_file)
    scores = detector.anomaly_score(load(path, source=detector.source_).x)
    if kind == "json":
        lines = [
            json.dumps({"colour": c, "b": float(b), "extra": 1, "a": float(a)}) + "\n"
            for a, b, c in (row.split(",") for row in rows)
        ]
    else:
        lines = [line + "\r\n" for line in [names, *rows]]
        lines = [line.replace(",", ";") for line in lines] if kind == "semicolons" else lines
    made = score(table_file, history, lines)
    kept = history.rows()
    assert made.unreadable == 0 and [row.name for row in kept][:1] == ["line 1" if kind == "json" else "line 2"]
    np.testing.assert_allclose([row.score for row in kept], scores)


def test_lines_that_cannot_be_read_are_told_and_the_others_are_kept(table_file, history, caplog):
    lines = [
        '{"a": 1, "b": 10, "colour": "red"}\n',
        "{broken\n",
        "\n",
        '{"a": "x", "b": 10, "colour": "red"}\n',
        '{"b": 10, "colour": "red"}\n',
        '{"a": 1e300, "b": 10, "colour": "red"}\n',
        '{"a": 1, "b": 10, "colour": "green"}\n',
        "[1, 2]\n",
        "7\n",
        '{"a": 2, "b": 10, "colour": "blue"}\n',
    ]
    made = score(table_file, history, lines)
    assert [row.name for row in history.rows()] == ["line 1", "line 7", "line 10"] and made.unreadable == 6
    green = history.rows()[1]  # a word that training did not have is an anomaly by itself
    assert green.is_anomaly and green.score == np.inf
    reasons = {2: "not JSON", 4: "column 'a'", 5: "missing", 6: "finite", 8: "must be 4", 9: "a row is"}
    told = dict(message.split(": ", 1) for message in caplog.messages)
    assert told.keys() == {f"line {number}" for number in reasons}
    for number, words in reasons.items():
        assert words in told[f"line {number}"]


def test_csv_lines_of_another_length(table_file, history, caplog):
    made = score(table_file, history, ["a,b,colour\n", "1,10,red\n", "1,10\n", '1,"10","red"\n', "\n"])
    assert [row.name for row in history.rows()] == ["line 2", "line 4"] and made.unreadable == 1
    assert "line 3: cannot be read: 2 cells, and the first line names 3 columns" in caplog.text


def test_a_stray_quotation_mark_spoils_its_own_line(table_file, history, caplog):
    rows = ["1,10,red\n"] * 15_000  # more characters than a cell may hold
    made = score(table_file, history, ["a,b,colour\n", '1,10,"red\n', '1,"10,red\n', f"1,10,{'x' * 200_000}\n", *rows])
    assert history.count() == 15_000 and made.unreadable == 3
    told = dict(message.split(": ", 1) for message in caplog.messages)
    assert told.keys() == {"line 2", "line 3", "line 4"} and all("not CSV (" in words for words in told.values())


def test_an_empty_stream_and_one_with_a_name_twice(table_file, history, caplog):
    assert score(table_file, history, []).unreadable == 0
    assert score(table_file, history, ["\n", "\n"]).unreadable == 0
    assert score(table_file, history, ["junk\n"]).unreadable == 1
    assert score(table_file, history, ["a,a\n", "1,2\n"]).unreadable == 1
    assert "occurs more than once" in caplog.text and history.count() == 0
    assert score(table_file, history, ["\n", '"a,b\n', "1,2\n"]).unreadable == 1
    assert "line 2: cannot be read: unexpected end of data" in caplog.text


def test_lists_of_numbers_for_a_model_of_an_array(history, tmp_path):
    x = np.random.default_rng(0).normal(size=(100, 2))
    KDE(bandwidths=(0.5,), verbose=0).fit(x).save(tmp_path / "m")
    made = score(tmp_path / "m", history, ["[1, 2]\n", "[1]\n", '{"a": 1}\n', "[1.5, -2e0]\n"])
    assert [row.name for row in history.rows()] == ["line 1", "line 4"] and made.unreadable == 2
    assert set(history.rows()[0].traits) == {"column 0", "column 1"}


def test_each_row_is_kept_before_the_next_one_comes(table_file, history):
    seen = []

    def slowly():
        yield "a,b,colour\n"
        for i in range(3):
            yield f"{i},10,red\n"
            for _ in range(2000):
                if history.count() == i + 1:
                    break
                threading.Event().wait(0.005)
            seen.append(history.count())

    score(table_file, history, slowly())
    assert seen == [1, 2, 3]


def test_it_ends_when_it_is_asked_to(table_file, history):
    stop = threading.Event()

    def endless():
        yield "a,b,colour\n"
        while True:
            yield "1,10,red\n"

    made = StreamWatcher(
        ganad.load(table_file), "m", history, told=lambda entry: stop.set() if history.count() > 600 else None
    )
    made.run(endless(), stop)
    assert history.count() > 600


def test_what_was_read_is_kept_before_it_ends(table_file, history):
    stop, read = threading.Event(), []

    def endless():
        yield "a,b,colour\n"
        while True:
            read.append(len(read))
            yield "1,10,red\n"

    StreamWatcher(ganad.load(table_file), "m", history, told=lambda entry: stop.set()).run(endless(), stop)
    assert history.count() == len(read) > 0


def test_rows_that_no_history_took_are_told(table_file, history, caplog):
    stop = threading.Event()
    stop.set()
    made = StreamWatcher(ganad.load(table_file), "m", history)
    history.close()
    shutil.rmtree(Path(history.place).parent)  # so that nobody can open it
    made.run(["a,b,colour\n", "1,10,red\n"], stop)
    assert "rows from line 2 on are not kept" in caplog.text


def test_images_do_not_come_on_a_stream(digit_file, history):
    with pytest.raises(InputError, match="give a folder to watch"):
        StreamWatcher(ganad.load(digit_file), "m", history)
