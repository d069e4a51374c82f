"""`mtdata regime add` and `mtdata regime list`."""

from pathlib import Path
from typing import Any

import click

from cli.common import json_option, put_json, say
from cli.examples import examples
from cli.options import seed_option, store_argument


@click.group(
    epilog=examples(
        "mtdata regime add data/nyu.h5 --kind one --seed 1 --name one-1",
        "mtdata regime list data/nyu.h5",
    ),
)
def regime() -> None:
    """Draw and list which labels of the training split may be seen."""


@regime.command(
    epilog=examples(
        "mtdata regime add data/nyu.h5 --kind random",
        "mtdata regime add data/nyu.h5 --kind one --seed 1 --name one-1",
    ),
)
@store_argument
@click.option("--kind", required=True, help="full, one (a label an image) or random (1 to K - 1).")
@click.option("--name", help="What to call it.  [default: its kind]")
@seed_option
@json_option
def add(store: Path, *, kind: str, name: str | None, seed: int, as_json: bool) -> None:
    """Draw a regime on the training split and keep it in the store."""
    from mtdata.draw_regime import draw_regime

    split, table = draw_regime(store, kind, name=name, seed=seed)
    found = {
        "name": name or kind,
        "kind": kind,
        "seed": seed,
        "labels": table.counts,
        "images_with": {str(k): n for k, n in table.images_with.items()},
    }
    put_json(found) if as_json else _print({split: {name or kind: found}})
    say(f"Next: mttrain --method xtc --data {store} --regime {name or kind}")


@regime.command(
    "list",
    epilog=examples(
        "mtdata regime list data/nyu.h5",
        "mtdata regime list data/nyu.h5 --json",
    ),
)
@store_argument
@json_option
def list_(store: Path, *, as_json: bool) -> None:
    """List the regimes of a store and how many labels each shows."""
    from mtdata.info import info
    from mtdata.store import open_store

    with open_store(store) as opened:
        found = {name: split["regimes"] for name, split in info(opened)["splits"].items()}
        default = opened.default_regime
    put_json({"default": default, "splits": found}) if as_json else _print(found, default)


def _print(found: dict[str, dict[str, Any]], default: str | None = None) -> None:
    from cli.tables import put_table

    rows: list[list[Any]] = []
    tasks: list[str] = []
    for split, regimes in found.items():
        for name, drawn in regimes.items():
            tasks = list(drawn["labels"])
            several = " ".join(f"{k}:{n}" for k, n in drawn["images_with"].items() if n)
            mark = f"{name} (default)" if name == default else name
            rows.append(
                [split, mark, drawn["kind"], drawn["seed"], *drawn["labels"].values(), several]
            )
    put_table(["split", "regime", "kind", "seed", *tasks, "images with k labels"], rows, left=3)
