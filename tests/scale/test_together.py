"""One fit on two processes against one: the same losses, scores and weights; stopped, resumed, and with one lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ganad
from ganad import testing

#: Relative to a loss or score of 1: float32 sums in another order, after some dozens of steps.
CLOSE = dict(rtol=2e-3, atol=2e-4)
QUICK = ["autoencoder/table", "egbad/table", "ganomaly/images", "f-anogan/table", "dsebm/table", "vae/images"]
#: Their losses hold a figure of the batch that is no mean over samples: a covariance (DAGMM), the spread of a batch
#: (Fence GAN), the match of two means and distances within a batch (OCAN, MMOC GAN), a quantile (OC-NN).
OF_THE_BATCH = ("dagmm", "fence-gan", "mmoc-gan", "oc-nn", "ocan")
REST = [
    f"{ganad.registry.name_of(cls)}/{kind}"
    for cls in ganad.DETECTORS
    if issubclass(cls, ganad.NetworkDetector)
    for kind in testing.kinds(cls)
]


def place(number, count, port):
    """The environment of one of so many processes."""
    group = dict(RANK=number, WORLD_SIZE=count, LOCAL_RANK=number, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    return os.environ | {k: str(v) for k, v in group.items()} | {"OMP_NUM_THREADS": "1"}


def started(command, count):
    """The processes of a group of so many, each running the command."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [
        subprocess.Popen(
            [sys.executable, "-m", *map(str, command)],
            env=place(number, count, port) if count > 1 else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]


def finish(processes, code=0):
    said = [process.communicate(timeout=300) for process in processes]
    for process, (_, err) in zip(processes, said):
        assert process.returncode == code, err
    return said


def compare(folder, cases):
    """Fit the cases by one process and by two, and hold the results together."""
    groups = []
    for count in (1, 2):
        (folder / str(count)).mkdir()
        groups.append(started(["tests.scale.together", folder / str(count), *cases], count))
    for group in groups:
        finish(group)
    for case in cases:
        name = case.replace("/", ".")
        one, first, second = (
            json.loads((folder / path).read_text())
            for path in (f"1/{name}.0.json", f"2/{name}.0.json", f"2/{name}.1.json")
        )
        assert first["weights"] == second["weights"], case
        assert len(one["history"]) == len(first["history"]) > 0
        for row, other in zip(one["history"], first["history"]):
            assert row.keys() == other.keys() and row["stage"] == other["stage"]
            numbers = [key for key, value in row.items() if isinstance(value, float)]
            np.testing.assert_allclose([other[k] for k in numbers], [row[k] for k in numbers], err_msg=case, **CLOSE)
        scale = max(1e-3, float(np.abs(one["scores"]).mean()))
        np.testing.assert_allclose(
            np.array(first["scores"]) / scale, np.array(one["scores"]) / scale, err_msg=case, rtol=0, atol=5e-3
        )


def test_two_processes_come_to_the_losses_and_scores_of_one(tmp_path):
    """Noise, dropout, batch norm, gradient penalties, several stages, clipping, averaging and early stopping."""
    compare(tmp_path, QUICK)


@pytest.mark.slow
def test_so_do_all_methods_whose_losses_are_means_over_samples(tmp_path):
    compare(tmp_path, [case for case in REST if case not in QUICK and case.split("/")[0] not in OF_THE_BATCH])


@pytest.fixture
def table(tmp_path):
    x = testing.normal("table")
    pq.write_table(pa.table({f"f{i}": x[:, i] for i in range(6)}), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def fit(table, model, *more, epochs=3):
    settings = ["--epochs", epochs, "--latent-dim", 3, "--batch-size", 48, "--random-state", 0, "--noise-sd", 0.1]
    return ["ganad", "fit", table, "--method", "autoencoder", *settings, "-o", model, *more]


def scores(model):
    return ganad.load(model).anomaly_score(testing.normal("table"))


@pytest.mark.slow
def test_the_command_stops_together_and_fits_to_the_scores_of_one(table, tmp_path):
    finish(started(fit(table, tmp_path / "whole"), 1))
    long = started(fit(table, tmp_path / "m", epochs=100_000), 2)
    deadline = time.monotonic() + 120
    while not (tmp_path / "m.ckpt" / "current.safetensors").exists():
        assert time.monotonic() < deadline and all(process.poll() is None for process in long)
        time.sleep(0.05)
    long[1].send_signal(signal.SIGTERM)  # of one alone; both stop after the same step
    said = finish(long, code=130)
    assert all("checkpoint kept" in err for _, err in said)
    assert not (tmp_path / "m").exists()
    finish(started(fit(table, tmp_path / "two"), 2))
    assert np.allclose(scores(tmp_path / "two"), scores(tmp_path / "whole"), rtol=1e-3)
    rows = [json.loads(line) for line in (tmp_path / "two.metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]


@pytest.mark.slow
def test_a_checkpoint_of_two_processes_is_continued_by_one(tmp_path):
    """``tests.scale.resumed`` stops after an epoch; whoever goes on ends where nobody was stopped."""
    command = ["tests.scale.resumed", tmp_path / "c"]
    finish(started([*command, "stop"], 2))
    assert (tmp_path / "c" / "current.safetensors").exists()
    ((out, _),) = finish(started([*command, "go on"], 1))
    ((whole, _),) = finish(started(["tests.scale.resumed", tmp_path / "d", "whole"], 1))
    assert np.allclose(json.loads(out), json.loads(whole), rtol=1e-3)
