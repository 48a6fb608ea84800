"""A watched folder: what lands is scored once, whole, and acted on."""

import contextlib
import io
import os
import shutil
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

import ganad
from ganad import calibrate
from ganad.errors import InputError, MissingExtra
from ganad.files import sha256_of
from ganad.history import History
from ganad.photos import Regions, Tiles
from ganad.watching import verdicts
from ganad.watching.actions import Actions, moved
from ganad.watching.arrivals import Arrivals
from ganad.watching.watcher import Watcher

from ..photos.samples import plates
from .models import digits, save_digit, table

NORMAL, NINES = digits()
QUICK = dict(settle=0.0, patience=0.05)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "in"
    path.mkdir()
    return path


@pytest.fixture
def history(tmp_path):
    with History(tmp_path / "history.db") as history:
        yield history


def watcher(model, folder, history, **changes):
    return Watcher(ganad.load(model), sha256_of(model), folder, history, **QUICK | changes)


def watch_once(model, folder, history, **changes):
    """Score what is there; the watcher, and the names in the order in which they were told."""
    told = []
    made = watcher(model, folder, history, told=lambda entry: told.append(entry.name), **changes)
    made.run(threading.Event(), once=True)
    return made, told


@contextlib.contextmanager
def running(made, **how):
    """The watcher at work in a thread, for the length of the block."""
    stop = threading.Event()
    thread = threading.Thread(target=made.run, args=[stop], kwargs=how, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


def until(condition, seconds=20):
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_file_is_a_row_with_score_p_value_verdict_and_look(digit_file, folder, history):
    detector = ganad.load(digit_file)
    pictures = np.concatenate([NORMAL[800:870], NINES[:10]])
    (folder / "sub").mkdir()
    for i, picture in enumerate(pictures):
        save_digit(picture, folder / "sub" / f"{i:03d}.png")
    _, told = watch_once(digit_file, folder, history, spot_checks=0.5)
    rows = history.rows()
    assert told == [row.name for row in rows] == [f"sub/{i:03d}.png" for i in range(80)]
    scores = detector.anomaly_score(pictures)
    np.testing.assert_allclose([row.score for row in rows], scores)
    np.testing.assert_allclose([row.p_value for row in rows], calibrate.p_values(scores, detector.calibration_))
    assert [row.is_anomaly for row in rows] == (scores > detector.threshold_).tolist()
    assert 0 < sum(row.is_anomaly for row in rows) < 40 and 20 < sum(row.spot_check for row in rows) < 60
    for row, picture in zip(rows, pictures):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(row.thumbnail))), picture)
        assert row.traits == {
            "brightness": pytest.approx(picture.mean() / 255),
            "contrast": pytest.approx(picture.std() / 255),
        }
        assert (row.boxes is not None) == row.is_anomaly and row.model == sha256_of(digit_file)


def test_nothing_is_scored_twice_and_what_changed_is_scored_again(digit_file, folder, history):
    for i in range(5):
        save_digit(NORMAL[i], folder / f"{i}.png")
    assert len(watch_once(digit_file, folder, history)[1]) == 5
    save_digit(NORMAL[9], folder / "9.png")
    assert watch_once(digit_file, folder, history)[1] == ["9.png"]
    save_digit(NINES[0], folder / "3.png")
    assert watch_once(digit_file, folder, history)[1] == ["3.png"]
    assert history.count() == 7


def test_a_half_written_file_waits_until_it_is_whole(digit_file, folder, history):
    whole = save_digit(NORMAL[0], folder.parent / "whole.png").read_bytes()
    told = []
    made = watcher(digit_file, folder, history, told=told.append, settle=0.05, patience=60)
    with running(made), open(folder / "slow.png", "wb") as file:
        for part in (whole[:40], whole[40:60], whole[60:]):
            assert not told
            file.write(part)
            file.flush()
            until(lambda: made.arrivals.waiting or told)
            time.sleep(0.15)  # enough for a look, and for a read in vain
        until(lambda: told)
    assert [entry.name for entry in told] == ["slow.png"] and made.unreadable == 0
    assert history.count() == 1


