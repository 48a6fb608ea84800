"""The verdict on a history in words: what a person confirmed does not count, and what changed most is named."""

from dataclasses import replace

import numpy as np
import pytest
import typer

from ganad import PCAResidual
from ganad.cli.main import run
from ganad.data import load
from ganad.files import sha256_of
from ganad.history import Entry, History, ModelRecord
from ganad.history.changes import changes
from ganad.history.drift import WINDOW
from ganad.history.monitor import Monitor
from ganad.watching.verdicts import Verdicts, record_of

MODEL = "a" * 64
RNG = np.random.default_rng(0)
CALIBRATION = RNG.normal(size=500)
RECORD = ModelRecord(
    sha256=MODEL,
    name="part.safetensors",
    method="KDE",
    threshold=2.3,
    false_alarm_rate=0.01,
    calibration=CALIBRATION.tobytes(),
    registered_at=1.0,
)


def entries(scores, start=0, **traits):
    return [
        Entry(
            name=str(i),
            score=float(score),
            is_anomaly=bool(score > 2.3),
            threshold=2.3,
            seen_at=1.6e9 + i,
            model=MODEL,
            traits={name: float(values[i - start]) for name, values in traits.items()},
        )
        for i, score in enumerate(scores, start)
    ]


def stream(n, shift=0.0, seed=1):
    return np.random.default_rng(seed).normal(size=n) + shift


@pytest.fixture
def kept(tmp_path):
    with History(tmp_path / "history.db") as history:
        history.register(RECORD)
        yield history


def verdict_on(history, record=RECORD):
    monitor = Monitor(history, record)
    monitor.refresh()
    return monitor.verdict()


def test_without_drift_and_without_samples(kept):
    assert verdict_on(kept).sentence == "no sample yet"
    kept.add(entries(stream(1000)))
    found = verdict_on(kept)
    assert not found.drifting and found.sentence.startswith("still as calibrated (")
    assert found.rate.n == WINDOW and found.rate.low < 0.01 < found.rate.high
    assert "not calibrated" in verdict_on(kept, replace(RECORD, calibration=None)).sentence


def test_drift_with_its_beginning_and_what_changed_most(kept):
    scores = np.concatenate([stream(1000), stream(600, 1.5, seed=2)])
    light = np.concatenate([stream(1000, 0.5, seed=3), stream(600, 3, seed=4)])
    kept.add(entries(scores, brightness=light, contrast=stream(1600, seed=5)))
    found = verdict_on(kept)
    assert found.drifting and abs(found.since - 1.6e9 - 1000) < 30
    assert "scores have risen, the threshold no longer keeps 1 %" in found.sentence
    assert [change.name for change in found.changes] == ["brightness"]
    assert found.changes[0].shift == pytest.approx(2.5, abs=0.2)
    assert "what changed most: brightness from" in str(found)


def test_drift_that_the_threshold_survives(kept):
    kept.add(entries(np.concatenate([stream(1000), stream(600, -1.5, seed=2)])))
    sentence = verdict_on(kept).sentence
    assert "scores have fallen, the threshold still keeps 1 %" in sentence


def test_what_a_person_confirmed_does_not_count(kept):
    scores = stream(1000)
    scores[700:760] = 9.0
    kept.add(entries(scores))
    monitor = Monitor(kept, RECORD)
    assert monitor.refresh() and not monitor.refresh()
    assert monitor.verdict().drifting
    for row in kept.rows(flagged=True):
        kept.mark(row.id, "anomaly" if row.score == 9.0 else "normal")
    monitor._again_from = 0.0  # at once
    assert monitor.refresh()
    assert not monitor.verdict().drifting and monitor.drift.n == 940
    first, *_ = kept.rows(feedback="anomaly")
    other, *_ = kept.rows(feedback="none")
    kept.mark(first.id, None)
    kept.mark(other.id, "anomaly")
    monitor._again_from = 0.0
    assert monitor.refresh()  # though there are as many as before


def test_a_monitor_that_reads_as_samples_come_says_what_one_says_that_reads_all(kept):
    monitor, scores = Monitor(kept, RECORD), np.concatenate([stream(500), stream(200, 1, seed=2)])
    for start in range(0, 700, 70):
        kept.add(entries(scores[start : start + 70], start))
        monitor.refresh()
    assert monitor.drift.n == 700
    assert monitor.verdict() == verdict_on(kept)


def test_a_monitor_looks_at_samples_of_other_models_once(kept):
    monitor = Monitor(kept, RECORD)
    assert monitor.refresh() and not monitor.refresh()  # of no sample
    kept.add(replace(one, model="b" * 64) for one in entries(stream(100)))
    assert not monitor.refresh() and monitor.last_id == kept.rows(newest=True, limit=1)[0].id
    kept.add(entries(stream(10)))
    assert monitor.refresh() and monitor.drift.n == 10


def test_the_command_ends_with_1_on_drift(kept, tmp_path, capsys):
    def check(*arguments):
        try:
            run(["history", str(tmp_path / "history.db"), "--check", *arguments])
        except (typer.Exit, SystemExit) as end:
            return getattr(end, "exit_code", getattr(end, "code", None)) or 0
        return 0

    kept.add(entries(stream(1000)))
    assert check() == 0
    assert capsys.readouterr().out.startswith("part.safetensors (aaaaaaaaaaaa): still as calibrated")
    kept.add(entries(stream(300, 2), start=1000))
    assert check() == 1
    assert "drifting since" in capsys.readouterr().out
    assert check("--model", "aaa") == 1
    assert check("--model", "b") == 2
    with History(tmp_path / "empty.db"):
        pass
    with pytest.raises((typer.Exit, SystemExit)):
        run(["history", str(tmp_path / "empty.db"), "--check"])


def test_changes_name_no_chance():
    rng = np.random.default_rng(0)
    before = [{"a": float(a), "b": 1.0, "c": 1.0} for a in rng.normal(size=300)]
    after = [{"a": float(a), "b": 1.0, "c": 2.0, "d": 5.0} for a in rng.normal(size=300)]
    (found,) = changes(before, after)
    assert found.name == "c" and found.shift == np.inf and "constant" in str(found)
    assert changes(before, []) == changes([], after) == []


def test_brighter_digits_are_told_within_300(tmp_path):
    """Real digits, drawn anew so that the stream and the calibration samples are exchangeable until it begins."""
    rng = np.random.default_rng(0)
    x = load("digits").x
    pool = x[900:]
    model = PCAResidual().fit(x[:900]).calibrate(pool[rng.integers(0, len(pool), 500)], false_alarm_rate=0.01)
    model.save(tmp_path / "model")
    seen = pool[rng.integers(0, len(pool), 3600)].astype(int)
    seen[3000:] = np.clip(seen[3000:] + 25, 0, 255)
    seen = seen.astype(np.uint8)
    record = record_of(model, "model", sha256_of(tmp_path / "model"))
    made = Verdicts(model, record.sha256).entries(seen, [str(i) for i in range(len(seen))], model.anomaly_score(seen))
    with History(tmp_path / "history.db", durable=False) as history:
        history.add(replace(entry, seen_at=float(i)) for i, entry in enumerate(made))
        monitor = Monitor(history, record)
        monitor.refresh()
        assert 3000 <= monitor.drift.alarm < 3300
        found = monitor.verdict()
        assert abs(found.since - 3000) < 50
        assert found.changes[0].name == "brightness" and found.changes[0].shift > 1
