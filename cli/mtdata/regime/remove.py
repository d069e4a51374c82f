"""`mtdata regime remove`."""

from pathlib import Path

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.completion import of_store
from cli.shared.groups import Command, examples
from cli.shared.options import changed_store_argument


@click.command(cls=Command, epilog=examples("mtdata regime remove data/nyu.h5 one-1"))
@changed_store_argument
@click.argument("name", shell_complete=of_store("regimes"))
@json_option
def remove(store: Path, name: str, *, as_json: bool) -> None:
    """Remove a regime from a store; images and labels stay as they are."""
    from mtdata.store import open_store, remove_regime

    with open_store(store) as opened:
        before = opened.default_regime
    remove_regime(store, name)
    if as_json:
        put_json({"removed": name, "was_default": name == before})
    say(f"Removed the regime `{name}` from {store}.")
    if name == before:
        say("It was the default: training shows every label (`full`) unless told otherwise.")