def test_a_file_that_stays_unreadable_is_told_once_and_noted(digit_file, folder, history, caplog):
    (folder / "bad.png").write_bytes(b"\x89PNG but not really")
    (folder / "empty.jpg").touch()
    (folder / "odd.gif").write_bytes(b"GIF89a")
    (folder / "out.png").symlink_to(save_digit(NORMAL[0], folder.parent / "secret.png"))
    (folder / "notes.txt").write_text("of no concern")
    (folder / ".hidden.png").write_bytes(b"half")
    save_digit(NORMAL[0], folder / "good.png")
    made, told = watch_once(digit_file, folder, history)
    assert told == ["good.png"] and made.unreadable == 4
    assert sum("cannot be read" in message for message in caplog.messages) == 4
    assert "leads out of the folder" in caplog.text and "notes" not in caplog.text
    caplog.clear()
    made, told = watch_once(digit_file, folder, history)
    assert told == [] and made.unreadable == 0 and not caplog.messages


def test_a_photo_that_the_model_does_not_take_is_told_and_the_others_are_kept(folder, history, tmp_path, caplog):
    inner = ganad.PCAResidual(n_components=5, verbose=0)
    model = Regions(inner, Tiles(16, 8), crop="30,20,40,50", random_state=0, device="cpu", verbose=0, max_regions=200)
    model.fit(plates(4, 0, (90, 100))).remember_source({"kind": "photos", "mode": "L"})
    model.save(tmp_path / "photos.ganad")
    for name, photo in zip("abc", [*plates(1, 1, (90, 100)), *plates(1, 2, (40, 50)), *plates(1, 3, (90, 100))]):
        save_digit(photo, folder / f"{name}.png")
    made, told = watch_once(tmp_path / "photos.ganad", folder, history)
    assert told == ["a.png", "c.png"] and made.unreadable == 1
    assert "b.png: cannot be read: " in caplog.text and "too few for the crop" in caplog.text
    assert watch_once(tmp_path / "photos.ganad", folder, history)[1] == []


def test_flagged_files_are_moved_and_a_command_is_run_first(digit_file, folder, history, tmp_path):
    command = tmp_path / "note.py"
    command.write_text(f"import sys, pathlib; open({str(tmp_path / 'log')!r}, 'a').write(sys.argv[1] + chr(10))")
    name = "$(touch owned); 'x' .png"
    save_digit(255 - NINES[0], folder / name)
    save_digit(NORMAL[0], folder / "fine.png")
    actions = Actions(folder / "flagged", f"{sys.executable} {command} {{path}}")
    watch_once(digit_file, folder, history, actions=actions)
    assert (tmp_path / "log").read_text() == f"{folder / name}\n"
    assert sorted(os.listdir(folder)) == ["fine.png", "flagged"] and os.listdir(folder / "flagged") == [name]
    assert history.count() == 2
    assert watch_once(digit_file, folder, history, actions=actions)[1] == []


def test_a_move_that_a_kill_prevented_is_made_after_the_next_start(digit_file, folder, history, tmp_path):
    save_digit(255 - NINES[0], folder / "odd.png")

    class Killed(BaseException):
        pass

    class Kills(Actions):
        def __call__(self, path, name):
            raise Killed

    with pytest.raises(Killed):
        watch_once(digit_file, folder, history, actions=Kills(tmp_path / "flagged"))
    assert history.count() == 1 and (folder / "odd.png").exists()
    _, told = watch_once(digit_file, folder, history, actions=Actions(tmp_path / "flagged"))
    assert told == [] and history.count() == 1
    assert (tmp_path / "flagged" / "odd.png").exists() and not (folder / "odd.png").exists()


