"""`mtdata keys`."""

import click

from cli.shared.common import json_option, put_json
from cli.shared.completion import of_store
from cli.shared.groups import Command, examples
from cli.shared.options import regime_name, split_name, store_argument
from mtdata.urls import StorePath


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata keys data/nyu.h5 --split test",
        "mtdata keys data/nyu.h5 --regime one --task depth",
        "mtdata show data/nyu.h5 $(mtdata keys data/nyu.h5 --split test | tail -3) -o last.png",
    ),
)
@store_argument
@split_name(help="Only this split.  [default: all]")
@regime_name(help="Only images of which it shows a label; of splits that have it.")
@click.option(
    "--task",
    metavar="NAME",
    shell_complete=of_store("tasks"),
    help="Only images with a label of this task, that the regime shows.",
)
@click.option(
    "--added",
    type=click.Choice(["filled", "derived"]),
    help="Only images to which such labels were added.",
)
@json_option
def keys(
    store: StorePath,
    *,
    split: str | None,
    regime: str | None,
    task: str | None,
    added: str | None,
    as_json: bool,
) -> None:
    """List the keys of images, one a line, in the order of the store.

    A key is the official image id, which `mtdata show` and lists of splits take.
    """
    from mtdata.inspecting.keys import keys as list_keys
    from mtdata.store import open_store

    with open_store(store) as opened:
        found = list_keys(opened, split=split, regime=regime, task=task, added=added)
        if as_json:
            put_json({"path": str(store), "regime": regime, "task": task, "splits": found})
            return
        click.echo("".join(f"{key}\n" for each in found.values() for key in each), nl=False)
