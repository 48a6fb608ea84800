"""What a fit writes while it trains is complete, read by the programs it is for, and changes nothing in the fit."""

import io
import json
import os
import signal
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ganad import DETECTORS, EGBAD, NearestNeighbor
from ganad.errors import MissingExtra
from ganad.logs import MetricsFile, TensorBoard

from .samples import fitted, has_networks, normal, small


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def timeless(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.parametrize("detector", [d for d in DETECTORS if has_networks(d)], ids=lambda d: d.__name__)
def test_watching_changes_no_bit(detector, tmp_path):
    x = normal("images")
    watched, blind = small(detector).fit(x, on_epoch=TensorBoard(tmp_path, x)), fitted(detector, "images")
    pairs = zip(watched.nets_.state_dict().values(), blind.nets_.state_dict().values())
    assert all(torch.equal(a, b) for a, b in pairs)
    assert np.array_equal(watched.anomaly_score(x), blind.anomaly_score(x))
    assert timeless(watched.history_) == timeless(blind.history_)


def test_each_epoch_has_its_line_when_it_ends(tmp_path):
    seen, log = [], MetricsFile(tmp_path / "m.jsonl")
    model = small(EGBAD, epochs=3)
    model.fit(normal("table"), on_epoch=lambda detector: (log(detector), seen.append(lines(log.path))))
    assert seen == [model.history_[:n] for n in (1, 2, 3)]


def stopped_by_error(detector):
    raise RuntimeError("after the line, before the checkpoint")


def stopped_by_signal(detector):
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("stop", [stopped_by_error, stopped_by_signal])
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_resumed_fit_neither_repeats_nor_loses_a_line_or_step(stop, tmp_path):
    x = normal("images")
    whole = small(EGBAD, epochs=4).fit(x)
    model, place = small(EGBAD, epochs=4), dict(checkpoint=tmp_path / "c")

    def watch(before_stop):
        log, board = MetricsFile(tmp_path / "m.jsonl"), TensorBoard(tmp_path / "t", x)
        return lambda d: (log(d), board(d), stop(d) if len(d.history_) == before_stop else None)

    with pytest.raises((RuntimeError, KeyboardInterrupt)):
        model.fit(x, **place, on_epoch=watch(2))
    assert len(lines(tmp_path / "m.jsonl")) == 2
    time.sleep(1)  # event files are read in the order of their names, which begin with the second
    model.fit(x, **place, resume=True, on_epoch=watch(None))
    assert lines(tmp_path / "m.jsonl") == model.history_
    assert timeless(model.history_) == timeless(whole.history_)
    events = EventAccumulator(str(tmp_path / "t")).Reload()
    scalars = events.Scalars("training/discriminator/encoded")
    assert [e.step for e in scalars] == [1, 2, 3, 4]
    losses = [row["discriminator/encoded"] for row in model.history_]
    assert [e.value for e in scalars] == pytest.approx(losses, rel=1e-6)
    for tag in ("generated", "input and reconstruction"):
        images = events.Images(tag)
        assert [e.step for e in images] == [1, 2, 3, 4]
        grid = Image.open(io.BytesIO(images[-1].encoded_image_string))
        assert grid.size == (8 * 8, 2 * 8)
    assert np.array_equal(np.asarray(grid)[:8, :8, 0], x[0])  # the grid begins with the first input as it was given


def test_float_images_are_shown_over_their_own_range(tmp_path):
    x = normal("images").astype(np.float32) / 255 - 3
    board = TensorBoard(tmp_path, x)
    assert np.abs(board.eight_bit(x)[..., 0].astype(int) - normal("images")).max() <= 1


def test_a_method_without_epochs_leaves_an_empty_file_even_over_another_fits(tmp_path):
    log = MetricsFile(tmp_path / "m.jsonl")
    small(EGBAD).fit(normal("table"), on_epoch=log)
    assert lines(log.path)
    MetricsFile(log.path)(small(NearestNeighbor).fit(normal("table")))
    assert lines(log.path) == []


def test_without_the_extra_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtra, match=r"pip install 'ganad\[tensorboard\]'"):
        TensorBoard(tmp_path, normal("images"))
