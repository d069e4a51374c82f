"""Tables for people, on stdout."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mtdata.building.summary import SplitSummary


PIPE = 200
"""Columns of a pipe or a file, which have no width: what is cut at 80 columns loses numbers."""


def put_lines(text: str, *, indent: int = 0, hanging: int = 0) -> None:
    """Print a text in lines that fit a terminal; in a pipe it is one line.

    Args:
        text: The text.
        indent: Spaces before it.
        hanging: Further spaces before all lines but the first.
    """
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    first, rest = " " * indent, " " * (indent + hanging)
    told = textwrap.wrap(
        text, wide, initial_indent=first, subsequent_indent=rest,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    click.echo("\n".join(told))


def put_described(described: Mapping[str, str], *, indent: int = 0, wide: int = 0) -> None:
    """Print names and what each is, side by side; names as wide as the longest, or as `wide`."""
    wide = max([wide, *map(len, described)])
    for name, text in described.items():
        put_lines(f"{name:<{wide}}  {text}", indent=indent, hanging=wide + 2)


def put_table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", left: int = 1
) -> None:
    """Print a table; the first `left` columns are text, the others numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(
        box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False,
        collapse_padding=True,
    )  # fmt: skip
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(_text, row))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=PIPE)
    console.print(table)


def put_splits(splits: "Mapping[str, SplitSummary]") -> None:
    """Print how many images and labels each split has."""
    tasks = list(next(iter(splits.values())).labels)
    rows = [
        [name, split.images, *split.labels.values(), split.partly, split.unlabelled]
        for name, split in splits.items()
    ]
    put_table(["split", "images", *tasks, "partly labelled", "unlabelled"], rows)


def size_text(number: float) -> str:
    """Bytes for people: 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
