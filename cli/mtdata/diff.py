"""`mtdata diff`."""

from collections import defaultdict
from typing import TYPE_CHECKING

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.general import general
from cli.shared.groups import Command, examples
from cli.shared.options import STORE
from mtdata.urls import StorePath
from mtdata.wording import counted, listed

if TYPE_CHECKING:
    from mtdata.inspecting.comparing.cells import CellChange
    from mtdata.inspecting.comparing.report import Difference, Only, SplitChange

DIFFERENT, TROUBLE = 1, 2
"""What it ends with where the stores differ, or cannot be compared, as diff(1) does."""
LISTED = 20
"""Cells that are listed one by one."""
SHOWN = 5
"""Keys that a line names."""


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata diff data/nyu.h5 data/nyu-again.h5",
        "mtdata diff a.h5 b.h5 --brief",
        "mtdata diff a.h5 b.h5 --json",
    ),
)
@click.argument("a", metavar="A", type=STORE)
@click.argument("b", metavar="B", type=STORE)
@click.option("--brief", is_flag=True, help="Compare digests alone and read no pixels.")
@json_option
def diff(a: StorePath, b: StorePath, *, brief: bool, as_json: bool) -> int:
    """Say in which tasks, images, labels, pixels and regimes two stores differ.

    Ends with 0 where they are the same, 1 where they differ, 2 where they cannot be compared, as
    diff(1) does. When, by what and from which files they were made is told, and makes no
    difference.
    """
    from cli.shared.progress import progress_bar
    from mtdata.inspecting.diff import diff as compare

    general().failure = TROUBLE
    with progress_bar("cells") as progress:
        found = compare(a, b, pixels=not brief, progress=progress)
    put_json(found.to_json()) if as_json else _print(found)
    return 0 if found.same else DIFFERENT


def _print(found: "Difference") -> None:
    click.echo(f"A: {found.paths[0]}\nB: {found.paths[1]}")
    for name, (left, right) in found.attributes.items():
        click.echo(f"{name}: {left} in A, {right} in B")
    _print_only("task", found.tasks)
    for name, (left, right) in found.changed_tasks.items():
        fields = [key for key in left | right if left.get(key) != right.get(key)]
        click.echo(f"task {name}: described differently ({', '.join(fields)})")
    _print_only("split", found.splits)
    for name, change in found.changed_splits.items():
        _print_split(name, change)
    _print_cells([cell for one in found.changed_splits.values() for cell in one.cells])
    if found.same:
        click.echo("They hold the same data and the same regimes.")
    elif found.same_content:
        say("They hold the same images and labels: their content digests are equal.")
    if found.about:
        say(f"Told, but no difference by itself: {', '.join(found.about)}.")


def _print_only(what: str, names: "Only", *, where: str = "") -> None:
    for side, alone in (("A", names.a), ("B", names.b)):
        if alone:
            click.echo(f"{where}{counted(len(alone), what)} only in {side}: {listed(alone, SHOWN)}")


def _print_split(name: str, change: "SplitChange") -> None:
    for what, (left, right) in change.attributes.items():
        click.echo(f"{name}: {what} {left} in A, {right} in B")
    _print_only("image", change.keys, where=f"{name}: ")
    if change.reordered:
        click.echo(f"{name}: the images stand in another order")
    for table, keys in change.tables.items():
        click.echo(
            f"{name}: {table} differs for {counted(len(keys), 'image')}: {listed(keys, SHOWN)}"
        )
    _print_only("regime", change.regimes, where=f"{name}: ")
    for regime, one in change.changed_regimes.items():
        drawn = f", drawn differently ({', '.join(one.about)})" if one.about else ""
        click.echo(
            f"{name}: regime {regime}: {counted(one.labels, 'label')} shown by one alone{drawn}"
        )
    _print_only("added label", change.added, where=f"{name}: ")
    for added in change.changed_added:
        click.echo(f"{name}: the labels of {added} that were added are others")


def _print_cells(cells: "list[CellChange]") -> None:
    from cli.shared.tables import put_table

    if not cells:
        return
    counts: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for cell in cells:
        counts[cell.split, cell.what][cell.change] += 1
    put_table(
        ["split", "what", "changed", "only in A", "only in B"],
        [[*at, *(n[change] for change in ("changed", "only_a", "only_b"))]
         for at, n in counts.items()],
        left=2, key=2,
    )  # fmt: skip
    for cell in cells[:LISTED]:
        click.echo(f"{cell.split}/{cell.key}/{cell.what}: {_told(cell)}")
    if len(cells) > LISTED:
        click.echo(f"... and {len(cells) - LISTED:,} more; --json lists all.")


def _told(cell: "CellChange") -> str:
    if cell.change != "changed":
        return f"only in {'A' if cell.change == 'only_a' else 'B'}"
    if cell.pixels is None:
        return "differs"
    text = f"{cell.pixels:,} of {cell.of:,} pixels differ"
    if cell.largest is None:
        return text
    return f"{text}, by up to {cell.largest:.4g} {cell.units} (mean {cell.mean:.4g})"
