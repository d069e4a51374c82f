"""`mtmodels show`."""

import shutil
import sys
from pathlib import Path

import click

from cli.shared.common import json_option, put_json
from cli.shared.groups import Command, examples
from cli.shared.options import FILE

WIDTH = 72
"""Characters of a curve, where the terminal is not narrower."""


@click.command(
    cls=Command,
    epilog=examples("mtmodels show runs/nyu-xtc-unet-resnet18-full-s0", "mtmodels show RUN --json"),
)
@click.argument("run", type=FILE)
@json_option
def show(run: Path, *, as_json: bool) -> None:
    """Look at a run that goes or is done: losses and their curves, rates, scores, pictures."""
    from mtmodels.inspecting.show import show as look

    shown = look(run)
    if as_json:
        put_json(shown.to_json())
        return
    width = max(20, min(WIDTH, shutil.get_terminal_size().columns - 16))
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    click.echo("\n".join(shown.lines(width=width, unicode=unicode)))
