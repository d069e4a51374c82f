"""`mtdata show`."""

from pathlib import Path

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, regime_name, seed_option, split_name, store_argument
from mtdata.errors import UsageError

ROWS = click.IntRange(1, 100)
"""What one sheet can hold and a person look at."""


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata show data/nyu.h5 0001 0003 -o sheet.png",
        "mtdata show data/nyu.h5 --first 5 --regime one -o hidden.png",
        "mtdata show data/rooms.h5 --random 8 --seed 1 --split test -o sheet.png",
    ),
)
@store_argument
@click.argument("keys", metavar="[KEY...]", nargs=-1)
@click.option("--first", type=ROWS, metavar="N", help="The first N images of a split.")
@click.option("--random", type=ROWS, metavar="N", help="N images of a split, drawn by --seed.")
@seed_option
@click.option("-o", "--out", type=FILE, required=True, help="Picture to write, such as sheet.png.")
@regime_name(
    help="Mark what it hides as hidden; +derived or +filled:0.8 behind it shows added labels.  "
    "[default: show all]"
)
@split_name(
    help="Where to look.  [default: for KEY all, train first; else the first]",
)
@json_option
def show(
    store: Path,
    keys: tuple[str, ...],
    *,
    first: int | None,
    random: int | None,
    seed: int,
    out: Path,
    regime: str | None,
    split: str | None,
    as_json: bool,
) -> None:
    """Picture images beside their labels. KEY is the official image id: see `mtdata keys`.

    A label that a regime hides is not read; its place says that it is hidden.
    """
    from mtdata.inspecting.pictures import check_path, save
    from mtdata.inspecting.show import pick
    from mtdata.inspecting.show import show as draw
    from mtdata.store import open_store

    given = sum((bool(keys), first is not None, random is not None))
    if given != 1:
        raise UsageError(
            "the images should be named by KEY..., --first N or --random N; found "
            f"{'none' if not given else 'several'} of these. Give one."
        )
    check_path(out)
    with open_store(store) as opened:
        if not keys:
            split, keys = pick(opened, split, first=first, random=random, seed=seed)
        save(draw(opened, keys, regime, split=split), out)
    if as_json:
        put_json({"path": str(out), "keys": list(keys), "split": split, "regime": regime})
    say(f"Drew {len(keys)} image{'' if len(keys) == 1 else 's'} into {out}.")
