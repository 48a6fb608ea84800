"""Trials on Ray: the rows of a serial run, from workers that die as well."""

import functools
import multiprocessing
import os
import signal
import sys
import time

import numpy as np
import pytest
from sklearn.base import clone
from typer.testing import CliRunner

import ganad
from ganad import InputError, bench, engines
from ganad.bench import grid, trial
from ganad.bench.rows import key, read
from ganad.cli.main import build_app
from ganad.engines import Lost, Processes, Serial
from ganad.scale import Cluster

from ..samples import normal, small

pytestmark = pytest.mark.ray
CLOCK = ("fit_s", "score_s", "peak_mb")
OPTIONS = dict(labels=["DCAE", "KDE", "random"], classes=["0"], seeds=1, budget="smoke")


def rows_of(folder, engine):
    """The rows of a small grid in a fixed order, without what a second run may change."""
    rows = bench.run(bench.tasks("digits", **OPTIONS), folder, engine=engine)
    return sorted(({k: v for k, v in row.items() if k not in CLOCK} for row in rows), key=key)


def dies_once(task, folder):
    """Ends its process by SIGKILL the first time that the trial ``random`` comes."""
    mark = folder / "died"
    if task.label == "random" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return trial(task)


def test_serial_processes_and_ray_give_equal_rows_and_a_killed_worker_changes_none(ray_here, tmp_path, monkeypatch):
    serial = rows_of(tmp_path / "serial", Serial())
    assert len(serial) == 3 and not any("error" in row for row in serial)
    assert rows_of(tmp_path / "processes", Processes(2)) == serial
    monkeypatch.setattr(grid, "trial", functools.partial(dies_once, folder=tmp_path))
    assert rows_of(tmp_path / "ray", Cluster()) == serial
    assert (tmp_path / "died").exists()


def ends(item):
    """Ends every worker that gets 1."""
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item * 10


def ends_once_told(item, told):
    """Ends every worker that gets 1, but not before the file ``told`` is there."""
    while item == 1 and not told.exists():
        time.sleep(0.01)
    return ends(item)


def test_an_item_taken_while_the_pool_breaks_is_not_dropped(tmp_path):
    others, found = set(multiprocessing.active_children()), {}
    for item, result in Processes(2).map(functools.partial(ends_once_told, told=tmp_path / "told"), range(4)):
        found[item] = result
        if item == 0:  # the pool breaks and ends its workers while this result is looked at
            (tmp_path / "told").touch()
            while set(multiprocessing.active_children()) - others:
                time.sleep(0.01)
    assert isinstance(found.pop(1), Lost) and found == {0: 0, 2: 20, 3: 30}


def refuses(item):
    raise InputError(f"no {item}")


@pytest.mark.slow
def test_an_item_that_ends_every_worker_is_lost_and_the_others_come(ray_here):
    found = dict(Cluster().map(ends, range(4)))
    assert isinstance(found.pop(1), Lost) and found == {0: 0, 2: 20, 3: 30}


@pytest.mark.parametrize("engine", [Serial(), Processes(2), pytest.param(Cluster(), marks=pytest.mark.slow)])
def test_what_a_function_raises_is_raised_here(ray_here, engine):
    with pytest.raises(InputError, match=r"^no 7$"):
        list(engine.map(refuses, [7]))


def square(item):
    return item * item


@pytest.mark.slow
def test_items_are_taken_when_a_worker_is_free_and_no_sooner(ray_here):
    taken = []
    items = (taken.append(i) or i for i in range(1000))
    results = Cluster(workers=2).map(square, items)
    assert sorted(next(results)[1] for _ in range(3)) == [0, 1, 4] and len(taken) <= 3 + 2
    results.close()


@pytest.mark.slow
def test_ctrl_c_keeps_the_finished_rows(ray_here, tmp_path):
    def stop(row, done, total):
        raise KeyboardInterrupt

    tasks = bench.tasks("digits", **OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        bench.run(tasks, tmp_path, engine=Cluster(), on_row=stop)
    assert len(read(tmp_path / "digits.jsonl")) == 1
    assert len(bench.run(tasks, tmp_path, engine=Cluster())) == 2


def test_a_share_that_no_machine_has_is_refused(ray_here):
    with pytest.raises(InputError, match="the cluster has 2 cores and 0 GPUs"):
        list(Cluster(gpus=0.25).map(square, [1]))


@pytest.mark.slow
def test_the_command_runs_on_a_cluster(ray_here, tmp_path):
    command = "bench digits --engine ray --workers 2 --methods random,brightness --classes 0 --seeds 1 --budget smoke"
    result = CliRunner().invoke(build_app([]), [*command.split(), "--results", str(tmp_path)])
    assert result.exit_code == 0 and "2/2" in result.output, result.output
    assert len(read(tmp_path / "digits.jsonl")) == 2


def test_without_ray_the_command_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    result = CliRunner().invoke(build_app([]), ["bench", "digits", "--engine", "ray", "--results", str(tmp_path)])
    assert result.exit_code == 2
    assert result.output == "ganad: a cluster needs the extra scale: pip install 'ganad[scale]'\n"


def test_members_of_an_ensemble_are_fitted_on_ray_as_in_turn(ray_here):
    x = normal("table")
    members = [small(ganad.AutoEncoder, random_state=None), ganad.KDE(), small(ganad.VAE, random_state=None)]
    ensemble = small(ganad.Ensemble, members=members)
    expected = clone(ensemble).fit(x).member_scores(x)
    with engines.on(Cluster(workers=2)):
        assert np.array_equal(clone(ensemble).fit(x).member_scores(x), expected)
