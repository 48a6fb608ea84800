"""Keeping what was scored while the database is away, and when too much waits."""

import logging
import time

import numpy as np
import pytest

from ganad.errors import HistoryUnavailable
from ganad.history import Writer
from ganad.serve import recording
from ganad.serve.answers import heat_map
from ganad.serve.recording import Recorder

from ..samples import normal


class Away:
    """A history that cannot be reached until ``back``."""

    def __init__(self):
        self.back, self.kept = False, []

    def add(self, entries):
        if not self.back:
            raise HistoryUnavailable("the database is away")
        self.kept += entries


def wait_until(true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def away():
    return Away()


@pytest.fixture
def recorder(away):
    recorder = Recorder(Writer(away, waiting=100, batch=20, first=0.01, longest=0.02), spot_checks=0.2)
    yield recorder
    recorder.close()


def answers(keep, n, together=1, maps=None):
    x = normal("images")[:together]
    for i in range(n):
        names = [f"{i}.{j}" for j in range(together)]
        keep((names, x, np.arange(together) + 1000.0 * (i % 2), maps or {}))


def test_nothing_is_lost_while_the_database_is_away(recorder, away, picture_model):
    keep = recorder.keeping(picture_model, "m" * 64)
    answers(keep, 300)
    answers(keep, 5, together=70)  # each more than a batch
    wait_until(lambda: recorder.writer.behind >= 50)
    assert recorder.behind >= 600 and recorder.dropped == 0
    away.back = True
    wait_until(lambda: recorder.behind == 0)
    names = [f"{i}.0" for i in range(300)] + [f"{i}.{j}" for i in range(5) for j in range(70)]
    assert [entry.name for entry in away.kept] == names
    assert recorder.written == 650 and recorder.dropped == 0
    assert all(entry.is_anomaly == (entry.score > picture_model.threshold_) for entry in away.kept)


def test_what_does_not_find_room_is_counted_and_told(recorder, away, picture_model, monkeypatch, caplog):
    monkeypatch.setattr(recording, "_MOST", 200)
    keep = recorder.keeping(picture_model, "m" * 64)
    with caplog.at_level(logging.WARNING, logger="ganad"):
        answers(keep, 1000)
        assert recorder.dropped > 0
    assert sum("falls behind" in record.message for record in caplog.records) == 1
    away.back = True
    wait_until(lambda: recorder.behind == 0)
    assert len(away.kept) + recorder.dropped == 1000


def test_an_answer_that_cannot_be_kept_does_not_end_the_keeping(recorder, away, picture_model):
    away.back = True
    keep = recorder.keeping(picture_model, "m" * 64)
    keep((["odd"], normal("images")[:1], np.array([9e9]), {0: "data:image/png;base64,AAAA"}))
    time.sleep(0.3)
    answers(keep, 3)
    wait_until(lambda: len(away.kept) == 3)
    assert recorder.dropped == 1 and recorder.behind == 0


def test_pictures_show_where_and_passed_ones_are_few(recorder, away, picture_model):
    away.back = True
    keep = recorder.keeping(picture_model, "m" * 64)
    x = normal("images")[:1]
    where = np.zeros(x.shape[1:3])
    where[0, 0] = 1.0
    keep((["far"], x, np.array([9e9]), {0: heat_map(where)}))
    keep((["far"], x, np.array([9e9]), {}))
    wait_until(lambda: len(away.kept) == 2)
    with_map, without = away.kept
    assert with_map.is_anomaly and with_map.thumbnail != without.thumbnail
    answers(keep, 200)
    wait_until(lambda: len(away.kept) == 202)
    passed = [entry for entry in away.kept if not (entry.is_anomaly or entry.spot_check)]
    assert all(entry.thumbnail for entry in away.kept if entry.is_anomaly or entry.spot_check)
    assert sum(entry.thumbnail is not None for entry in passed) <= 20 < len(passed)
