"""A day in which files land at their own pace and the watch is killed again and again: every file is a row, once."""

import contextlib
import multiprocessing
import os
import signal
import sqlite3
import threading
import time

import numpy as np
import pytest

import ganad
from ganad.files import sha256_of
from ganad.history import History
from ganad.watching.actions import Actions
from ganad.watching.watcher import Watcher

from .models import digits, save_digit

FILES, KILLS = 300, 3


def work(model, folder, database, flagged):
    """What the killed process does."""
    with History(database) as history:
        watcher = Watcher(
            ganad.load(model), sha256_of(model), folder, history, actions=Actions(move=flagged), settle=0.05, patience=5
        )
        watcher.run(threading.Event())


def land(folder, pictures, whole):
    """Files in bursts and pauses, every seventh in two halves, every eleventh renamed into place."""
    rng = np.random.default_rng(0)
    for i, picture in enumerate(pictures):
        place = folder / f"{i:04d}.png"
        content = save_digit(picture, whole).read_bytes()
        if i % 11 == 0:
            os.replace(whole, place)
        elif i % 7 == 0:
            with open(place, "wb") as file:
                file.write(content[:50])
                file.flush()
                time.sleep(0.01)
                file.write(content[50:])
        else:
            place.write_bytes(content)
        time.sleep(rng.exponential(0.004) if rng.random() < 0.9 else 0.05)


def kept(database, what="ganad_samples"):
    """The number of rows, as another program reads it while they are written."""
    try:
        # a second is for the moment in which what a killed process left is recovered
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1)) as connection:
            return connection.execute(f"SELECT count(*) FROM {what}").fetchone()[0]
    except sqlite3.OperationalError as error:
        assert "unable to open" in str(error) or "no such table" in str(error), error
        return 0


def flagged_in(database):
    """The names of the files that are flagged."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=1)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM ganad_files WHERE flagged")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killed processes are forks, which start at once")
def test_every_file_is_a_row_once_though_the_watch_is_killed(digit_file, tmp_path):
    folder, database, flagged = tmp_path / "in", tmp_path / "history.db", tmp_path / "flagged"
    folder.mkdir()
    normal, nines = digits()
    pictures = np.concatenate([normal[800:], nines])[::4][:FILES]
    pictures = np.concatenate([pictures, 255 - nines[: FILES - len(pictures)]])
    assert len(pictures) == FILES
    fork = multiprocessing.get_context("fork")
    lands = fork.Process(target=land, args=[folder, pictures, tmp_path / "half.png"], daemon=True)
    lands.start()
    killed_at = []
    for level in [*np.linspace(0, FILES, KILLS + 2, dtype=int)[1:-1], FILES]:
        process = fork.Process(target=work, args=[digit_file, folder, database, flagged], daemon=True)
        process.start()
        end = time.monotonic() + 120
        while kept(database) < level and time.monotonic() < end:
            time.sleep(0.002)
        if level == FILES:
            lands.join()
            # not until all are noted as moved: whoever was killed between a move and its note has left no file
            while flagged_in(database) & set(os.listdir(folder)) and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(0.5)  # for what would come twice
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        killed_at.append(kept(database))
    assert len(killed_at) == KILLS + 1 and 0 < killed_at[0] < killed_at[-1]
    with History(database) as history:
        rows = history.rows()
    assert sorted(row.name for row in rows) == [f"{i:04d}.png" for i in range(FILES)]
    moved = {row.name for row in rows if row.is_anomaly}
    assert moved and set(os.listdir(flagged)) == moved
    assert set(os.listdir(folder)) == {row.name for row in rows} - moved
