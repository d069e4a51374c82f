"""`mtdata info`."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from cli.shared.common import json_option, put_json
from cli.shared.groups import Command, examples
from cli.shared.options import store_argument
from mtdata.urls import StorePath
from mtdata.wording import counted

if TYPE_CHECKING:
    from mtdata.store import Store


@click.command(
    cls=Command,
    epilog=examples(
        "mtdata info data/nyu.h5",
        "mtdata info data/nyu.h5 --json",
        "mtdata info https://host/nyu.h5",
    ),
)
@store_argument
@json_option
def info(store: StorePath, *, as_json: bool) -> None:
    """Say what a store holds: tasks, splits, labels, regimes."""
    from mtdata.inspecting.info import info as describe
    from mtdata.store import open_store

    with open_store(store) as opened:
        found = describe(opened)
        put_json(found) if as_json else _print(opened, found)


def _print(store: "Store", found: dict[str, Any]) -> None:
    from cli.shared.tables import put_table, size_text

    click.echo(
        f"{found['path']}: {found['dataset']}, {size_text(found['bytes'])}, "
        f"format {found['format_version']}, made {store.created} by {store.tool}\n"
        f"content {found['content_digest'][:16]}  default regime {store.default_regime}\n"
    )
    tasks, splits = found["tasks"], found["splits"]
    put_table(
        ["task", "kind", "units", "channels"],
        [[name, t["kind"], t["units"], t["channels"]] for name, t in tasks.items()],
        left=3,
    )
    header = ["split", "role", "regime", "size", "images", *tasks, "images with k labels"]
    rows = [row for name, split in splits.items() for row in _rows(store, name, split)]
    put_table(header, rows, left=4, key=3)
    shards = [f"{split['shards']} of {name}" for name, split in splits.items() if "shards" in split]
    if shards:
        click.echo(f"Images and labels lie in shards beside it: {', '.join(shards)}.")
    for name, split in splits.items():
        for sentence in _remarks(name, split):
            click.echo(sentence)


def _rows(store: "Store", name: str, split: Mapping[str, Any]) -> Iterator[list[Any]]:
    """A row for each regime of a split."""
    most = "up to " if store.splits[name].padded else ""
    size = most + "x".join(map(str, split["size"]))
    for regime, drawn in split["regimes"].items():
        several = " ".join(f"{k}:{n}" for k, n in drawn["images_with"].items() if n)
        counts = drawn["labels"].values()
        yield [name, split["role"], regime, size, split["images"], *counts, several]


def _remarks(name: str, split: Mapping[str, Any]) -> Iterator[str]:
    """What the tables do not say of a split."""
    from cli.shared.tables import uncovered_text

    for regime, drawn in split["regimes"].items():
        if drawn["later"] or drawn["uncovered"]:
            yield uncovered_text(regime, drawn["later"], drawn["uncovered"], name)
    for origin, tasks in split["added"].items():
        for task, added in tasks.items():
            whence = (
                f"from {added['parent']} by {added['rule']}"
                if origin == "derived"
                else f"by the run {added['run']}, weights {added['weights'][:12]}"
            )
            yield (
                f"{name}: {counted(added['images'], 'label')} of {task}, {origin} {whence}; a "
                f"regime shows them with +{origin} behind its name."
            )
    if split["unlabelled"]:
        yield f"Without any label: {counted(split['unlabelled'], 'image')} of {name}."
