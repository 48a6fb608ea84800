"""The HTTP interface: which path does what."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from .. import __version__
from ..detector import Detector
from .answers import finite
from .html import add_pages
from .limits import Limits
from .meters import Meters
from .middleware import Answers, answer_errors
from .photos import input_of, scoring_of
from .receiving import Room, receive, refuse_foreign
from .schema import ANSWERS, BODY


def create_app(
    detector: Detector,
    *,
    engine: Literal["auto", "onnx", "torch"] = "auto",
    limits: Limits | None = None,
    local_only: bool = True,
) -> FastAPI:
    """The ASGI application for one fitted detector.

    ``engine`` "auto" takes ONNX Runtime where the score is a forward pass and the extra is installed, else torch.
    ``local_only`` answers only requests for this machine's own names. Raises InputError or MissingExtra where
    "onnx" was asked for and cannot be had.
    """
    limits = limits or Limits()
    engine_name, scoring = scoring_of(detector, engine, limits)
    meters = Meters(lambda: scoring.batcher.n_waiting)
    scoring.batcher.on_batch = meters.batches.observe
    room = Room(limits.bodies_bytes)
    description = f"Anomaly scores by {type(detector).__name__}."
    app = FastAPI(title="ganad", version=__version__, description=description, docs_url=None, redoc_url=None)
    if local_only:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]", "testserver"])
    app.add_middleware(Answers, on_answer=meters.answered)
    answer_errors(app)

    @app.post("/score", openapi_extra=BODY, responses=ANSWERS)
    async def score(request: Request, explain: bool = False) -> JSONResponse:
        """Score an image or table rows; ``explain=true`` adds where, or which columns."""
        refuse_foreign(request)
        with room.guest() as take, meters.seconds.time():
            body = await receive(request, limits, take)
            answer = await scoring.answer(body, request.headers.get("content-type", ""), explain)
            meters.flagged.inc(sum(result["is_anomaly"] for result in answer["results"]))
            return JSONResponse(answer)

    @app.get("/model")
    async def model() -> dict[str, Any]:
        """What is served."""
        return about(detector) | {"engine": engine_name, "version": __version__}

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether it is up."""
        return {"status": "ok"}

    @app.get("/metrics")
    async def measured() -> Response:
        """Prometheus' text."""
        return Response(meters.text(), media_type="text/plain; version=0.0.4")

    add_pages(app)
    return app


def about(detector: Detector) -> dict[str, Any]:
    """Method, input and threshold of a detector."""
    return {
        "method": type(detector).__name__,
        **input_of(detector),
        "columns": list(getattr(detector, "columns_", None) or []),
        "threshold": finite(detector.threshold_),
        "calibrated": hasattr(detector, "calibration_"),
    }
