"""The service on Ray Serve."""

import importlib.util
import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ganad
from ganad import InputError
from ganad.errors import MissingExtra
from ganad.scale import deployment

HAS_SERVE = importlib.util.find_spec("grpc_reflection") is not None  # which ray[serve] installs and ray[data] does not


@pytest.fixture
def model(tmp_path):
    detector = ganad.PCAResidual(n_components=2, verbose=0).fit(np.random.default_rng(0).normal(size=(60, 3)))
    columns = [{"name": name, "kind": "numeric"} for name in "abc"]
    detector.remember_source({"kind": "table", "columns": columns, "label": None}, list("abc"))
    detector.save(tmp_path / "m")
    return tmp_path / "m"


@pytest.mark.skipif(HAS_SERVE, reason="ray[serve] is here")
def test_without_ray_serve_it_says_what_to_install(model):
    with pytest.raises(MissingExtra, match=r"pip install 'ganad\[scale,serve\]' 'ray\[serve\]'"):
        deployment(model)


@pytest.mark.skipif(not HAS_SERVE, reason="needs ray[serve]")
def test_what_cannot_be_deployed_is_refused(model, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        deployment(tmp_path / "missing")
    for replicas in ((2, 1), (-1, 1), (0, 0)):
        with pytest.raises(InputError, match="cannot be; give the fewest and the most"):
            deployment(model, replicas=replicas)


@pytest.fixture
def deploy(ray_here, model):
    """A function that runs the model's deployment and returns the address of its scores."""
    from ray import serve

    def run(**settings):
        serve.run(deployment(model, engine="torch", **settings), name="ganad")
        return "http://127.0.0.1:8000/score"

    yield run
    serve.shutdown()


def ask(address, rows=1):
    body = json.dumps({"rows": [[1.0, 2.0, 3.0]] * rows}).encode()
    request = urllib.request.Request(address, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return [result["score"] for result in json.loads(answer.read())["results"]]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(not HAS_SERVE, reason="needs ray[serve]")
def test_a_deployment_answers_as_the_service_does(deploy, model):
    expected = ganad.load(model).anomaly_score(np.array([[1.0, 2.0, 3.0]]))
    assert ask(deploy(replicas=(1, 2))) == pytest.approx(expected)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(not HAS_SERVE, reason="needs ray[serve]")
def test_replicas_grow_with_the_requests(deploy):
    from ray import serve

    def running():
        return serve.status().applications["ganad"].deployments["ganad"].replica_states.get("RUNNING", 0)

    address = deploy(replicas=(1, 2), requests=0.5)
    assert running() == 1
    end = time.monotonic() + 120  # Ray waits half a minute before it grows
    with ThreadPoolExecutor(8) as pool:
        while running() < 2 and time.monotonic() < end:
            assert len({tuple(scores) for scores in pool.map(ask, [address] * 100, [50] * 100)}) == 1
    assert running() == 2
    assert len(ask(address)) == 1
