"""`mtdata show`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.groups import Command, examples
from cli.shared.options import (
    FILE,
    device_option,
    given,
    regime_name,
    seed_option,
    split_name,
    store_argument,
)
from cli.shared.plugins import trust_option
from cli.shared.predicted import load_predicted, names_of
from mtdata.errors import UsageError
from mtdata.urls import StorePath

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROWS = click.IntRange(1, 100)
"""What one sheet can hold and a person look at."""


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata show data/nyu.h5 0001 0003 -o sheet.png",
        "mtdata show data/nyu.h5 --first 5 --regime one -o hidden.png",
        "mtdata show data/nyu.h5 --random 3 --predictions runs/sl --split test -o errors.png",
        "mtdata show data/nyu.h5 0003 --predictions runs/sl --predictions runs/taught -o both.png",
        "mtdata show data/nyu.h5 0003 --augment 4 --like runs/sl -o seen.png",
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
@click.option(
    "--predictions",
    "runs",
    metavar="RUN",
    type=FILE,
    multiple=True,
    help="Draw what a run predicts below the labels, and below that how far it is off; several "
    "where it is given again.",
)
@click.option(
    "--augment",
    type=click.IntRange(1, 20),
    metavar="N",
    help="Draw below each image what the first N epochs of a training see of it.",
)
@click.option(
    "--like",
    metavar="RUN",
    type=FILE,
    help="With --augment: train as this run did.  [default: as mttrain does unless told otherwise]",
)
@device_option
@trust_option
@json_option
def show(
    store: StorePath,
    keys: tuple[str, ...],
    *,
    first: int | None,
    random: int | None,
    seed: int,
    out: Path,
    regime: str | None,
    split: str | None,
    runs: tuple[Path, ...],
    augment: int | None,
    like: Path | None,
    device: str | None,
    trust_plugins: bool,
    as_json: bool,
) -> None:
    """Picture images beside their labels. KEY is the official image id: see `mtdata keys`.

    A label that a regime hides is not read; its place says that it is hidden.
    """
    from mtdata.inspecting.figures import check_path, save

    ways = sum((bool(keys), first is not None, random is not None))
    if ways != 1:
        raise UsageError(
            "the images should be named by KEY..., --first N or --random N; found "
            f"{'none' if not ways else 'several'} of these. Give one."
        )
    _check(split, runs, augment, like)
    if given("seed") and random is None:
        raise UsageError(
            "--seed should go with --random N, which it draws; found it without. Leave it out."
        )
    if device is not None and not runs:
        raise UsageError(
            "--device should go with --predictions RUN, which are computed there; found it "
            "without. Leave it out."
        )
    check_path(out)
    if augment is not None:
        figure, split, keys = _seen(
            store, keys, augment, like, regime, first=first, random=random, seed=seed,
            trust=trust_plugins,
        )  # fmt: skip
    else:
        figure, split, keys = _stored(
            store, keys, runs, regime, split, first=first, random=random, seed=seed,
            device=device or "auto", trust=trust_plugins,
        )  # fmt: skip
    save(figure, out)
    if as_json:
        put_json({"path": str(out), "keys": list(keys), "split": split, "regime": regime})
    say(f"Drew {len(keys)} image{'' if len(keys) == 1 else 's'} into {out}.")


def _check(
    split: str | None, runs: tuple[Path, ...], augment: int | None, like: Path | None
) -> None:
    """Refuse what does not go together."""
    if like is not None and augment is None:
        raise UsageError("--like should go with --augment N; found it alone. Give both.")
    if augment is not None and runs:
        raise UsageError(
            "--augment should go without --predictions, which are of images as they are stored. "
            "Give one of them."
        )
    if augment is not None and split is not None:
        raise UsageError(
            "--augment should go without --split: a training sees the splits that it trains on. "
            "Leave it out."
        )


def _stored(
    store: StorePath,
    keys: tuple[str, ...],
    runs: tuple[Path, ...],
    regime: str | None,
    split: str | None,
    *,
    first: int | None,
    random: int | None,
    seed: int,
    device: str,
    trust: bool,
) -> tuple["Figure", str | None, tuple[str, ...]]:
    """Images as they are, with the predictions of runs where some are given."""
    from mtdata.inspecting.show import pick
    from mtdata.inspecting.show import show as draw
    from mtdata.store import open_store

    with open_store(store) as opened:
        if not keys:
            split, keys = pick(opened, split, first=first, random=random, seed=seed)
        predicted = [
            load_predicted(run, name, device, trust=trust)
            for run, name in zip(runs, names_of(runs), strict=True)
        ]
        return draw(opened, keys, regime, split=split, predicted=predicted), split, keys


def _seen(
    store: StorePath,
    keys: tuple[str, ...],
    draws: int,
    like: Path | None,
    regime: str | None,
    *,
    first: int | None,
    random: int | None,
    seed: int,
    trust: bool,
) -> tuple["Figure", None, tuple[str, ...]]:
    """Images as a training sees them."""
    from mtmodels.inspecting.seen import Training

    training = Training(store, like, regime=regime, trust_plugins=trust)
    with training.store:
        keys = keys or training.pick(first=first, random=random, seed=seed)
        return training.draw(keys, draws), None, keys
