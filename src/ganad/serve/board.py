"""The live board: events for the page, pictures, and what a person says of a sample."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import fastapi
import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from ..errors import HistoryUnavailable, InputError
from ..history import Feedback, History, Writer
from .html import add_board_page
from .live import Live
from .receiving import refuse_foreign
from .recording import Recorder
from .rejections import LAST, RETRY, Refused

_LOOK = 0.25  # seconds between two looks at whether there is something new
_ALIVE = 15.0  # seconds after which an idle stream says that it is alive, for proxies
_VIEWERS = 100  # streams at a time
_LONGEST = 1000  # bytes of a mark
_LAST_ID = 2**63 - 1  # that a database takes
SampleId = Annotated[int, fastapi.Path(ge=1, le=_LAST_ID), msgspec.Meta(ge=1, le=_LAST_ID)]


class Board:
    """A history, what writes it and what shows it. ``stopping`` says that the service ends, which ends streams."""

    def __init__(self, history: History, path: Path, spot_checks: float = 0.02):
        self.history = history
        self.recorder = Recorder(Writer(history), spot_checks)
        self.live = Live(history, self.recorder, path)
        self.stopping: Callable[[], bool] = lambda: False

    def close(self) -> None:
        """Keep what waits, and end."""
        self.recorder.close()
        self.live.close()
        self.history.close()

    async def events(self) -> AsyncIterator[bytes]:
        """Every new snapshot as a server-sent event."""
        self.live.viewers += 1
        self.live.look()
        sent, idle = -1, 0.0
        try:
            while not self.stopping():
                if sent != self.live.version:
                    sent, idle = self.live.version, 0.0
                    yield b"data: " + self.live.snapshot + b"\n\n"
                elif idle >= _ALIVE:
                    idle = 0.0
                    yield b": alive\n\n"
                await asyncio.sleep(_LOOK)
                idle += _LOOK
        finally:
            self.live.viewers -= 1

    def mark(self, mark: Mark) -> None:
        """Keep what a person says; Refused with 404 or 503 where that cannot be."""
        with _refused(f"no sample {mark.id}"):
            self.history.mark(mark.id, mark.feedback)
        self.live.look()

    def picture(self, id: int) -> bytes:
        """A sample's thumbnail; Refused with 404 where there is none, and with 503 while that cannot be known."""
        missing = f"no picture of sample {id}"
        with _refused(missing):
            found = self.history.rows(after_id=id - 1, limit=1)
        if not found or found[0].id != id or found[0].thumbnail is None:
            raise Refused(404, missing)
        return found[0].thumbnail


@contextlib.contextmanager
def _refused(missing: str) -> Iterator[None]:
    """Errors of the history as answers: 404 with the sentence ``missing``, or 503."""
    try:
        yield
    except InputError as error:
        raise Refused(404, missing) from error
    except HistoryUnavailable as error:
        raise Refused(503, "the history cannot be reached; try again later", **RETRY) from error


class Mark(msgspec.Struct, forbid_unknown_fields=True):
    """The body of /feedback."""

    id: SampleId
    feedback: Feedback | None


async def read_mark(request: Request) -> Mark:
    """Refused where the request comes from a page of another site, or is not a mark in JSON.

    JSON alone is read: a form of another site cannot send it without asking first, which is never allowed here.
    """
    refuse_foreign(request)
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Refused(415, "send feedback as application/json", **LAST)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST:
            raise Refused(413, "feedback is one short object", **LAST)
    try:
        return msgspec.json.decode(bytes(body), type=Mark)
    except msgspec.MsgspecError as error:
        raise Refused(422, 'send {"id": 1, "feedback": "normal"}, "anomaly" or null') from error


def add_board(app: FastAPI, board: Board) -> None:
    """Serve the board and what it needs."""
    add_board_page(app)

    @app.get("/events", include_in_schema=False)
    async def events() -> Response:
        if board.live.viewers >= _VIEWERS:
            raise Refused(503, "too many boards are open; try again later", **RETRY)
        return StreamingResponse(board.events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    @app.get("/board/{id}.jpg", include_in_schema=False)
    async def picture(id: SampleId) -> Response:
        content = await asyncio.to_thread(board.picture, id)
        kind = "image/jpeg" if content.startswith(b"\xff\xd8") else "image/png"
        return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=86400, immutable"})

    @app.post("/feedback", openapi_extra=_FEEDBACK)
    async def feedback(request: Request) -> JSONResponse:
        """Say of a sample in the history that it is normal or an anomaly; null takes it back."""
        mark = await read_mark(request)
        await asyncio.to_thread(board.mark, mark)
        return JSONResponse({"id": mark.id, "feedback": mark.feedback})


_FEEDBACK: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["id", "feedback"],
                    "properties": {
                        "id": {"type": "integer", "minimum": 1, "maximum": _LAST_ID},
                        "feedback": {"enum": ["normal", "anomaly", None]},
                    },
                }
            }
        },
    },
}
