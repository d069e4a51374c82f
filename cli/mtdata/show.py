"""`mtdata show`."""

from pathlib import Path

import click

from cli.shared.common import say
from cli.shared.groups import examples
from cli.shared.options import FILE, store_argument


@click.command(
    epilog=examples(
        "mtdata show data/nyu.h5 0001 0003 -o sheet.png",
        "mtdata show data/rooms.h5 000000 000001 --split test -o sheet.png",
        "mtdata show data/nyu.h5 0003 0004 0005 --regime one -o hidden.png",
    ),
)
@store_argument
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@click.option("-o", "--out", type=FILE, required=True, help="Picture to write, such as sheet.png.")
@click.option("--regime", metavar="NAME", help="Mark what it hides as hidden.  [default: show all]")
@click.option("--split", metavar="NAME", help="Where to look for KEY.  [default: all, train first]")
def show(
    store: Path, keys: tuple[str, ...], *, out: Path, regime: str | None, split: str | None
) -> None:
    """Picture images beside their labels. KEY is the official image id.

    A label that a regime hides is not read; its place says that it is hidden.
    """
    from mtdata.inspecting.pictures import check_path, save
    from mtdata.inspecting.show import show as draw
    from mtdata.store import open_store

    check_path(out)
    with open_store(store) as opened:
        save(draw(opened, keys, regime, split=split), out)
    say(f"Drew {out}.")
