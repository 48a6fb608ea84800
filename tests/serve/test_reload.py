"""A model file that is replaced: the new one answers, no request is dropped, and no answer mixes two models."""

import asyncio
import hashlib
import signal
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import numpy as np
import pandas as pd
import pytest

from ganad import KDE, InputError, load, loading
from ganad.history import History
from ganad.loading import load_hashed
from ganad.serve import Limits, serve
from ganad.serve.board import Board
from ganad.serve.served import Current, ModelFile, Served

from ..samples import normal
from .conftest import running
from .test_load import command
from .test_service import png, post


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wait_for(url, path, seconds=60):
    deadline = time.monotonic() + seconds
    while httpx.get(f"{url}/model").json()["sha256"] != sha256(path):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture
def other_model(picture_model, tmp_path):
    """The same networks with another threshold and calibration."""
    picture_model.save(tmp_path / "other")
    return load(tmp_path / "other").calibrate(normal("images")[100:150], false_alarm_rate=0.3)


def test_models_are_replaced_under_load(picture_model, other_model, tmp_path):
    path = tmp_path / "model"
    picture_model.save(path)
    images = [png(image) for image in normal("images")[:20]]
    thresholds, stop = {}, threading.Event()
    for model in (picture_model, other_model):
        p = model.p_values(normal("images")[:20])
        thresholds[model.threshold_] = p.tolist()

    def ask(worker):
        seen = []
        with httpx.Client(timeout=30) as client:
            while not stop.is_set():
                i = (len(seen) + worker) % 20
                answer = client.post(f"{url}/score", content=images[i], headers={"Content-Type": "image/png"})
                assert answer.status_code == 200
                found = answer.json()
                expected = thresholds[found["threshold"]][i]
                assert found["results"][0]["p_value"] == pytest.approx(expected)
                seen.append(found["threshold"])
        return seen

    with running(picture_model, file=ModelFile(path), engine="torch") as url, ThreadPoolExecutor(4) as pool:
        working = [pool.submit(ask, worker) for worker in range(4)]
        try:
            for model in (other_model, picture_model, other_model):
                model.save(path)
                wait_for(url, path)
        finally:
            stop.set()
        for worker in working:
            assert set(worker.result()) == set(thresholds)  # each met both
        assert "ganad_model_reloads 3.0" in httpx.get(f"{url}/metrics").text


def test_a_file_that_is_replaced_after_the_first_model_was_read(picture_model, other_model, tmp_path):
    path = tmp_path / "model"
    picture_model.save(path)
    file, (first, known) = ModelFile(path), load_hashed(path)
    other_model.save(path)
    with running(first, sha256=known, file=file, engine="torch") as url:
        wait_for(url, path)
        assert httpx.get(f"{url}/model").json()["threshold"] == pytest.approx(other_model.threshold_)


def test_a_file_that_is_not_a_model_leaves_the_old_one(picture_model, other_model, tmp_path):
    path = tmp_path / "model"
    picture_model.save(path)
    known = sha256(path)
    with running(picture_model, file=ModelFile(path), engine="torch") as url:

        def failures():
            return float(httpx.get(f"{url}/metrics").text.partition("\nganad_model_failures ")[2].split()[0])

        for n, damage in enumerate((lambda: path.write_bytes(path.read_bytes()[:-9]), path.unlink)):
            damage()
            deadline = time.monotonic() + 30
            while failures() == n and path.is_file():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert post(url, png(normal("images")[0]), "image/png").status_code == 200
            assert httpx.get(f"{url}/model").json()["sha256"] == known
        other_model.save(path)
        wait_for(url, path)


@pytest.mark.parametrize(("columns", "refused"), [(("a", "b"), None), (("a", "c"), "columns"), (None, "images")])
def test_a_model_of_other_samples_leaves_the_old_one(columns, refused, picture_model, caplog):
    def served(names):
        rows = np.random.default_rng(0).normal(size=(30, 2))
        model = picture_model if names is None else KDE().fit(pd.DataFrame(rows, columns=list(names)))
        return Served.of(model, "torch", Limits(), sha256=str(names))

    first = served(("a", "b"))
    current, new = Current(first, lambda served: None), replace(served(columns), sha256="another")
    with ThreadPoolExecutor(1) as elsewhere:  # the browser's tests leave a loop in this thread
        elsewhere.submit(asyncio.run, current.reload(lambda: new)).result()
    assert current.served is (first if refused else new)
    assert current.failures == bool(refused) and (refused or "") in caplog.text


def test_the_old_model_is_forgotten(picture_model, tmp_path):
    picture_model.save(tmp_path / "model")
    board = Board(History(tmp_path / "history.db"), tmp_path / "model")
    models = [load(tmp_path / "model") for _ in range(2)]
    old = weakref.ref(models[0])
    first, second = (Served.of(model, "torch", Limits(), "", board.recorder.keeping) for model in models)
    current = Current(first, board.live.serve)
    del models[0], first
    current.put(second)
    assert old() is None  # without the garbage collector, which does not search what was there at the start
    board.close()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
def test_a_hangup_before_it_listens_ends_nothing(tmp_path, monkeypatch):
    def load(path):
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        raise InputError("loaded")

    former = signal.getsignal(signal.SIGHUP)
    monkeypatch.setattr(loading, "load_hashed", load)
    with pytest.raises(InputError, match="loaded"):
        serve(tmp_path / "model")
    assert signal.getsignal(signal.SIGHUP) == former


@pytest.mark.slow
def test_a_hangup_reloads_and_the_end_keeps_what_was_scored(picture_model, other_model, tmp_path):
    kept = str(tmp_path / "history.db")
    with command(picture_model, tmp_path, "--history", kept, "--spot-checks", "0", "--engine", "torch") as (
        url,
        process,
    ):
        path = tmp_path / "model"
        hashes = [sha256(path)]
        for i in range(100):
            assert post(url, png(normal("images")[i]), "image/png", name=f"a{i}").status_code == 200
        other_model.save(path)
        process.send_signal(signal.SIGHUP)
        wait_for(url, path)
        assert process.poll() is None
        hashes.append(sha256(path))
        for i in range(100):
            assert post(url, png(normal("images")[i]), "image/png", name=f"b{i}").status_code == 200
    with History(kept, create=False) as history:  # at once after SIGTERM
        assert [row.name for row in history.rows()] == [f"{part}{i}" for part in "ab" for i in range(100)]
        assert [history.count(model=sha) for sha in hashes] == [100, 100]
        assert [model.sha256 for model in history.models()] == hashes
