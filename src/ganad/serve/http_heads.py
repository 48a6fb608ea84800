"""The heads of requests, read by h11, which bounds their length; the faster httptools takes one of any length."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import Limits

_AT_ONCE = 2**14  # bytes of a connection to read before looking at them; event loops read sixteen times as many


def protocol(limits: Limits) -> type[asyncio.BufferedProtocol]:
    """uvicorn's protocol with a clock: it closes a connection that takes too long to send a head.

    The clock runs from the opening of a connection to its first head, and from the first byte of each later head to
    its last. A connection whose request is answered before its body has come is closed as well, because nobody reads
    the rest. Requests on a connection beyond ``limits.connections`` are marked ``full``.
    """

    class Protocol(H11Protocol):
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

        def forget(self) -> None:
            if self.timer is not None:
                self.timer.cancel()
                self.timer = None

    class Reader(asyncio.BufferedProtocol):
        """Passes data to the protocol in reads of at most 16 KiB."""

        def __init__(self, **options: Any):
            inner = Protocol(**options)
            self.receive, self.buffer = inner.data_received, bytearray()
            for name in ("connection_made", "connection_lost", "eof_received", "pause_writing", "resume_writing"):
                setattr(self, name, getattr(inner, name))

        def get_buffer(self, sizehint: int) -> bytearray:
            self.buffer = self.buffer or bytearray(_AT_ONCE)
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.receive(bytes(memoryview(self.buffer)[:nbytes]))

    return Reader