def test_what_could_not_be_moved_is_tried_again_after_the_next_start(digit_file, folder, history, tmp_path, caplog):
    save_digit(255 - NINES[0], folder / "odd.png")
    target = tmp_path / "flagged"
    actions = Actions(target)
    target.rmdir()
    target.write_text("a file where the folder was")
    watch_once(digit_file, folder, history, actions=actions)
    assert "odd.png: not moved" in caplog.text and (folder / "odd.png").exists()
    target.unlink()
    watch_once(digit_file, folder, history, actions=actions)
    assert (target / "odd.png").exists()


def test_a_moved_file_takes_no_other_files_place(tmp_path):
    for text in ("one", "two", "two"):
        (tmp_path / "a.txt").write_text(text)
        moved(tmp_path / "a.txt", tmp_path / "to" / "sub" / "a.txt")
    assert {p.name: p.read_text() for p in (tmp_path / "to" / "sub").iterdir()} == {"a.txt": "one", "a-2.txt": "two"}


def test_a_move_to_another_file_system(tmp_path, monkeypatch):
    def refuses(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", refuses)
    (tmp_path / "a.txt").write_text("content")
    place = moved(tmp_path / "a.txt", tmp_path / "to" / "a.txt")
    assert place.read_text() == "content" and os.listdir(tmp_path / "to") == ["a.txt"]
    assert not (tmp_path / "a.txt").exists()


def test_a_failing_command_is_told(tmp_path, caplog):
    actions = Actions(run=f"{sys.executable} -c 'raise SystemExit(3)' {{path}}")
    assert actions(tmp_path / "a", "a")
    assert "ended with exit code 3" in caplog.text


@pytest.mark.parametrize(
    ("command", "words"),
    [("echo", "put {path}"), ("no-such-program {path}", "no program 'no-such-program'"), ("echo '{path}", "cannot be")],
)
def test_a_command_that_cannot_work(command, words):
    with pytest.raises(InputError, match=words):
        Actions(run=command)


def test_rows_of_a_table_are_scored_one_by_one_and_only_new_ones_when_it_grows(table_file, folder, history, tmp_path):
    path = table(folder / "log.csv", 1500)
    _, told = watch_once(table_file, folder, history)
    assert told == [f"log.csv row {i}" for i in range(1500)]
    (row,) = history.rows(limit=1)
    assert set(row.traits) == {"a", "b", "colour=blue", "colour=red"} and row.thumbnail is None
    train = ganad.data.load(table_file.parent / "train.csv").x
    assert row.traits["b"] == pytest.approx(
        (float(path.read_text().split("\n")[1].split(",")[1]) - train[:, 1].mean()) / train[:, 1].std(), abs=0.1
    )
    with open(path, "a") as file:
        file.write("9,9,red\n50,50,blue\n")
    _, told = watch_once(table_file, folder, history)
    assert told == ["log.csv row 1500", "log.csv row 1501"]
    assert history.rows(newest=True, limit=1)[0].is_anomaly
    history.prune(max_age_days=0)
    with open(path, "a") as file:
        file.write("9,9,red\n")
    assert watch_once(table_file, folder, history)[1] == ["log.csv row 1502"] and history.count() == 1


def test_a_command_is_run_for_a_grown_table_only_when_other_rows_are_flagged(table_file, folder, history, tmp_path):
    log, path = tmp_path / "log", table(folder / "log.csv", 3)
    note = f"import sys; open({str(log)!r}, 'a').write(sys.argv[1] + chr(10))"
    actions = Actions(run=f'{sys.executable} -c "{note}" {{path}}')

    def runs_after(row, actions=actions):
        with open(path, "a") as file:
            file.write(row)
        watch_once(table_file, folder, history, actions=actions)
        return len(log.read_text().splitlines()) if log.exists() else 0

    assert [runs_after(row) for row in ("0,10,red\n", "50,50,blue\n", "0,10,red\n", "60,60,red\n")] == [0, 1, 1, 2]
    assert runs_after("70,70,red\n", Actions()) == 2
    assert runs_after("0,10,red\n") == 3  # nothing was done for the row before
    history.prune(max_age_days=0)
    assert runs_after("0,10,red\n") == 3


def test_a_moved_table_that_is_there_again_is_moved_again(table_file, folder, history, tmp_path):
    actions = Actions(move=tmp_path / "odd")
    for _ in range(2):
        table(folder / "log.csv", 3, shift=50)
        watch_once(table_file, folder, history, actions=actions)
        assert not os.listdir(folder)
        (tmp_path / "odd" / "log.csv").write_text("another one")


def test_an_output_that_fails_ends_the_watch_and_blames_no_table(table_file, folder, history, caplog):
    def told(entry):
        raise BrokenPipeError

    table(folder / "log.csv", 1500)
    made = watcher(table_file, folder, history, told=told)
    with pytest.raises(BrokenPipeError):
        made.run(threading.Event(), once=True)
    assert history.count() < 1500 and made.unreadable == 0 and not caplog.messages
    watch_once(table_file, folder, history)
    assert history.count() == 1500


def test_a_table_that_is_cut_off_waits_and_one_with_a_bad_cell_is_told(table_file, folder, history, caplog):
    (folder / "cut.csv").write_text("a,b,colour\n1,10,red\n2,1")
    (folder / "bad.csv").write_text("a,b,colour\n1,10,red\nx,10,red\n")
    made, told = watch_once(table_file, folder, history)
    assert "column 'a' is numeric, but row 1 holds 'x'" in caplog.text and made.unreadable == 2
    whole = "a,b,colour\n1,10,red\n2,1"
    assert [name for name in told if name.startswith("bad")] == []
    (folder / "cut.csv").write_text(f"{whole}0,blue\n")
    assert watch_once(table_file, folder, history)[1] == ["cut.csv row 0", "cut.csv row 1"]


def test_a_file_without_an_end_of_line_is_left_to_its_writer_for_a_while(table_file, folder, history):
    made = watcher(table_file, folder, history, settle=0.0, patience=3600)
    (folder / "open.csv").write_text("a,b,colour\n1,10,red\n2,11,re")
    made.arrivals.scan()
    made._take(made.arrivals.ready(10))
    assert history.count() == 0 and made.arrivals.waiting == 1


def test_files_that_land_while_it_runs_are_found_by_events_and_by_polling(digit_file, folder, history):
    for poll in (False, True):
        with running(watcher(digit_file, folder, history, settle=0.02), poll=poll):
            for i in range(10):
                (folder / f"{poll}{i}").mkdir()
                save_digit(NORMAL[i], folder / f"{poll}{i}" / "new.png")
                time.sleep(0.02)
            until(lambda: history.count() == (20 if poll else 10))  # noqa: B023


def test_a_new_model_goes_on_where_its_parent_stopped(digit_file, folder, history, tmp_path):
    save_digit(NORMAL[0], folder / "0.png")
    watch_once(digit_file, folder, history)
    history.register(verdicts.record_of(ganad.load(digit_file), digit_file.name, sha256_of(digit_file)))
    child = ganad.load(digit_file)
    child.parent_ = sha256_of(digit_file)
    child.save(tmp_path / "child.ganad")
    assert watch_once(tmp_path / "child.ganad", folder, history)[1] == []
    stranger = ganad.load(digit_file).set_params(random_state=7)
    stranger.save(tmp_path / "stranger.ganad")
    assert watch_once(tmp_path / "stranger.ganad", folder, history)[1] == ["0.png"]


def test_a_model_that_does_not_know_how_to_read(digit_file, folder, history, tmp_path):
    detector = ganad.load(digit_file)
    del detector.source_
    detector.save(tmp_path / "m")
    with pytest.raises(InputError, match="does not know how its training data were read"):
        watcher(tmp_path / "m", folder, history)
    with pytest.raises(InputError, match="no such folder to watch"):
        watcher(digit_file, folder / "none", history)
    with pytest.raises(InputError, match="cannot be moved to the folder that is watched"):
        watcher(digit_file, folder, history, actions=Actions(folder))
    with pytest.raises(InputError, match="cannot be moved to the folder that is watched or one above it"):
        watcher(digit_file, folder, history, actions=Actions(folder.parent))


def test_without_watchfiles_the_install_line_is_named(digit_file, folder, history, monkeypatch):
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(MissingExtra, match=r"pip install 'ganad\[watch\]'"):
        watcher(digit_file, folder, history).run(threading.Event())


def test_a_server_that_stops_and_starts_while_files_land(digit_file, folder, postgres):
    with (
        History(postgres.database()) as history,
        running(watcher(digit_file, folder, history, settle=0.02)),
    ):
        for i in range(120):
            save_digit(NORMAL[i], folder / f"{i:03d}.png")
            if i == 40:
                until(lambda: history.count() > 0)
                postgres.stop()
            if i == 80:
                postgres.start()
            time.sleep(0.005)
        until(lambda: history.count() == 120)
        assert sorted(row.name for row in history.rows()) == [f"{i:03d}.png" for i in range(120)]


def test_arrivals_forget_what_is_gone(tmp_path):
    arrivals = Arrivals(tmp_path, {".png"}, settle=0)
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "b.png").write_bytes(b"x")
    (tmp_path / "c.png").mkdir()
    arrivals.scan()
    (tmp_path / "b.png").unlink()
    found = arrivals.ready(9)
    assert [a.name for a in found] == ["a.png"] and arrivals.waiting == 1
    arrivals.done(found[0])
    shutil.rmtree(tmp_path / "c.png")
    (tmp_path / "a.png").unlink()
    arrivals.scan()
    assert not arrivals._done and not arrivals._waiting


