"""Tables for people, on stdout."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtdata.building.summary import SplitSummary


def put_table(
    header: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "", left: int = 1
) -> None:
    """Print a table; the first `left` columns are text, the others numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(name, justify="left" if number < left else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(_text, row))
    # A pipe or a file has no width; a table cut at 80 columns would lose numbers.
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=200)
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
