"""The HTTP interface: which path does what."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse

from .. import __version__
from ..detector import Detector
from .hosts import names_of
from .html import add_pages
from .limits import Limits
from .meters import Meters
from .middleware import Answers, OwnNames, answer_errors
from .photos import EngineName
from .receiving import Room, receive, refuse_foreign
from .schema import ANSWERS, BODY
from .served import Current, ModelFile, Served

if TYPE_CHECKING:
    from .board import Board

_Name = Annotated[str, Query(max_length=500)]


def create_app(
    detector: Detector,
    *,
    sha256: str = "",
    engine: EngineName = "auto",
    limits: Limits | None = None,
    local_only: bool = True,
    allow_hosts: Iterable[str] = (),
    file: ModelFile | None = None,
    board: Board | None = None,
) -> FastAPI:
    """The ASGI application for one fitted detector.

    ``sha256`` is what ``loading.load_hashed`` gave with the detector. ``engine`` "auto" takes ONNX Runtime where the
    score is a forward pass and the extra is installed, else torch. ``local_only`` answers only requests for this
    machine's own names and for ``allow_hosts``, those of a proxy before it, whose pages may send samples. ``file`` is
    where the detector came from; when it changes, and on SIGHUP, what it holds then answers. ``board`` keeps a history.
    Raises InputError or MissingExtra where "onnx" was asked for and cannot be had.
    """
    limits = limits or Limits()
    meters = Meters(lambda: current.served.scoring.batcher.n_waiting)

    def connect(served: Served) -> None:
        served.scoring.batcher.on_batch = meters.batches.observe
        if board:
            board.live.serve(served)

    def make(detector: Detector, sha256: str) -> Served:
        keeping = {"keeping": board.recorder.keeping} if board else {}
        return Served.of(detector, engine, limits, sha256, **keeping)

    current = Current(make(detector, sha256), connect)
    room = Room(limits.bodies_bytes)
    description = f"Anomaly scores by {type(detector).__name__}."
    app = FastAPI(
        title="ganad",
        version=__version__,
        description=description,
        docs_url=None,
        redoc_url=None,
        lifespan=lambda app: _life(current, make, file, board),
    )
    app.state.names = names_of(allow_hosts)
    if local_only:
        app.add_middleware(OwnNames, others=app.state.names | {"testserver"})
    app.add_middleware(Answers, on_answer=meters.answered)
    answer_errors(app)

    @app.post("/score", openapi_extra=BODY, responses=ANSWERS)
    async def score(request: Request, explain: bool = False, name: _Name = "") -> JSONResponse:
        """Score an image or table rows; ``explain=true`` adds where, or which columns; ``name`` is for the history."""
        refuse_foreign(request)
        with room.guest() as take, meters.seconds.time():
            body = await receive(request, limits, take)
            kind = request.headers.get("content-type", "")
            answer = await current.served.scoring.answer(body, kind, explain, name)
            meters.flagged.inc(sum(result["is_anomaly"] for result in answer["results"]))
            return JSONResponse(answer)

    @app.get("/model")
    async def model() -> dict[str, Any]:
        """What is served."""
        return current.served.about() | {"board": board is not None}

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Whether it is up."""
        return {"status": "ok"}

    @app.get("/metrics")
    async def measured() -> Response:
        """Prometheus' text."""
        return Response(meters.text(), media_type="text/plain; version=0.0.4")

    meters.follow(current)
    add_pages(app)
    if board:
        from .board import add_board  # needs the extra watch

        add_board(app, board)
        meters.watch(board)
    return app


@contextlib.asynccontextmanager
async def _life(
    current: Current, make: Callable[[Detector, str], Served], file: ModelFile | None, board: Board | None
) -> AsyncIterator[None]:
    """What runs beside the requests, from the first to the last."""

    def read() -> Served:
        from ..loading import load_hashed

        assert file is not None
        return make(*load_hashed(file.path))

    if board:
        board.live.start()
    following = asyncio.create_task(file.follow(lambda: current.reload(read))) if file else None
    try:
        yield
    finally:
        if following:
            following.cancel()
        if board:
            await asyncio.to_thread(board.close)
