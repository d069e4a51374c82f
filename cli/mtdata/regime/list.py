"""`mtdata regime list`."""

import click

from cli.shared.common import json_option, put_json
from cli.shared.groups import Command, examples
from cli.shared.options import store_argument
from mtdata.urls import StorePath


@click.command(
    "list",
    cls=Command,
    epilog=examples(
        "mtdata regime list data/nyu.h5",
        "mtdata regime list data/nyu.h5 --json",
    ),
)
@store_argument
@json_option
def list_(store: StorePath, *, as_json: bool) -> None:
    """List the regimes of a store and how many labels each shows."""
    from cli.mtdata.regime.table import put_regimes
    from mtdata.inspecting.info import info
    from mtdata.store import open_store

    with open_store(store) as opened:
        found = {name: split["regimes"] for name, split in info(opened)["splits"].items()}
        default = opened.default_regime
    put_json({"default": default, "splits": found}) if as_json else put_regimes(found, default)
