"""A writer whose database goes away and comes back."""

import logging
import threading

import pytest

from ganad.errors import HistoryUnavailable
from ganad.history import Entry, History, Writer


def entry(number):
    return Entry(name=str(number), score=number, is_anomaly=False, threshold=1e9, seen_at=0.0, model="m")


class Away:
    """A history that cannot be reached while ``gate`` is shut."""

    def __init__(self):
        self.gate = threading.Event()
        self.kept = []
        self.asked = threading.Event()

    def add(self, entries):
        self.asked.set()
        if not self.gate.is_set():
            raise HistoryUnavailable("db: the history cannot be reached (gone)")
        self.kept += list(entries)


@pytest.fixture
def away():
    return Away()


def test_entries_wait_in_their_order(away):
    with Writer(away, first=0.001, longest=0.01) as writer:
        writer.put(entry(i) for i in range(1000))
        assert away.asked.wait(30)
        writer.put([entry(1000)])
        assert writer.behind == 1001 and not writer.flush(0.02)
        assert "gone" in writer.problem
        away.gate.set()
        assert writer.flush(30)
        assert writer.behind == 0 and writer.problem is None
    assert [e.score for e in away.kept] == list(range(1001)) and writer.dropped == 0


def test_what_finds_no_place_is_counted_and_told(away, caplog):
    with caplog.at_level(logging.WARNING, "ganad"), Writer(away, waiting=10, first=0.001) as writer:
        for i in range(25):
            writer.put([entry(i)])
        assert (writer.behind, writer.dropped) == (10, 15)
        away.gate.set()
    assert [e.score for e in away.kept] == list(range(10))
    assert sum("falls behind" in m for m in caplog.messages) == 1


def test_the_end_waits_only_so_long_and_says_what_is_lost(away, caplog):
    writer = Writer(away, first=0.001)
    writer.put([entry(1), entry(2)])
    with caplog.at_level(logging.WARNING, "ganad"):
        writer.close(timeout=0.05)
    assert writer.dropped == 2 and "2 entries, which are lost" in caplog.text
    writer.put([entry(3)])
    assert writer.dropped == 3


def test_entries_that_no_database_takes_do_not_stop_the_rest(tmp_path, caplog):
    with History(tmp_path / "history.db") as history, caplog.at_level(logging.WARNING, "ganad"):
        with Writer(history, batch=1) as writer:
            writer.put([entry(1), Entry(name="x", score=1, is_anomaly=False, threshold=1, seen_at=0, model=None)])
            writer.put([entry(2)])
        assert [row.score for row in history.rows()] == [1, 2]
    assert writer.dropped == 1 and "1 entries are lost" in caplog.text


def test_a_server_that_stops_and_starts_loses_nothing(postgres):
    with History(postgres.database()) as history:
        with Writer(history, first=0.01, longest=0.1, batch=50) as writer:
            for i in range(2000):
                writer.put([entry(i)])
                if i in (300, 1200):
                    postgres.stop()
                if i in (700, 1600):
                    assert writer.behind > 0
                    postgres.start()
            assert writer.flush(60)
        assert writer.dropped == 0
        assert [row.score for row in history.rows()] == list(range(2000))