def test_spot_checks_are_a_random_share_that_the_key_decides():
    keys = [str(i) for i in range(20_000)]
    chosen = [key for key in keys if verdicts.is_spot_check(key, 0.05)]
    assert abs(len(chosen) - 1000) < 4 * np.sqrt(1000)  # four standard deviations
    assert set(chosen) <= {key for key in keys if verdicts.is_spot_check(key, 0.1)}
    assert not any(verdicts.is_spot_check(key, 0) for key in keys)
    assert all(verdicts.is_spot_check(key, 1) for key in keys[:100])


def test_boxes_are_where_the_score_comes_from():
    part = np.zeros((40, 80))
    part[10:20, 40:60] = 1.0
    part[27:37, 4:20] = 0.8
    first, second = verdicts.boxes(part)
    assert first["share"] > second["share"] > 0
    assert first["x"] == pytest.approx(0.5, abs=0.05) and first["width"] == pytest.approx(0.25, abs=0.05)
    assert first["y"] == pytest.approx(0.25, abs=0.1) and first["height"] == pytest.approx(0.25, abs=0.1)
    assert verdicts.boxes(-part) == []


def test_of_many_columns_those_that_the_score_hears_most():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 30)) * np.geomspace(1, 1e4, 30)
    detector = ganad.PCAResidual(random_state=0, verbose=0, scaling="standard").fit(x)
    chosen = verdicts.columns_that_count(detector)
    assert len(chosen) == 20 and chosen == sorted(chosen)
    made = verdicts.Verdicts(detector, "m").entries(x[:2], ["a", "b"], detector.anomaly_score(x[:2]))
    assert set(made[0].traits) == {f"column {j}" for j in chosen}
    expected = (x[0] - x.mean(0)) / x.std(0)
    for j in chosen:
        assert made[0].traits[f"column {j}"] == pytest.approx(expected[j])
