"""`mtdata regime default`."""

from pathlib import Path

import click

from cli.shared.common import say
from cli.shared.groups import examples
from cli.shared.options import store_argument


@click.command(
    epilog=examples(
        "mtdata regime default data/nyu.h5 one",
        "mtdata regime default data/nyu.h5 full",
    ),
)
@store_argument
@click.argument("name")
def default(store: Path, name: str) -> None:
    """Choose the regime that training shows unless told otherwise; `full` is every label."""
    from mtdata.store import set_default_regime

    before = set_default_regime(store, name)
    if name == before:
        say(f"The default of {store} is `{name}` already.")
    else:
        say(f"The default of {store} is `{name}` now; it was `{before}`.")
