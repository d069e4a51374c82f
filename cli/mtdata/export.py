"""`mtdata export`."""

from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import json_option, paragraph, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, regime_name, store_argument, tasks_option
from mtdata.urls import StorePath
from mtdata.wording import counted

if TYPE_CHECKING:
    from mtdata.export import ExportSummary


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata export data/nyu.h5 --to folder -o nyu-files",
        "mtdata export data/nyu.h5 --to npy --regime one -o nyuv2",
        "mtdata export data/mine.h5 --to croissant -o mine-croissant",
        "mtdata export data/mine.h5 --to fiftyone --regime one -o mine-fiftyone",
    ),
)
@store_argument
@click.option(
    "--to",
    "form",
    required=True,
    type=click.Choice(["folder", "npy", "croissant", "fiftyone"]),
    help="folder (images, label files, tasks.yaml), npy (MTAN's tree, for the papers' released "
    "code), croissant (folder with Croissant metadata) or fiftyone (what FiftyOne imports).",
)
@click.option("-o", "--out", type=FILE, required=True, help="Folder to make.")
@regime_name(
    help="Only labels that it shows, +derived or +filled:0.8 behind it: added ones too; npy: all "
    "labels, and MTPSL's file of which it shows.  [default: all of the source]",
)
@click.option(
    "--filled-anyway",
    is_flag=True,
    help="Take filled labels of a run that may have seen what the regime hides.",
)
@tasks_option
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
@json_option
def export(store: StorePath, *, form: str, as_json: bool, **options: Any) -> None:
    """Write a store as files that other programs read; the folder is whole or absent."""
    from cli.shared.progress import progress_bar
    from mtdata.export import export as write

    with progress_bar() as progress:
        summary = write(store, form, progress=progress, **options)
    put_json(summary.to_json()) if as_json else _print(summary)
    for name, text in summary.licences.items():
        say(paragraph(f"Licence of {name}: {text} It holds for these files too."))


def _print(summary: "ExportSummary") -> None:
    from cli.shared.tables import put_splits, size_text

    put_splits(summary.splits)
    for note in summary.notes:
        say(paragraph(f"Note: {note}"))
    say(
        f"{summary.path}: {counted(summary.files, 'file')}, {size_text(summary.bytes)}, written in "
        f"{summary.seconds:.1f} s."
    )
