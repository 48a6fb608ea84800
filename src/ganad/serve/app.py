"""The HTTP interface."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from types import ModuleType
from typing import Any, Literal

import fastapi_offline
import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from PIL import Image
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import __version__
from ..detector import Detector
from ..errors import InputError
from ..explain import ranked
from . import Limits, bodies
from .batching import Batcher, Full, Readers
from .engine import make_scorer

_POLICY = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_EXPLAINED = 8  # columns of a row that an explanation names
_EXPLAINED_SAMPLES = 100  # of one request, those with the highest scores
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {}, "example": {"rows": [{"column": 1.0}]}},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    },
}
_NUMBER = {"type": ["number", "null"], "description": "null where it is infinite"}
_RESULT = {
    "type": "object",
    "required": ["name", "score", "is_anomaly"],
    "properties": {
        "name": {"type": "string"},
        "score": _NUMBER,
        "is_anomaly": {"type": "boolean"},
        "p_value": {"type": "number", "description": "of a calibrated model"},
        "explanation": {
            "description": "with explain=true: an image's heat map as a PNG in a data URL, or a row's columns",
            "oneOf": [
                {"type": ["string", "null"]},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"column": {"type": "string"}, "contribution": _NUMBER},
                    },
                },
            ],
        },
    },
}


def _schema(description: str, required: list[str], **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "properties": properties}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _schema("scores", ["threshold", "results"], threshold=_NUMBER, results={"type": "array", "items": _RESULT}),
    **{
        code: _schema(text, ["error"], error={"type": "string"})
        for code, text in {
            400: "no body",
            408: "the body came too slowly",
            413: "too large",
            415: "not a kind of body that this model scores",
            422: "cannot be read; the sentence says where",
            500: "the service failed",
            503: "busy; try again after Retry-After",
        }.items()
    },
}


def create_app(
    detector: Detector,
    *,
    engine: Literal["auto", "onnx", "torch"] = "auto",
    limits: Limits | None = None,
    local_only: bool = True,
) -> FastAPI:
    """The application for one fitted detector; ``local_only`` answers to this machine's own names alone."""
    limits = limits or Limits()
    engine_name, scorer = make_scorer(detector, engine)
    batcher = Batcher(scorer, waiting=limits.waiting)
    readers = Readers(limits.reading)
    room = bodies.Room(limits.bodies_bytes)
    description = f"Anomaly scores by {type(detector).__name__}."
    app = FastAPI(title="ganad", version=__version__, description=description, docs_url=None, redoc_url=None)
    if local_only:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]", "testserver"])
    registry = CollectorRegistry()
    counted = Counter("ganad_requests", "Requests by path and status", ["path", "status"], registry=registry)
    taken = Histogram("ganad_score_seconds", "Time from request to answer of /score", registry=registry)
    sizes = Histogram(
        "ganad_batch_samples", "Samples scored at once", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256), registry=registry
    )
    flagged = Counter("ganad_anomalies", "Samples above the threshold", registry=registry)
    Gauge("ganad_waiting_samples", "Samples in the queue", registry=registry).set_function(lambda: batcher.n_waiting)
    batcher.on_batch = sizes.observe
    known = {"/", "/score", "/model", "/health", "/metrics", "/openapi.json", "/docs"}

    def answered(path: str, status: int) -> None:
        counted.labels(path if path in known else "other", str(status)).inc()

    app.add_middleware(Answers, on_answer=answered)

    @app.exception_handler(bodies.Refused)
    async def refused(_: Request, error: bodies.Refused) -> JSONResponse:
        return JSONResponse({"error": error.message}, error.status, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def odd(_: Request, error: RequestValidationError) -> JSONResponse:
        places = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return JSONResponse({"error": "; ".join(places)}, 422)

    @app.exception_handler(HTTPException)
    async def elsewhere(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "the service failed; its log says where"}, 500)

    @app.post("/score", openapi_extra=_BODY, responses=_ANSWERS)
    async def score(request: Request, explain: bool = False) -> JSONResponse:
        """Score an image or table rows; ``explain=true`` adds where, or which columns."""
        with room.guest() as take, taken.time():
            return await answer(await bodies.receive(request, limits, take), request, explain)

    async def answer(body: bytes, request: Request, explain: bool) -> JSONResponse:
        parse = partial(bodies.parse, body, request.headers.get("content-type", ""), detector, limits)
        busy = bodies.Refused(503, "busy; try again later", **bodies.RETRY)
        try:
            async with asyncio.timeout(limits.seconds):
                x, names = parse() if bodies.is_light(body) else await readers.run(parse)
                scores = await batcher.submit(x)
                shown = np.argsort(-scores, kind="stable")[:_EXPLAINED_SAMPLES] if explain else np.empty(0, int)
                reasons = await batcher.run(lambda: explanations(detector, x[shown]), len(shown)) if explain else []
        except (Full, TimeoutError) as error:
            raise busy from error
        except InputError as error:
            raise bodies.Refused(422, str(error)) from error
        results = verdicts(detector, names, scores)
        flagged.inc(sum(r["is_anomaly"] for r in results))
        for i, reason in zip(shown.tolist(), reasons):
            results[i]["explanation"] = reason
        return JSONResponse({"threshold": finite(detector.threshold_), "results": results})

    @app.get("/model")
    async def model() -> dict[str, Any]:
        """What is served."""
        return {
            "method": type(detector).__name__,
            "kind": "images" if len(detector.sample_shape_) > 1 else "table",
            "sample_shape": list(detector.sample_shape_),
            "columns": list(getattr(detector, "columns_", None) or []),
            "threshold": finite(detector.threshold_),
            "calibrated": hasattr(detector, "calibration_"),
            "engine": engine_name,
            "version": __version__,
        }

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether it is up."""
        return {"status": "ok"}

    @app.get("/metrics")
    async def measured() -> Response:
        """Prometheus' text."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    def asset(name: str, kind: str, package: str | ModuleType = __package__) -> Callable[[], Awaitable[Response]]:
        content = files(package).joinpath(name).read_bytes()

        async def get() -> Response:
            return Response(content, media_type=kind, headers={"Content-Security-Policy": _POLICY})

        return get

    app.get("/", include_in_schema=False)(asset("page.html", "text/html; charset=utf-8"))
    app.get("/page.js", include_in_schema=False)(asset("page.js", "text/javascript"))
    app.get("/page.css", include_in_schema=False)(asset("page.css", "text/css"))
    # FastAPI's own page fetches its script from another host
    app.get("/docs", include_in_schema=False)(asset("docs.html", "text/html; charset=utf-8"))
    app.get("/docs.js", include_in_schema=False)(asset("docs.js", "text/javascript"))
    for name, kind in (("swagger-ui-bundle.js", "text/javascript"), ("swagger-ui.css", "text/css")):
        app.get(f"/assets/{name}", include_in_schema=False)(asset(f"static/{name}", kind, fastapi_offline))
    return app


