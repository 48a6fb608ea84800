"""The heads of requests, read by h11, which bounds their length; the faster httptools takes one of any length."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Any, Protocol

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import Limits

_MOMENT = 0.25  # seconds in which the heads of many connections that open at once can be read
_AT_ONCE = 2**14  # bytes of a connection to read before looking at them; event loops read sixteen times as many


class Closes(Protocol):
    """What a connection's transport can do."""

    def close(self) -> None: ...


class Waiting:
    """Connections whose head has not come, by client; of more than ``most`` of one client the oldest are closed.

    A moment later, not at once: a thousand connections that open together are all accepted before one is read. The
    oldest go, so that a client that also asks honestly, such as a proxy, gets its answers.
    """

    def __init__(self, most: int):
        self.most, self.of = most, dict[Hashable, dict[Closes, None]]()

    def add(self, client: Hashable, transport: Closes, loop: asyncio.AbstractEventLoop) -> None:
        theirs = self.of.setdefault(client, {})
        theirs[transport] = None
        if len(theirs) == self.most + 1:
            loop.call_later(_MOMENT, self.close_oldest, client)

    def remove(self, client: Hashable, transport: Closes) -> None:
        theirs = self.of.get(client, {})
        theirs.pop(transport, None)
        if not theirs:
            self.of.pop(client, None)

    def close_oldest(self, client: Hashable) -> None:
        theirs = self.of.get(client, {})
        while len(theirs) > self.most:
            oldest = next(iter(theirs))
            del theirs[oldest]
            oldest.close()


def protocol(limits: Limits) -> type[asyncio.BufferedProtocol]:
    """uvicorn's protocol with a clock: it closes a connection that takes too long to send a head.

    The clock runs from the opening of a connection to its first head, and from the first byte of each later head to
    its last. One client may have ``limits.heads`` such connections. A connection whose request is answered before its
    body has come is closed as well, because nobody reads the rest. Requests on a connection beyond
    ``limits.connections`` are marked ``full``.
    """

    waiting = Waiting(limits.heads)

    class Timed(H11Protocol):
        timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.watch()

        def handle_events(self) -> None:
            self.app_state = {"full": len(self.connections) > limits.connections}
            super().handle_events()

        def on_response_complete(self) -> None:
            if self.conn.their_state is h11.SEND_BODY:
                self.transport.close()
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self.forget()
            super().connection_lost(exc)

        def watch(self) -> None:
            if self.conn.their_state is not h11.IDLE:
                self.forget()
            elif self.timer is None:
                self.timer = self.loop.call_later(limits.seconds, self.transport.close)
                waiting.add(self.address, self.transport, self.loop)

        def forget(self) -> None:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None
                waiting.remove(self.address, self.transport)

        @property
        def address(self) -> str:
            """Of the client; its ports differ."""
            return self.client[0] if self.client else ""

    class Reader(asyncio.BufferedProtocol):
        """Passes data to the protocol in reads of at most 16 KiB."""

        def __init__(self, **options: Any):
            inner = Timed(**options)
            self.receive, self.buffer = inner.data_received, bytearray()
            for name in ("connection_made", "connection_lost", "eof_received", "pause_writing", "resume_writing"):
                setattr(self, name, getattr(inner, name))

        def get_buffer(self, sizehint: int) -> bytearray:
            self.buffer = self.buffer or bytearray(_AT_ONCE)
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.receive(bytes(memoryview(self.buffer)[:nbytes]))

    return Reader
