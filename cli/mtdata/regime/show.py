"""`mtdata regime show`."""

import json
from pathlib import Path
from typing import Any

import click

from cli.shared.common import json_option, paragraph, put_json, say
from cli.shared.completion import of_store
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, split_name, store_argument
from mtdata.urls import StorePath
from mtdata.wording import counted

SETS = 20
"""Sets of tasks that people are shown; JSON has all."""


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata regime show data/nyu.h5 random --plot random.png",
        "mtdata regime show data/nyu.h5 one --json",
    ),
)
@store_argument
@click.argument("name", shell_complete=of_store("regimes"))
@click.option("-o", "--plot", type=FILE, help="Draw it too, for instance into regime.png.")
@split_name(help="Only of this split.  [default: all to train on that have it]")
@json_option
def show(
    store: StorePath, name: str, *, plot: Path | None, split: str | None, as_json: bool
) -> None:
    """Tell all about one regime: labels, numbers of labels, tasks that are shown together."""
    from mtdata.store import open_store
    from mtdata.store.regime_summary import summarise

    if plot is not None:
        from mtdata.inspecting.figures import check_path

        check_path(plot)
    with open_store(store) as opened:
        found = summarise(opened, name, split)
    put_json(found) if as_json else _print(found)
    if plot is not None:
        from mtdata.inspecting.figures import save
        from mtdata.inspecting.regime_plot import plot as draw

        save(draw(found), plot)
        say(f"Drew {plot}.")


def _print(found: dict[str, Any]) -> None:
    from cli.shared.tables import put_table

    default = ", the default" if found["default"] else ""
    seed = "" if found["seed"] is None else f", seed {found['seed']}"
    click.echo(
        f"{found['path']}: regime {found['name']}{default}, of split {found['split']} with "
        f"{counted(found['images'], 'image')}\nkind {found['kind']}{seed}, options "
        f"{json.dumps(found['parameters']) if found['parameters'] else 'none'}"
    )
    click.echo(paragraph(f"from: {found['origin']}"))
    names = list(found["labels"])
    put_table(
        ["task", "labels shown", "in the store"],
        [[name, found["labels"][name], found["available"][name]] for name in names],
    )
    put_table(["labels of an image", "images"], list(found["images_with"].items()))
    if found["pairs"]:
        put_table(["tasks", "images that show both"], list(found["pairs"].items()))
    sets = list(found["sets"].items())
    put_table(["tasks", "images that show exactly these"], sets[:SETS])
    if len(sets) > SETS:
        say(f"{len(sets) - SETS} more sets of tasks are rarer; --json lists all.")
