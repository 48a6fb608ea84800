"""One fit on the workers of a Ray cluster."""

import os
import signal
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import ganad
from ganad import InputError, testing
from ganad.cli.main import build_app
from ganad.scale import Cluster, fitting

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def arguments(tmp_path):
    x = testing.normal("table")
    pq.write_table(pa.table({f"f{i}": x[:, i] for i in range(6)}), tmp_path / "t.parquet")
    settings = "--method autoencoder --epochs 3 --latent-dim 3 --batch-size 48 --random-state 0 --noise-sd 0.1"
    return ["fit", str(tmp_path / "t.parquet"), *settings.split()]


def test_two_workers_come_to_the_scores_of_one(ray_here, arguments, tmp_path, monkeypatch):
    def run(*more):
        given = [*arguments, *more]
        monkeypatch.setattr(sys, "argv", ["ganad", *given])
        result = CliRunner().invoke(build_app(given), given)
        assert result.exit_code == 0, result.output
        return result.output

    run("-o", str(tmp_path / "one"))
    said = run("-o", str(tmp_path / "two"), "--engine", "ray", "--workers", "2")
    assert "400 normal samples" in said and said.count("metrics   ") == 1
    one, two = (ganad.load(tmp_path / name).anomaly_score(testing.normal("table")) for name in ("one", "two"))
    assert one == pytest.approx(two, rel=1e-3)


dies = fitting._act


def killed_once(place):
    """The command, but the second worker's process is killed in the second epoch of the first time."""
    if place is not None and place.number == 1 and not os.path.exists(mark := place.arguments[-1] + ".died"):
        from ganad.training import run

        end_epoch = run.Run.end_epoch

        def dying(self):
            end_epoch(self)
            if self.stream.epoch == 2:
                open(mark, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)

        run.Run.end_epoch = dying
    return dies(place)


def test_a_fit_whose_worker_is_killed_goes_on_from_the_checkpoint(ray_here, arguments, tmp_path, monkeypatch):
    model = tmp_path / "m"
    monkeypatch.setattr(fitting, "_act", killed_once)
    ended = fitting.fit([*arguments, "-o", str(model)], tmp_path / "m.ckpt", Cluster(workers=2))
    assert ended.code == 0, ended.err
    assert (tmp_path / "m.died").exists()
    whole = tmp_path / "whole"
    fitting.fit([*arguments, "-o", str(whole)], tmp_path / "whole.ckpt", Cluster(workers=1))
    one, two = (ganad.load(path).anomaly_score(testing.normal("table")) for path in (whole, model))
    assert one == pytest.approx(two, rel=1e-3)


def test_what_a_worker_refuses_is_said_once(ray_here, arguments, tmp_path):
    ended = fitting.fit([*arguments, "--epochs", "-3", "-o", str(tmp_path / "m")], tmp_path / "c", Cluster(workers=2))
    assert ended.code == 2 and ended.err.startswith("ganad: ") and ended.err.count("\n") == 1
    with pytest.raises(InputError, match="room for 2 workers, not for 9"):
        fitting.fit(arguments, tmp_path / "c", Cluster(workers=9))
