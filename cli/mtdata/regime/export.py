"""`mtdata regime export`."""

from pathlib import Path

import click

from cli.shared.common import json_option, put_json, say
from cli.shared.completion import of_store
from cli.shared.groups import Command, examples
from cli.shared.options import FILE, split_name, store_argument
from mtdata.urls import StorePath
from mtdata.wording import counted


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata regime export data/nyu.h5 one -o one.csv",
        "mtdata regime export data/nyu.h5 one -o one.json",
    ),
)
@store_argument
@click.argument("name", shell_complete=of_store("regimes"))
@click.option(
    "-o", "--out", type=FILE, required=True, help="CSV or JSON file to write, by its suffix."
)
@click.option("--overwrite", is_flag=True, help="Replace OUT.")
@split_name(help="Only of this split.  [default: all to train on that have it]")
@json_option
def export(
    store: StorePath, name: str, *, out: Path, split: str | None, overwrite: bool, as_json: bool
) -> None:
    """Write a regime to a file that `regime add --from` and mttrain --regime (CSV) read.

    CSV has a line of key and task for each label; JSON the tasks of each key.
    """
    from mtdata.store.regime_summary import export_regime

    table = export_regime(store, name, out, split=split, overwrite=overwrite)
    if as_json:
        labels = {task: int(n) for task, n in table.counts.items()}
        put_json({"path": str(out), "regime": name, "images": len(table.keys), "labels": labels})
    say(
        f"Wrote {counted(int(table.labels.sum()), 'label')} of "
        f"{counted(len(table.keys), 'image')} to {out}."
    )
