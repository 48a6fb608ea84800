"""What stands around the paths: counted answers, and errors as JSON with one sentence."""

from __future__ import annotations

from collections.abc import Callable, Collection

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .hosts import is_loopback, name_of
from .rejections import LAST, RETRY, Refused

ALWAYS = "/health"  #: answered however many connections there are, or what watches the service would restart it
FULL = JSONResponse({"error": "busy with other connections; try again later"}, 503, headers=RETRY | LAST)

OTHER_HOST = JSONResponse({"error": "this service does not answer for that host"}, 400, headers=LAST)


class Answers:
    """Counts answers, adds a header, and turns away what ``heads`` marked as one connection too many.

    FastAPI's own decorator for middleware costs more than all else together.
    """

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
            full = scope.get("state", {}).get("full") and scope["path"] != ALWAYS
            await (FULL if full else self.app)(scope, receive, counted)
        except Exception:
            if not started:  # the answer to an error that nobody expected is written outside of this
                self.on_answer(scope["path"], 500)
            raise


class OwnNames:
    """Turns away with 400 what asks for another host than this machine by its own names, or by one of the ``others``.

    An address as a name is never another site's, so all addresses of this machine alone pass.
    """

    def __init__(self, app: ASGIApp, others: Collection[str]):
        self.app, self.others = app, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            name = name_of(Headers(scope=scope).get("host", ""))
            if not (is_loopback(name) or name in self.others):
                await OTHER_HOST(scope, receive, send)
                return
        await self.app(scope, receive, send)


def answer_errors(app: FastAPI) -> None:
    """Give every error the form ``{"error": sentence}``."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return JSONResponse({"error": error.message}, error.status, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def odd(_: Request, error: RequestValidationError) -> JSONResponse:
        places = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return JSONResponse({"error": "; ".join(places)}, 422)

    @app.exception_handler(HTTPException)
    async def elsewhere(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)

    @app.exception_handler(MemoryError)
    async def short(_: Request, error: MemoryError) -> JSONResponse:
        return JSONResponse({"error": "too little memory at this moment; try again later"}, 503, headers=RETRY)

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": "the service failed; its log says where"}, 500)
