"""The history in both databases."""

import math
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import numpy as np
import psycopg
import pyarrow.parquet
import pytest

from ganad.errors import HistoryUnavailable, InputError, MissingExtra
from ganad.history import Entry, FileRecord, History, ModelRecord, Row
from ganad.history.export import export

A, B = "a" * 64, "b" * 64


def entry(number=0, **changes):
    given = dict(name=f"{number}.png", score=float(number), is_anomaly=number % 10 == 0, threshold=8.0)
    return Entry(**given | dict(seen_at=1000.0 + number, model=A, p_value=1 / (1 + number)) | changes)


def test_a_row_is_the_entry_that_was_kept(url):
    kept = entry(
        7,
        boxes=[{"box": [1, 2, 3, 4], "score": 0.5}],
        thumbnail=b"\x89PNG\x00\xff",
        traits={"brightness": 0.25, "größe": -3e9, "broken": math.nan},
        spot_check=True,
        key="seven",
        threshold=math.inf,
    )
    with History(url) as history:
        history.add([kept])
        (row,) = history.rows()
        (light,) = history.rows(thumbnails=False)
    assert isinstance(row, Row) and row.id >= 1 and row.feedback is row.feedback_at is None
    for name in Entry.__slots__:
        if name != "traits":
            assert getattr(row, name) == getattr(kept, name), name
    assert row.traits == {"brightness": 0.25, "größe": -3e9}
    assert light.thumbnail is None and light.traits == row.traits


def test_an_equal_key_of_one_model_is_kept_once(url):
    with History(url) as history:
        history.add([entry(1, key="k"), entry(2, key="k"), entry(3, key="other")])
        history.add([entry(4, key="k")])
        history.add([entry(5, key="k", model=B)])
        assert [(row.score, row.model) for row in history.rows()] == [(1.0, A), (3.0, A), (5.0, B)]
        assert history.seen(["k", "other", "none"]) == {"k": False, "other": False}
        assert history.seen(["k", "other"], by=[B]) == {"k": False}
        history.add([entry(6), entry(6)])  # keys of their own
        assert history.count() == 5


def test_filters(url):
    with History(url) as history:
        history.add([entry(i, spot_check=i in (3, 10)) for i in range(25)])
        history.add([entry(99, model=B)])
        ids = [row.id for row in history.rows()]
        assert ids == sorted(ids) and len(ids) == 26

        def scores(**which):
            found = [row.score for row in history.rows(**which)]
            assert history.count(**{k: v for k, v in which.items() if k not in ("limit", "newest", "after_id")}) >= len(
                found
            )
            return found

        assert scores(flagged=True) == [0, 10, 20]
        assert scores(flagged=True, newest=True, limit=2) == [20, 10]
        assert scores(since=1020, until=1022) == [20, 21]
        assert scores(model=B) == [99]
        assert scores(review=True) == [0, 3, 10, 20]
        assert scores(spot_check=True) == [3, 10]
        assert scores(after_id=ids[-2]) == [99]
        assert len(scores(review=False)) == 22
        history.mark(ids[0], "normal")
        history.mark(ids[10], "anomaly")
        assert scores(feedback="normal") == [0]
        assert scores(feedback="anomaly") == [10]
        assert scores(feedback="none", flagged=True) == [20]
        with pytest.raises(InputError, match="feedback 'good' is not one of normal, anomaly, none"):
            history.rows(feedback="good")


def test_feedback_is_kept_with_its_time_and_can_be_taken_back(url):
    with History(url) as history:
        history.add([entry(1)])
        (row,) = history.rows()
        before = time.time()
        history.mark(row.id, "normal")
        (marked,) = history.rows()
        assert marked.feedback == "normal" and before <= marked.feedback_at <= time.time()
        history.mark(row.id, None)
        assert history.rows() == [row]
        with pytest.raises(InputError, match=f"no sample {row.id + 1}"):
            history.mark(row.id + 1, "normal")
        with pytest.raises(InputError, match="'fine' is not one of normal, anomaly"):
            history.mark(row.id, "fine")


def test_p_values_come_with_ids_and_times(url):
    with History(url) as history:
        assert [len(part) for part in history.p_values()] == [0, 0, 0]
        history.add([entry(1), entry(2, p_value=None), entry(3), entry(4, model=B)])
        ids, times, p = history.p_values(A)
        rows = history.rows(model=A)
        assert ids.tolist() == [rows[0].id, rows[2].id]
        assert times.tolist() == [1001.0, 1003.0]
        np.testing.assert_array_equal(p, [1 / 2, 1 / 4])
        assert history.p_values(since=1003.0)[2].tolist() == [1 / 4, 1 / 5]


