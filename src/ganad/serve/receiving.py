"""Receiving bodies: counted while they arrive, one by one and all together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request

from .hosts import name_of
from .limits import Limits
from .rejections import LAST, RETRY, Refused


class Room:
    """Bytes for the bodies of all requests under way, so that many large ones at once do not take the memory."""

    def __init__(self, size: int):
        self.left = size

    @contextmanager
    def guest(self) -> Iterator[Callable[[int], None]]:
        """A function that takes n bytes more until the end of the block; Refused with 503 where too few are left."""
        taken = 0

        def take(n: int) -> None:
            nonlocal taken
            if n > self.left:
                raise Refused(503, "busy with other bodies; try again later", **RETRY, **LAST)
            self.left -= n
            taken += n

        try:
            yield take
        finally:
            self.left += taken


def refuse_foreign(request: Request) -> None:
    """Refused with 403 for what a browser sends on behalf of a page of another site, which needs no one's consent."""
    site, origin = request.headers.get("sec-fetch-site", "none"), request.headers.get("origin")
    place = _place(origin or "")
    own = origin is None or place == request.headers.get("host") or name_of(place) in request.app.state.names
    if site not in ("none", "same-origin") or not own:
        raise Refused(403, "a page of another site may not send samples here; use this service's own page", **LAST)


def _place(origin: str) -> str:
    """Host and port of an origin; empty, which is no host, where it cannot be read."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


async def receive(request: Request, limits: Limits, take: Callable[[int], None]) -> bytes:
    """The whole body; Refused with 413, 415, 408 or 503 as soon as it is too large, encoded, late or one too many."""
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "bodies are taken as they are; send it without Content-Encoding", **LAST)
    announced = request.headers.get("content-length", "0")
    too_large = Refused(413, f"the body is larger than the {limits.body_bytes:,} bytes allowed", **LAST)
    if announced.isdigit() and int(announced) > limits.body_bytes:
        raise too_large
    body = bytearray()  # which grows where it lies; a list of its parts would leave the heap in pieces
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                if len(body) + len(part) > limits.body_bytes:
                    raise too_large
                take(len(part))
                body += part
    except TimeoutError as error:
        raise Refused(408, f"the body did not arrive within {limits.seconds:g} s", **LAST) from error
    except ClientDisconnect as error:
        raise Refused(400, "the connection ended before the body did") from error
    if not body:
        raise Refused(400, "the body is empty; send an image, JSON rows, CSV or Parquet")
    return bytes(body)
