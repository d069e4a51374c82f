"""All about one regime of a store, to be shown or written to a file, without reading a pixel."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtdata.atomic import check_new, replacing
from mtdata.errors import UsageError
from mtdata.regimes.counting import count_pairs, count_sets
from mtdata.regimes.importing.json_file import write_json
from mtdata.regimes.table import RegimeTable, write_table
from mtdata.store import Store, open_store
from mtdata.store.edit import training_split
from mtdata.urls import StorePath


def regime_table(store: Store, name: str) -> RegimeTable:
    """The labels that a regime shows of the training split, for instance to be written to a file.

    Raises:
        UnknownNameError: where there is no such regime.
        UsageError: where the store has not exactly one training split.
    """
    split = training_split(store)
    labels = split.visible(name)
    about = split.regimes[name]
    tasks = tuple(task.name for task in split.tasks)
    return RegimeTable(
        about.kind, split.keys, tasks, labels, about.parameters, about.seed, about.origin
    )


def summarise(store: Store, name: str) -> dict[str, Any]:
    """The fields of `mtdata regime show --json`.

    Raises:
        UnknownNameError: where there is no such regime.
        UsageError: where the store has not exactly one training split.
    """
    split, table = training_split(store), regime_table(store, name)
    there = split.labelled.sum(0)
    return {
        "path": str(store.path),
        "name": name,
        "default": name == store.default_regime,
        "split": split.name,
        "kind": table.kind,
        "parameters": dict(table.parameters),
        "seed": table.seed,
        "origin": table.origin,
        "images": len(split),
        "labels": table.counts,
        "available": {task: int(n) for task, n in zip(table.tasks, there, strict=True)},
        "images_with": {str(k): table.images_with.get(k, 0) for k in range(len(table.tasks) + 1)},
        "pairs": count_pairs(table.tasks, table.labels),
        "sets": count_sets(table.tasks, table.labels),
    }


WRITERS: dict[str, Callable[[RegimeTable, Path], None]] = {".csv": write_table, ".json": write_json}


def export_regime(path: StorePath, name: str, out: Path, *, overwrite: bool = False) -> RegimeTable:
    """Write the labels that a regime shows of the training split; the file is whole or absent.

    Args:
        path: The store.
        name: The regime.
        out: The file; its suffix says the form, `.csv` or `.json`.
        overwrite: Whether to replace it where it is there.

    Raises:
        UsageError: where the suffix says neither, the file is there already, or the store has not
            exactly one training split.
        UnknownNameError: where there is no such regime.
        MtdataError: where the disk is full or the file cannot be written.
    """
    if out.suffix.lower() not in WRITERS:
        raise UsageError(f"`out` should end in {' or '.join(WRITERS)}; found {out}.")
    check_new(out, overwrite=overwrite)
    with open_store(path) as store:
        table = regime_table(store, name)
    with replacing(out, new=not overwrite) as temporary:
        WRITERS[out.suffix.lower()](table, temporary)
    return table
