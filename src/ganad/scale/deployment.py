"""The HTTP service as a deployment of Ray Serve, whose replicas grow and shrink with the requests."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError, MissingExtra
from .cluster import imported

if TYPE_CHECKING:
    from fastapi import FastAPI


def deployment(
    model: str | Path,
    *,
    engine: Literal["auto", "onnx", "torch"] = "auto",
    replicas: tuple[int, int] = (1, 4),
    requests: float = 8,
    gpus: float = 0.0,
) -> Any:
    """An application for ``ray.serve.run``: every replica is the service of ``ganad serve`` with the model.

    model: a file that every machine can read. replicas: the fewest and the most. requests: under way in a replica on
    average, which Ray aims at. gpus: of a replica; 0.25 lets four share one. Who may ask is up to the proxy of Ray,
    so every host name is answered. The figures under /metrics are those of the replica that answers.

    Raises MissingExtra without ``ray[serve]`` or the extra ``serve``, InputError for replicas that cannot be.
    """
    imported()
    try:
        serve = importlib.import_module("ray.serve")
        importlib.import_module("fastapi")
    except ImportError as error:
        raise MissingExtra("Ray Serve needs more: pip install 'ganad[scale,serve]' 'ray[serve]'") from error
    least, most = replicas
    if not 0 <= least <= most or most < 1:
        raise InputError(f"replicas={replicas} cannot be; give the fewest and the most, such as (1, 4)")
    if not Path(model).is_file():
        raise InputError(f"{model}: no such file")
    path = str(Path(model).resolve())

    def application() -> FastAPI:  # Ray takes any other callable for the application itself
        return _app(path, engine)

    scaling = {"min_replicas": least, "max_replicas": most, "target_ongoing_requests": requests}
    served = serve.ingress(application)(_Replica)
    made = serve.deployment(served, name="ganad", autoscaling_config=scaling, ray_actor_options={"num_gpus": gpus})
    return made.bind()


class _Replica:
    """Holds the application that ``ingress`` builds in every replica."""


def _app(model: str, engine: Literal["auto", "onnx", "torch"]) -> FastAPI:
    from ..loading import load  # with torch, which takes seconds to import
    from ..serve.app import create_app

    return create_app(load(model), engine=engine, local_only=False)
