"""`mtmodels show`."""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.shared.common import json_option, put_json
from cli.shared.groups import Command, examples
from cli.shared.options import FILE
from mtdata.errors import UsageError

if TYPE_CHECKING:
    from mtmodels.inspecting.show import Shown

WIDTH = 72
"""Characters of a curve, where the terminal is not narrower."""
AROUND, BESIDE = 8, 4
"""Lines of a terminal above all curves, and beside the drawing of each."""
INTERRUPTED = 130


@click.command(
    cls=Command,
    epilog=examples(
        "mtmodels show runs/nyu-xtc-unet-resnet18-full-s0",
        "mtmodels show RUN --follow",
        "mtmodels show RUN --json",
    ),
)
@click.argument("run", type=FILE)
@click.option(
    "--follow",
    is_flag=True,
    help="Draw it again while it goes, until it is done or interrupted; Ctrl-C ends looking.",
)
@json_option
def show(run: Path, *, follow: bool, as_json: bool) -> None:
    """Look at a run that goes or is done: losses and their curves, rates, scores, pictures."""
    from mtmodels.inspecting.show import show as look

    if follow and as_json:
        raise UsageError("--follow looks again and again, and --json once: give one of them.")
    if follow:
        try:
            _follow(run)
        except KeyboardInterrupt:
            click.get_current_context().exit(INTERRUPTED)
        return
    shown = look(run)
    put_json(shown.to_json()) if as_json else click.echo(_text(shown))


def _follow(run: Path) -> None:
    """Draw in place on a terminal; a line whenever the run went on elsewhere."""
    from mtmodels.inspecting.show import follow

    if not sys.stdout.isatty():
        said = ""
        for shown in follow(run):
            if (line := shown.line()) != said:
                click.echo(line)
                said = line
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(), auto_refresh=False, vertical_overflow="crop") as live:
        for shown in follow(run):
            height = shutil.get_terminal_size().lines - AROUND
            each = max(2, height // max(1, len(shown.curves)) - BESIDE)
            live.update(Text(_text(shown, height=each)), refresh=True)


def _text(shown: "Shown", *, height: int | None = None) -> str:
    """All there is to see, as wide as the terminal allows."""
    from mtmodels.inspecting.curves import HEIGHT

    width = max(20, min(WIDTH, shutil.get_terminal_size().columns - 16))
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    return "\n".join(
        shown.lines(width=width, height=min(height or HEIGHT, HEIGHT), unicode=unicode)
    )
