"""`mtdata regime default`."""

from pathlib import Path

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.completion import of_store
from cli.shared.groups import Command, examples
from cli.shared.options import changed_store_argument


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata regime default data/nyu.h5 one",
        "mtdata regime default data/nyu.h5 full",
    ),
)
@changed_store_argument
@click.argument("name", shell_complete=of_store("regimes"))
@json_option
def default(store: Path, name: str, *, as_json: bool) -> None:
    """Choose the regime that training shows unless told otherwise; `full` is every label."""
    from mtdata.store import set_default_regime

    before = set_default_regime(store, name)
    if as_json:
        put_json({"path": str(store), "default": name, "before": before})
    elif name == before:
        say(f"The default of {store} is `{name}` already.")
    else:
        say(f"The default of {store} is `{name}` now; it was `{before}`.")
