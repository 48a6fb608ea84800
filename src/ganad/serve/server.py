"""Run the service until it is told to stop."""

from __future__ import annotations

import gc
import ipaddress
from pathlib import Path
from typing import Literal

from ..errors import InputError, MissingExtra
from .limits import Limits


def serve(
    model: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    engine: Literal["auto", "onnx", "torch"] = "auto",
    limits: Limits | None = None,
) -> None:
    """Serve a saved model over HTTP until SIGTERM or Ctrl-C, then answer what is under way, for 10 s at most.

    Raises MissingExtra without the extra ``serve``, ModelFileError for a file that is not a model, and InputError for
    a model that the engine cannot score or an address that cannot be listened on.
    """
    try:
        import uvicorn

        from .app import create_app
        from .http_heads import protocol
    except ImportError as error:
        raise MissingExtra("serving needs the extra serve: pip install 'ganad[serve]'") from error
    from ..loading import load  # with torch, which takes seconds to import

    limits = limits or Limits()
    app = create_app(load(model), engine=engine, limits=limits, local_only=is_loopback(host))
    allow_connections(limits.connections)
    gc.collect()
    gc.freeze()  # what is loaded by now stays; searching it for garbage would stop every request
    try:
        uvicorn.run(
            app,
            host=host,
            port=port,
            http=protocol(limits),  # type: ignore[arg-type]  # uvicorn's types forget protocols with a buffer
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=10,
            timeout_keep_alive=5,
        )
    except SystemExit as stop:  # uvicorn's, which has logged the reason
        raise InputError(f"cannot listen on {host}, port {port}; choose another with --host and --port") from stop


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


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
