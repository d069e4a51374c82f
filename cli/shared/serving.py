"""Pages of this machine alone, for the commands that serve one: options, the extra, how it ends."""

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import click

from cli.shared.common import put_json, say
from mtdata.errors import UsageError

if TYPE_CHECKING:
    from socket import socket

    from starlette.types import ASGIApp

PARTS = ("starlette", "uvicorn")
"""What the extra `browse` installs."""

port_option = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Where to listen, on this machine alone; 0 takes any.  [default: 8750, or the next free]",
)
no_open_option = click.option("--no-open", is_flag=True, help="Do not open a browser.")


def check_extra() -> None:
    """Refuse to go on without the extra.

    Raises:
        UsageError: where a package of it is missing.
    """
    from importlib.util import find_spec

    missing = [name for name in PARTS if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the extra `browse` should be installed; there is no package `{missing[0]}` here. "
            "Run: pip install 'mtpartial[browse]'"
        )


def serve_app(app: "ASGIApp", found: "socket", *, no_open: bool, as_json: bool) -> None:
    """Answer until interrupted; says where first, on stdout.

    Args:
        app: What answers.
        found: Where it listens.
        no_open: Whether to leave it to the person to open a browser.
        as_json: Whether the address is said as JSON.
    """
    from mtdata.serving.listening import serve

    with suppress(KeyboardInterrupt):  # the way to end it, and so no failure
        serve(app, found, ready=partial(_ready, as_json=as_json), browse=not no_open)
    say("Ended.")


def _ready(address: str, *, as_json: bool) -> None:
    put_json({"address": address}) if as_json else click.echo(address)
    say("End with Ctrl-C.")
