"""The pages for a browser: one to drop files on, and one of the interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.resources import files
from types import ModuleType

import fastapi_offline
from fastapi import FastAPI, Response

_POLICY = "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_DEVICES = "camera=({}), microphone=(), geolocation=(), display-capture=()"  # what a page may ask a browser for
_HTML, _SCRIPT, _STYLE = "text/html; charset=utf-8", "text/javascript", "text/css"


def add_asset(
    app: FastAPI, path: str, name: str, kind: str, package: str | ModuleType = __package__, camera: str = ""
) -> None:
    """Serve a file of a package; ``camera`` "self" lets the page ask for one."""
    app.get(path, include_in_schema=False)(_asset(name, kind, package, camera))


def add_pages(app: FastAPI) -> None:
    """Serve the pages and their files, with a policy that lets them load nothing from another host."""

    add = partial(add_asset, app)
    add("/", "page.html", _HTML, camera="self")
    for script in ("page.js", "result.js", "visit.js", "camera.js"):
        add(f"/{script}", script, _SCRIPT)
    add("/lens.js", "report_page/lens.js", _SCRIPT, "ganad")  # the report's own, without importing the report
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


def _asset(name: str, kind: str, package: str | ModuleType, camera: str) -> Callable[[], Awaitable[Response]]:
    content = files(package).joinpath(name).read_bytes()
    headers = {"Content-Security-Policy": _POLICY, "Permissions-Policy": _DEVICES.format(camera)}

    async def get() -> Response:
        return Response(content, media_type=kind, headers=headers)

    return get
