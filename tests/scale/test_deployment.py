"""The service on Ray Serve."""

import importlib.util
import json
import urllib.request

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


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.skipif(not HAS_SERVE, reason="needs ray[serve]")
def test_a_deployment_answers_as_the_service_does(ray_here, model):
    from ray import serve

    serve.run(deployment(model, engine="torch", replicas=(1, 2)), name="ganad")
    try:
        body = json.dumps({"rows": [[1.0, 2.0, 3.0]]}).encode()
        request = urllib.request.Request("http://127.0.0.1:8000/score", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            (result,) = json.loads(answer.read())["results"]
        expected = ganad.load(model).anomaly_score(np.array([[1.0, 2.0, 3.0]]))[0]
        assert result["score"] == pytest.approx(expected)
    finally:
        serve.shutdown()
