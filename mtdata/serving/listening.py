"""Listening on this machine alone, until somebody ends it."""

import socket
import webbrowser
from collections.abc import Callable
from threading import Timer

from starlette.types import ASGIApp

from mtdata.errors import MtdataError, UsageError

LOOPBACK = "127.0.0.1"
FIRST = 8750
"""Where to listen unless told otherwise; the next free one where it is taken."""
TRIES = 50


def listening(port: int | None) -> socket.socket:
    """A socket of this machine alone, at that port or the first free one from `FIRST`.

    Raises:
        UsageError: where the port is taken or may not be used.
    """
    for tried in [port] if port is not None else range(FIRST, FIRST + TRIES):
        # By its number: only then asyncio sends at once, and not 40 ms later.
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((LOOPBACK, tried))
            found.listen(128)
        except OSError as error:
            found.close()
            why = error.strerror or str(error)
        else:
            return found
    if port is None:
        raise MtdataError(f"no port from {FIRST} to {FIRST + TRIES - 1} is free. Give --port.")
    raise UsageError(f"--port should be free; {port} is not ({why}). Give another, or none.")


def serve(
    app: ASGIApp, found: socket.socket, *, ready: Callable[[str], None], browse: bool
) -> None:
    """Answer until interrupted.

    Args:
        app: What answers.
        found: Where it listens.
        ready: Told the address.
        browse: Whether to open it in a browser.
    """
    import uvicorn

    address = f"http://{LOOPBACK}:{found.getsockname()[1]}/"
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, lifespan="off",
        timeout_graceful_shutdown=1, ws="none",
    )  # fmt: skip
    ready(address)
    if browse:
        timer = Timer(0.3, webbrowser.open, [address])
        timer.daemon = True
        timer.start()
    uvicorn.Server(config).run(sockets=[found])
