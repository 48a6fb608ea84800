"""The pages for a browser: one to drop files on, and one of the interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from types import ModuleType

import fastapi_offline
from fastapi import FastAPI, Response

_POLICY = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_HTML, _SCRIPT, _STYLE = "text/html; charset=utf-8", "text/javascript", "text/css"


def add_asset(app: FastAPI, path: str, name: str, kind: str, package: str | ModuleType = __package__) -> None:
    """Serve a file of a package."""
    app.get(path, include_in_schema=False)(_asset(name, kind, package))


def add_pages(app: FastAPI) -> None:
    """Serve the pages and their files, with a policy that lets them load nothing from another host."""

    add = partial(add_asset, app)
    add("/", "page.html", _HTML)
    add("/page.js", "page.js", _SCRIPT)
    add("/page.css", "page.css", _STYLE)
    # FastAPI's own page fetches its script from another host
    add("/docs", "docs.html", _HTML)
    add("/docs.js", "docs.js", _SCRIPT)
    for name, kind in (("swagger-ui-bundle.js", _SCRIPT), ("swagger-ui.css", _STYLE)):
        add(f"/assets/{name}", f"static/{name}", kind, fastapi_offline)


def add_board_page(app: FastAPI) -> None:
    """The board of what the model says at work."""
    add_asset(app, "/board", "board.html", _HTML)
    for name in ("board.js", "charts.js"):
        add_asset(app, f"/{name}", name, _SCRIPT)
    add_asset(app, "/board.css", "board.css", _STYLE)


def _asset(name: str, kind: str, package: str | ModuleType) -> Callable[[], Awaitable[Response]]:
    content = files(package).joinpath(name).read_bytes()

    async def get() -> Response:
        return Response(content, media_type=kind, headers={"Content-Security-Policy": _POLICY})

    return get
