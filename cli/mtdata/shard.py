"""`mtdata shard`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.shared.common import json_option, put_json, say, training_command
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, store_argument
from mtdata.urls import StorePath
from mtdata.wording import counted

if TYPE_CHECKING:
    from mtdata.merging.shard import ShardSummary


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata shard data/nyu.h5 --images 500",
        "mtdata shard data/nyu.h5 --images 10000 -o data/shards",
        "mttrain --data data/nyu/nyu.h5",
        "mtdata merge data/nyu/nyu.h5 -o data/one.h5",
    ),
)
@store_argument
@click.option(
    "--images", type=click.IntRange(min=1), required=True, help="Images that a shard has, at most."
)
@click.option(
    "-o",
    "--out",
    type=FILE,
    help="Folder to make.  [default: the name of the store without its suffix, beside it]",
)
@json_option
def shard(store: StorePath, *, images: int, out: Path | None, as_json: bool) -> None:
    """Write a store as shards, files of some images each, and one index that joins them.

    Every command reads the index as the one store, and its digest is the same. A command that was
    killed is given again, and goes on. `mtdata merge` makes one file of it again.
    """
    from cli.shared.progress import progress_bar
    from mtdata.merging.shard import shard as write

    with progress_bar() as progress:
        summary = write(store, out, images=images, progress=progress)
    put_json(summary.to_json()) if as_json else _print(summary)


def _print(summary: "ShardSummary") -> None:
    from cli.shared.tables import put_table, size_text

    put_table(["split", "shards"], list(summary.shards.items()))
    went_on = f", {counted(summary.resumed, 'shard')} of them before" if summary.resumed else ""
    say(
        f"{summary.path.parent}: {counted(summary.images, 'image')}, {size_text(summary.bytes)}, "
        f"made in {summary.seconds:.1f} s{went_on}."
    )
    look = shlex.join(["mtdata", "info", str(summary.path)])
    say(f"Next: {look}, or {training_command(summary.path)}")