FULL = JSONResponse({"error": "busy with other connections; try again later"}, 503, headers=bodies.RETRY | bodies.LAST)


class Answers:
    """Middleware that counts answers and adds a header; FastAPI's own decorator costs more than all else together."""

    def __init__(self, app: ASGIApp, on_answer: Callable[[str, int], None]):
        self.app, self.on_answer = app, on_answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def counted(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
                self.on_answer(scope["path"], message["status"])
            await send(message)

        try:
            full = scope.get("state", {}).get("full")
            await (FULL if full else self.app)(scope, receive, counted)
        except Exception:
            if not started:  # the answer to an error that nobody expected is written outside of this
                self.on_answer(scope["path"], 500)
            raise


def verdicts(detector: Detector, names: list[str], scores: np.ndarray) -> list[dict[str, Any]]:
    """Score, verdict and, for a calibrated model, p-value of each sample."""
    from ..calibrate import p_values

    threshold = detector.threshold_
    rows = [dict(name=n, score=finite(s), is_anomaly=bool(s > threshold)) for n, s in zip(names, scores.tolist())]
    if hasattr(detector, "calibration_"):
        for row, p in zip(rows, p_values(scores, detector.calibration_).tolist()):
            row["p_value"] = p
    return rows


def finite(value: float) -> float | None:
    """JSON has no infinity."""
    return float(value) if np.isfinite(value) else None


def explanations(detector: Detector, x: np.ndarray) -> list[Any]:
    """For an image a heat map, as PNG in a data URL; for a row the columns that add most to its score.

    None or an empty list where nothing can be said, as of an isolation forest.
    """
    parts = detector.explain(x)
    if x.ndim == 2:
        names = getattr(detector, "columns_", None) or [f"column {i}" for i in range(x.shape[1])]
        rows = ranked(parts, names)
        return [[{"column": name, "contribution": finite(part)} for name, part in row[:_EXPLAINED]] for row in rows]
    return [heat_map(part) for part in parts]


def heat_map(part: np.ndarray) -> str | None:
    """What raises the score among contributions ``(H, W)``, as a transparent red PNG; None where nothing does."""
    size = part.clip(0)
    if not size.any():
        return None
    alpha = np.uint8(255 * size / float(size.max()))
    pixels = np.dstack([np.full_like(alpha, 220), np.full_like(alpha, 30), np.zeros_like(alpha), alpha])
    out = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
