"""`mtdata merge`."""

import shlex
from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import json_option, put_json, say, training_command
from cli.shared.groups import Command, examples
from cli.shared.options import COMPRESSIONS, FILE, STORE
from mtdata.urls import StorePath

if TYPE_CHECKING:
    from mtdata.merging.summary import MergeSummary


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata merge depth.h5 parts.h5 -o data/both.h5",
        "mtdata merge a.h5 b.h5 c.h5 -o data/all.h5 --prefer last",
        "mtdata merge data/nyu/nyu.h5 -o data/one.h5",
    ),
)
@click.argument("stores", metavar="A B...", type=STORE, nargs=-1, required=True)
@click.option("-o", "--out", type=FILE, required=True, help="Store to write.")
@click.option(
    "--prefer",
    type=click.Choice(["first", "last"]),
    help="Where two stores hold other labels, take those of the first or the last.  "
    "[default: refuse]",
)
@click.option(
    "--compression",
    type=click.Choice(COMPRESSIONS),
    help="Of the chunks.  [default: that of the first store]",
)
@click.option("--overwrite", is_flag=True, help="Replace a store that exists.")
@json_option
def merge(*, stores: tuple[StorePath, ...], as_json: bool, **options: Any) -> None:
    """Join stores over all their tasks and images: a partly labelled set by construction.

    Images of one key must be equal, and tasks of one name the same. A regime is kept where it is
    clear which labels it shows. A store in shards alone becomes the one file that it was made of.
    """
    from cli.shared.progress import progress_bar
    from mtdata.merging.merge import merge as join

    with progress_bar() as progress:
        summary = join(stores, progress=progress, **options)
    put_json(summary.to_json()) if as_json else _print(summary)


def _print(summary: "MergeSummary") -> None:
    from cli.shared.tables import left_out_text, put_splits, size_text

    put_splits(summary.splits)
    say(
        f"{summary.path}: {size_text(summary.bytes)}, made in {summary.seconds:.1f} s; "
        f"of images and labels {summary.copied:,} copied, {summary.recoded:,} compressed anew."
    )
    if summary.settled:
        say(f"Contradictions settled as --prefer says: {summary.settled:,}.")
    if summary.kept:
        say(f"Regimes kept, which hide what they did not show before: {', '.join(summary.kept)}.")
    if summary.dropped:
        say(
            f"Regimes left out, for the stores show different labels by them: "
            f"{', '.join(summary.dropped)}. Draw them again with `mtdata regime add`."
        )
    if summary.left_out:
        say(left_out_text(summary.left_out))
    hid = ""
    if summary.uncovered:
        hid = (
            f", what the defaults of these stores hid ({', '.join(summary.uncovered)}) too: give "
            "--regime, or set another with `mtdata regime default`"
        )
    say(
        f"Training shows the labels of the regime `{summary.default_regime}` unless told "
        f"otherwise{hid}."
    )
    look = shlex.join(["mtdata", "info", str(summary.path)])
    say(f"Next: {look}, or {training_command(summary.path)}")
