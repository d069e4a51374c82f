"""`mtdata derive`."""

from pathlib import Path
from typing import Any

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.completion import of_store
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, changed_store_argument, names


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata derive data/nyu.h5 --task normals --from depth",
        "mtdata derive data/mine.h5 --task edges --from semantic -o data/edges.h5",
    ),
)
@changed_store_argument
@click.option(
    "--task", required=True, metavar="NAME", shell_complete=of_store("tasks"),
    help="Of which labels are made.",
)  # fmt: skip
@click.option(
    "--from", "parent", required=True, metavar="NAME", shell_complete=of_store("tasks"),
    help="The label that they follow from.",
)  # fmt: skip
@click.option("-o", "--out", type=FILE, help="Write a copy.  [default: the store is changed]")
@click.option(
    "--split", type=names, metavar="A,B", shell_complete=of_store("splits"),
    help="Only these training splits.  [default: all]",
)  # fmt: skip
@click.option(
    "--rule",
    type=click.Choice(["normals-from-depth", "inverse", "class-boundaries", "person-from-parts"]),
    help="How; where the names of the tasks do not tell it.",
)
@click.option("--overwrite", is_flag=True, help="Replace derived labels of the task, and OUT.")
@json_option
def derive(store: Path, *, as_json: bool, **options: Any) -> None:
    """Add labels that follow from others exactly: normals from depth, edges from classes.

    They lie beside the labels of the source, marked as derived, and no regime shows them unless
    asked to, as `mttrain --regime one+derived`; then only where it shows what they follow from.
    """
    from cli.shared.progress import progress_bar
    from mtdata.merging.derive import derive as run_derive

    with progress_bar() as progress:
        summary = run_derive(
            store, options.pop("task"), options.pop("parent"), progress=progress, **options
        )
    put_json(summary.to_json()) if as_json else say(summary.text())
