"""`mtdata regime remove`."""

from pathlib import Path

import click

from cli.shared.common import say
from cli.shared.groups import examples
from cli.shared.options import store_argument


@click.command(epilog=examples("mtdata regime remove data/nyu.h5 one-1"))
@store_argument
@click.argument("name")
def remove(store: Path, name: str) -> None:
    """Remove a regime from a store; images and labels stay as they are."""
    from mtdata.store import open_store, remove_regime

    with open_store(store) as opened:
        before = opened.default_regime
    remove_regime(store, name)
    say(f"Removed the regime `{name}` from {store}.")
    if name == before:
        say("It was the default: training shows every label (`full`) unless told otherwise.")
