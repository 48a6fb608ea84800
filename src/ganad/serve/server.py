"""Run the service until it is told to stop."""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..atomic import sweep
from ..errors import InputError, MissingExtra
from .hosts import is_loopback, names_of
from .limits import Limits

if TYPE_CHECKING:
    import uvicorn


@contextlib.contextmanager
def _without_hangup() -> Iterator[None]:
    """Within: SIGHUP ends nothing. The service's loop takes it over; before that a file that changes is seen anyway."""
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, former)


@_without_hangup()
def serve(
    model: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_hosts: Iterable[str] = (),
    engine: Literal["auto", "onnx", "torch"] = "auto",
    limits: Limits | None = None,
    history: str | Path | None = None,
    spot_checks: float = 0.02,
    at: socket.socket | None = None,
    on_start: Callable[[], Any] | None = None,
) -> None:
    """Serve a saved model over HTTP until SIGTERM or Ctrl-C, then answer what is under way, for 10 s at most.

    When the model's file changes, and on SIGHUP, what it holds then answers. allow_hosts: names of a proxy before the
    service, to which it answers as well. history: file or URL of a history that
    keeps what is scored and shows it on /board; spot_checks: the share of samples drawn for a person to look at. at: a
    socket that listens already, in place of ``host`` and ``port``. on_start: called once requests are answered.

    Raises MissingExtra without the extra ``serve``, or ``watch`` for a history, ModelFileError for a file that is not
    a model, and InputError for a model that the engine cannot score, a history that cannot be kept or an address that
    cannot be listened on.
    """
    try:
        import uvicorn

        from .app import create_app
        from .http_heads import protocol
        from .served import ModelFile
    except ImportError as error:
        raise MissingExtra("serving needs the extra serve: pip install 'ganad[serve]'") from error
    from ..loading import load_hashed  # with torch, which takes seconds to import

    names = names_of(allow_hosts)
    sweep()
    limits, file = limits or Limits(), ModelFile(Path(model))
    detector, sha256 = load_hashed(model)
    board = None
    if history is not None:
        from ..history import History
        from .board import Board

        # an answer does not wait for its row, so a row need not wait for the disk
        board = Board(History(history, durable=False), file.path, spot_checks)
    app = create_app(
        detector,
        sha256=sha256,
        engine=engine,
        limits=limits,
        local_only=is_loopback(host),
        allow_hosts=names,
        file=file,
        board=board,
    )
    del detector
    allow_connections(limits.connections)
    gc.collect()
    gc.freeze()  # what is loaded by now stays; searching it for garbage would stop every request
    try:
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=protocol(limits),  # type: ignore[arg-type]  # uvicorn's types forget protocols with a buffer
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=10,
            timeout_keep_alive=5,
        )
        server = uvicorn.Server(config)
        if on_start:
            _tell_start(server, on_start)
        # a second Ctrl-C cancels what is under way, of which uvicorn would log a traceback each
        logging.getLogger("uvicorn.error").addFilter(lambda _: not server.force_exit)
        if board:
            board.stopping = lambda: server.should_exit
        with contextlib.suppress(KeyboardInterrupt):
            server.run(None if at is None else [at])
        if not server.started:
            raise SystemExit
    except SystemExit as stop:  # uvicorn's, which has logged the reason
        raise InputError(f"cannot listen on {host}, port {port}; choose another with --host and --port") from stop


def _tell_start(server: uvicorn.Server, on_start: Callable[[], Any]) -> None:
    """Have ``on_start`` called once the server listens; uvicorn has no hook for that."""
    startup = server.startup

    async def told(sockets: list[socket.socket] | None = None) -> None:
        await startup(sockets)
        on_start()

    server.startup = told  # type: ignore[method-assign]


def allow_connections(n: int) -> None:
    """Let this process open twice as many files as connections, as far as the system allows; many allow 1,024."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * n + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