def test_files_that_are_done(url):
    done = FileRecord(key="f1", name="a.png", model=A, seen_at=5.0, flagged=True)
    broken = FileRecord(key="f2", name="b.png", model=A, seen_at=6.0, problem="cut short")
    with History(url) as history:
        history.add([entry(1)], [done, broken])
        history.add([], [FileRecord(key="f1", name="again.png", model=A, seen_at=9.0)])
        assert history.finished(["f1", "f2", "f3"], [A, B]) == {"f1": done, "f2": broken}
        assert history.finished(["f1"], [B]) == {}
        history.acted(done)
        assert history.finished(["f1"], [A])["f1"].acted
        many = [str(i) for i in range(1234)]
        history.add([], [FileRecord(key=key, name=key, model=A, seen_at=1.0) for key in many])
        assert set(history.finished(many, [A])) == set(many)


def test_models_and_whom_they_were_made_from(url):
    with History(url) as history:
        for i, (own, parent) in enumerate([("a", None), ("b", "a"), ("c", "b")]):
            known = ModelRecord(
                sha256=own, name=f"{own}.ganad", method="KDE", threshold=1.0, parent=parent, registered_at=float(i)
            )
            history.register(known)
            history.register(known)
        assert [m.sha256 for m in history.models()] == ["a", "b", "c"]
        assert history.lineage("c") == ["c", "b", "a"]
        assert history.lineage("new", parent="b") == ["new", "b", "a"]
        assert history.lineage("stranger") == ["stranger"]
        history.register(ModelRecord(sha256="a", name="", method="", threshold=0.0, parent="c"))  # not twice
        assert history.lineage("a") == ["a"]


def test_retention_by_age_and_by_size(url):
    now = time.time()
    with History(url) as history:
        history.add([entry(i, seen_at=now - 86_400 * i) for i in range(10)])
        assert history.prune(max_age_days=4.5) == 5
        assert [row.score for row in history.rows()] == [0, 1, 2, 3, 4]
        assert history.prune() == 0
    with History(url) as history:
        history.add([entry(i, thumbnail=bytes(100_000), seen_at=now) for i in range(20, 40)])
        assert history.prune(max_mb=1.0) == 5 + 11  # each takes a little more than 0.1 MB
        assert [row.score for row in history.rows()] == list(range(31, 40))
        assert history.prune(max_mb=1.0) == 0
        with pytest.raises(InputError, match="max_mb=-1 must be 0 or more"):
            history.prune(max_mb=-1)
        assert history.prune(max_mb=0) == 9


def test_what_may_be_met_again_stays_known_without_its_sample(url):
    done = FileRecord(key="picture", name="a.png", model=A, seen_at=5.0)
    with History(url) as history:
        with history._engine.begin() as connection:  # as an earlier ganad left it
            connection.exec_driver_sql("DROP TABLE ganad_forgotten")
        history.add([entry(0, key="row"), entry(1), entry(2, key="picture")], [done])
    with History(url, create=False) as history:
        assert history.prune(max_age_days=0) == 3 and history.count() == 0
        assert history.seen(["row", "picture", "other"], [A]) == {"row": True}
        assert history.seen(["row"], [B]) == {}
        with history._engine.begin() as connection:  # what has a random key would only take place
            assert len(connection.exec_driver_sql("SELECT * FROM ganad_forgotten").all()) == 1
        history.add([entry(0, key="row")])
        assert history.prune(max_age_days=0) == 1
        assert history.seen(["row"]) == {"row": True}


def test_a_pruned_sqlite_file_is_smaller(tmp_path):
    path = tmp_path / "history.db"
    with History(path) as history:
        history.add([entry(i, thumbnail=bytes(100_000)) for i in range(50)])
    before = path.stat().st_size
    with History(path) as history:
        history.prune(max_mb=1)
    assert path.stat().st_size < before / 3


def test_all_of_it_as_parquet(url, tmp_path):
    with History(url) as history:
        history.add([entry(i, traits={"x": 0.5}, boxes=[[1, 2]], thumbnail=b"png") for i in range(2500)])
        history.mark(history.rows(limit=1)[0].id, "normal")
        assert export(history, tmp_path / "rows.parquet") == 2500
        assert export(history, tmp_path / "some.parquet", flagged=True) == 250
    table = pyarrow.parquet.read_table(tmp_path / "rows.parquet")
    assert table["score"].to_pylist() == list(range(2500))
    first = table.slice(0, 1).to_pylist()[0]
    assert first["seen_at"] == datetime.fromtimestamp(1000, UTC) and first["feedback"] == "normal"
    assert first["traits"] == [("x", 0.5)] and first["boxes"] == "[[1,2]]" and first["thumbnail"] == b"png"


def test_an_error_keeps_nothing_of_a_transaction(url):
    with History(url) as history:
        with pytest.raises(InputError, match="not a history that ganad can use"):
            history.add([entry(1), entry(2, key=None)])
        assert history.count() == 0


