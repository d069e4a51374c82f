"""A progress bar on stderr: what, how far, how fast, how long still. None without a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.shared.general import general

if TYPE_CHECKING:
    from mtdata.progress import Progress as Report


def may_draw() -> bool:
    """Whether bars may be drawn: on a terminal, where no option is against it."""
    asked = general()
    return sys.stderr.isatty() and not (asked.quiet or asked.no_progress)


@contextmanager
def progress_bar(unit: str = "images") -> Iterator["Report | None"]:
    """Yield what the library reports its progress to; None where no bar is to be drawn."""
    if not may_draw():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        Task,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(TextColumn):
        """Units a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.0f} {unit}/s" if task.speed else "")

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(""),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )  # fmt: skip
    shown: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def report(done: int, total: int, what: str) -> None:
            if what not in shown:
                # What an earlier, interrupted run did is no speed of this one.
                shown[what] = bars.add_task(what, total=total, completed=max(done - 1, 0))
            bars.update(shown[what], completed=done, total=total)

        yield report
