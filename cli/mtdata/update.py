"""`mtdata update`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import json_option, paragraph, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, allowing_files, changed_store_argument, file_options
from cli.shared.plugins import plugin_option
from mtdata.wording import counted

if TYPE_CHECKING:
    from mtdata.merging.update import UpdateSummary
    from mtdata.sources.base import Source
    from mtdata.store import Store

ON_CHANGE = ("refuse", "keep", "follow")


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata update photos.h5 --source photos",
        "mtdata update photos.h5 --source photos --on-change follow --on-error skip",
    ),
)
@changed_store_argument
@click.option(
    "--source",
    "root",
    type=FILE,
    help="Folder that it was built from.  [default: $MTDATA_SOURCES/NAME, then data/raw/NAME]",
)
@click.option(
    "--on-change",
    type=click.Choice(ON_CHANGE),
    default="refuse",
    show_default=True,
    help="Images and labels that are others in the source now, or gone: refuse the update, keep "
    "them as the store has them, or follow the source.",
)
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="What new images that cannot be used do: end the update, or stay out of the store.",
)
@file_options
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, show_default=True)
@plugin_option
@json_option
def update(store: Path, *, root: Path | None, as_json: bool, **options: Any) -> None:
    """Add new images and new labels of its source to a store, without building it again.

    Only what is new or changed is read. Regimes stay as they were drawn; `regime list` says what
    they do not cover. A killed update leaves the store as it was.
    """
    from cli.shared.progress import progress_bar
    from mtdata.merging.update import update as run_update
    from mtdata.store import open_store

    with allowing_files(options), progress_bar() as report:
        with open_store(store) as opened:
            source = _source(opened, root)
        summary = run_update(store, source, progress=report, **options)
    put_json(summary.to_json()) if as_json else _print(summary)


def _source(store: "Store", root: Path | None) -> "Source":
    """What the store was built from, with its options."""
    from mtdata.merging.built import check_description, check_source, source_name, source_options
    from mtdata.sources.locate import open_source

    check_source(store)
    source = open_source(source_name(store), root, **source_options(store))
    check_description(source)
    return source


def _print(summary: "UpdateSummary") -> None:
    from cli.shared.tables import left_out_text, put_splits, uncovered_text
    from mtdata.errors import LISTED

    put_splits(summary.splits)
    labels = ", ".join(f"{name} {n}" for name, n in summary.labels.items()) or "none"
    say(
        f"{summary.path}: {counted(summary.images, 'new image')}; new labels of images that were "
        f"there: {labels}. Read {counted(summary.read, 'image')} in {summary.seconds:.1f} s."
    )
    if not summary.written:
        say("There was nothing to do.")
    if summary.altered or summary.gone:
        say(f"Changed in the source: {len(summary.altered)}, gone from it: {len(summary.gone)}.")
    for each in summary.skipped[:LISTED]:
        say(paragraph(f"Skipped {each.split}/{each.key}: {each.what}"))
    for name, tasks in summary.lost.items():
        told = ", ".join(f"{task} {n}" for task, n in tasks.items())
        say(
            paragraph(
                f"The regime `{name}` showed labels that are gone from the source: {told}. Draw "
                "another with `mtdata regime add`."
            )
        )
    if summary.left_out:
        say(left_out_text(summary.left_out))
    for name, images in summary.uncovered.items():
        if images or summary.later[name]:
            told = uncovered_text(name, summary.later[name], images)
            say(f"{told} Draw another with `mtdata regime add`.")
