"""`mtdata report`."""

from pathlib import Path

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, check_page, regime_name, split_name, store_argument
from mtdata.urls import StorePath, Url


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata report data/nyu.h5",
        "mtdata report data/nyu.h5 --regime one --split train -o nyu-one.html --open",
        "mtdata report data/rooms.h5 --limit 10000 -o rooms.html --overwrite",
    ),
)
@store_argument
@regime_name(help="Count and show only the labels that it shows.  [default: all]")
@split_name(help="Only this split.  [default: all]")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    metavar="N",
    help="Read the labels of only N drawn images of each split for frequencies and ranges.",
)
@click.option(
    "-o",
    "--out",
    type=FILE,
    metavar="PAGE.html",
    callback=check_page,
    help="File to write.  [default: the name of the store with .html, beside it]",
)
@click.option("--overwrite", is_flag=True, help="Replace PAGE.html.")
@click.option("--open", "opens", is_flag=True, help="Open it in a browser.")
@json_option
def report(
    store: StorePath,
    *,
    regime: str | None,
    split: str | None,
    limit: int,
    out: Path | None,
    overwrite: bool,
    opens: bool,
    as_json: bool,
) -> None:
    """Write a store as one page to print or send: labels, regimes, values, some images.

    It needs no other file and no network. A label that the regime hides is not read.
    """
    from cli.shared.progress import progress_bar
    from mtdata.atomic import check_new, replacing
    from mtdata.inspecting.report import report as make
    from mtdata.store import open_store

    if out is None:
        # Of one on object storage, where nothing is written: here.
        beside = Path(store.name) if isinstance(store, Url) else store
        out = beside.with_suffix(".html")
    check_new(out, overwrite=overwrite)
    with open_store(store) as opened, progress_bar("labels") as progress:
        text = make(opened, regime, progress, split=split, limit=limit)
    with replacing(out) as fresh:
        fresh.write_text(text, encoding="utf-8")
    if as_json:
        put_json({"path": str(out), "regime": regime, "split": split, "bytes": len(text.encode())})
    say(f"Report: {out}")
    if opens:
        click.launch(str(out))