def test_a_score_that_is_no_number_is_an_anomaly_and_loses_no_others(url):
    with History(url) as history:
        history.add([entry(1), entry(2, score=math.nan, p_value=math.nan), entry(3)])
        assert [(row.score, row.is_anomaly) for row in history.rows()] == [(1, False), (math.inf, True), (3, False)]


def test_foreign_names_are_kept(url):
    with History(url) as history:
        history.add([entry(name="\udcff.png"), entry(name="nul\0"), entry(name="'; DROP TABLE ganad_samples; --")])
        assert [row.name for row in history.rows()] == ["\\udcff.png", "nul\\x00", "'; DROP TABLE ganad_samples; --"]


def test_threads_and_readers_do_not_disturb_each_other(url):
    wrong = []
    with History(url) as history:

        def write(part):
            for i in range(20):
                history.add([entry(i, key=f"{part}-{i}-{j}") for j in range(10)])

        def read():
            try:
                while history.count() < 800:
                    assert len(history.rows(limit=50)) <= 50
            except Exception as error:
                wrong.append(error)

        threads = [threading.Thread(target=write, args=[part]) for part in range(4)]
        threads += [threading.Thread(target=read)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert history.count() == 800
    assert not wrong


OPEN = "import sys; from ganad.history import History; History(sys.argv[1]).close()"


def test_rows_appear_in_the_order_of_their_ids_though_a_writer_is_slow(postgres):
    url = postgres.database()
    slow = """
        CREATE FUNCTION wait() RETURNS trigger AS 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END'
        LANGUAGE plpgsql;
        CREATE TRIGGER slow AFTER INSERT ON ganad_samples FOR EACH ROW WHEN (NEW.name = '1.png')
        EXECUTE FUNCTION wait();
    """
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
    with History(url) as history, psycopg.connect(url, autocommit=True) as other:

        def until(met):
            while not met():
                time.sleep(0.01)

        other.execute(slow)
        other.execute("SELECT pg_advisory_lock(1)")
        threads = [threading.Thread(target=history.add, args=[[entry(i)]], daemon=True) for i in (1, 2)]
        threads[0].start()
        until(lambda: other.execute(waiting).fetchone() == (1,))
        threads[1].start()
        until(lambda: other.execute(waiting).fetchone() == (2,) or history.count())
        assert history.rows() == []
        other.execute("SELECT pg_advisory_unlock(1)")
        for thread in threads:
            thread.join()
        assert [row.name for row in history.rows()] == ["1.png", "2.png"]


def test_processes_that_make_it_at_the_same_moment(url):
    started = [subprocess.Popen([sys.executable, "-c", OPEN, url], stderr=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate()[1] for process in started] == [b""] * 3


def test_another_program_reads_the_file_while_it_is_written(tmp_path):
    with History(tmp_path / "history.db") as history:
        history.add([entry(1)])
        with history._engine.begin() as connection:  # in the middle of a transaction
            connection.exec_driver_sql("UPDATE ganad_samples SET score = 2")
            other = sqlite3.connect(tmp_path / "history.db", timeout=0)
            assert other.execute("SELECT score FROM ganad_samples").fetchall() == [(1.0,)]
            other.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "needs a file"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("mysql://root@localhost/db", "not in mysql"),
        ("://", "cannot be read"),
        ("postgresql://secret:word@[::1/db", "cannot be read"),
        (".", "is a folder"),
        ("missing/history.db", "no such folder"),
    ],
)
def test_a_place_that_cannot_hold_one(url, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words) as caught:
        History(url)
    assert "secret" not in str(caught.value) and not list(tmp_path.iterdir())


def test_what_is_missing_is_not_made_by_a_reader(tmp_path):
    with pytest.raises(InputError, match="no such history"):
        History(tmp_path / "history.db", create=False)
    assert not list(tmp_path.iterdir())
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (x)").connection.close()
    with pytest.raises(InputError, match="holds no history of ganad"):
        History(tmp_path / "other.db", create=False)


def test_a_file_of_another_kind_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database\n" * 1000)
    with pytest.raises(InputError, match="not a history that ganad can use"):
        History(path)
    assert path.read_text() == "not a database\n" * 1000


def test_another_version_is_one_sentence(url):
    with History(url) as history, history._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE ganad_history SET version = 99")
    with pytest.raises(InputError, match="a history of version 99, and this ganad reads version 1"):
        History(url)


def test_a_server_that_is_not_there():
    with pytest.raises(HistoryUnavailable, match="cannot be reached") as caught:
        History("postgresql://me:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("blocked", "extra"), [("sqlalchemy", "watch"), ("psycopg", "postgres")])
def test_without_the_extra_the_install_line_is_named(blocked, extra):
    code = f"""
import sys
sys.modules[{blocked!r}] = None
from ganad.errors import MissingExtra
from ganad.history import Entry, Writer
try:
    from ganad.history import History
    History("postgresql://host/name")
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"pip install 'ganad[{extra}]'" in done.stdout, done.stderr
    assert issubclass(MissingExtra, ImportError)
