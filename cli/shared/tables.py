"""Tables for people, on stdout."""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import click

from mtdata.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

    from mtdata.building.summary import SplitSummary


PIPE = 200
"""Columns of a pipe or a file, which have no width: what is cut at 80 columns loses numbers."""
GAP = 2
"""Columns between two columns of a table."""
PROSE = 28
"""Columns that a text in a cell gets, at least, before a table is split."""


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
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    left: int = 1,
    key: int = 1,
) -> None:
    """Print a table that fits a terminal without a number or a word being broken.

    Where it is wider, what is the same in all rows is said once above it, and the columns that
    there is no room for go on in a table below.

    Args:
        header: Names of the columns.
        rows: Cells of each row.
        left: How many columns are text; the others are numbers.
        key: How many columns tell the rows apart, and stand again in a table below.
    """
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=PIPE)
    columns = [
        _Column(name, cells, number < left)
        for number, (name, *cells) in enumerate(
            zip(header, *(map(_text, row) for row in rows), strict=True)
        )
    ]
    if _wide(columns) > console.width:
        same = [one for one in columns[:left] if one.is_constant()]
        if said := [f"{one.name} {one.cells[0]}" for one in same if one.cells[0] not in ("", "-")]:
            put_lines("In all rows: " + ", ".join(said))
        key -= sum(one in same for one in columns[:key])
        columns = [one for one in columns if one not in same]
    for block in _blocks(columns, max(key, 1), console.width):
        console.print(_drawn(block, console.width))


@dataclass(frozen=True, eq=False)
class _Column:
    """A column as text; a row is a line of each."""

    name: str
    cells: Sequence[str]
    is_text: bool

    def is_constant(self) -> bool:
        return len(self.cells) > 1 and len(set(self.cells)) == 1

    def whole(self) -> int:
        """Its width where nothing is broken."""
        return max(len(line) for text in (self.name, *self.cells) for line in text.split("\n"))

    def least(self) -> int:
        """Its width where headers are broken between words, and long texts, but no number."""
        words = max(map(len, self.name.split()), default=0)
        if not self.is_text:
            return max(words, *map(len, self.cells), 0)
        longest = max((len(word) for cell in self.cells for word in cell.split()), default=0)
        return max(words, longest, min(self.whole(), PROSE))


def _wide(columns: Sequence[_Column]) -> int:
    """The width of a table of them, with what is between."""
    return sum(one.whole() + GAP for one in columns)


def _blocks(columns: Sequence[_Column], key: int, room: int) -> list[list[_Column]]:
    """The columns of each table in their order: as few tables as there is room for, about alike."""
    first, others = list(columns[:key]), columns[key:]
    taken = min(sum(one.least() + GAP for one in first), room // 2)

    def filled(room: int) -> list[list[_Column]]:
        blocks, used = [first[:]], 0
        for one in others:
            used += one.least() + GAP
            if used > room and len(blocks[-1]) > key:
                blocks.append(first[:])
                used = one.least() + GAP
            blocks[-1].append(one)
        return blocks

    # The least room that takes no further table leaves no column alone in the last one.
    fewest, left = len(filled(room - taken)), room - taken
    return filled(next(least for least in range(left + 1) if len(filled(least)) <= fewest))


def _drawn(columns: Sequence[_Column], room: int) -> "Table":
    """One table; what is too wide for it is broken in its texts."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    wide = [one.whole() for one in columns]
    while sum(wide) + GAP * len(wide) > room:
        able = [i for i, one in enumerate(columns) if wide[i] > one.least()]
        # A single word that is wider than all the room, a path, is broken all the same.
        able = able or [i for i, one in enumerate(columns) if one.is_text and wide[i] > 12]
        if not able:
            break
        wide[max(able, key=wide.__getitem__)] -= 1
    for one, width in zip(columns, wide, strict=True):
        justify: Literal["left", "right"] = "left" if one.is_text else "right"
        table.add_column(one.name, justify=justify, overflow="fold", width=width)
    for row in zip(*(one.cells for one in columns), strict=True):
        table.add_row(*row)
    return table


def put_splits(splits: "Mapping[str, SplitSummary]") -> None:
    """Print how many images and labels each split has."""
    tasks = list(next(iter(splits.values())).labels)
    rows = [
        [name, split.images, *split.labels.values(), split.partly, split.unlabelled]
        for name, split in splits.items()
    ]
    put_table(["split", "images", *tasks, "partly labelled", "unlabelled"], rows)


def left_out_text(names: Iterable[str]) -> str:
    """What to say of labels that a new store has not, as they were added to one of before."""
    return (
        f"Left out, as they may no more follow from what is there: {', '.join(names)}. Make them "
        "again with `mtmodels fill` or `mtdata derive`."
    )


def uncovered_text(regime: str, labels: int, images: int, split: str = "") -> str:
    """What to say of labels and images that a regime knows nothing of.

    Of stores of before the images alone were counted, and there are no labels.
    """
    return (
        f"The regime `{regime}` shows nothing of what was added after it was drawn: "
        f"{counted(labels, 'label') + ' and ' if labels else ''}{counted(images, 'image')}"
        f"{f' of {split}' if split else ''}."
    )


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
