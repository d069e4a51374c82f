"""All about one regime of a store, to be shown or written to a file, without reading a pixel."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtdata.atomic import check_new, replacing
from mtdata.errors import UnknownNameError, UsageError
from mtdata.regimes.counting import count_pairs, count_sets
from mtdata.regimes.importing.json_file import write_json
from mtdata.regimes.table import RegimeTable, together, write_table
from mtdata.store import Split, Store, open_store
from mtdata.store.edit import several, training_splits
from mtdata.urls import StorePath


def _owners(store: Store, name: str, split: str | None) -> list[Split]:
    """The splits to train on that have a regime."""
    store.check_regime(name)
    splits = training_splits(store, split)
    found = [each for each in splits if name in each.regime_names]
    if not found:
        raise UnknownNameError("regime", name, splits[0].regime_names)
    return found


def _table(store: Store, name: str, splits: Sequence[Split]) -> RegimeTable:
    tables = []
    for split in splits:
        labels, about = split.visible(name), split.regimes[name]
        tasks = tuple(task.name for task in split.tasks)
        facts = about.parameters, about.seed, about.origin
        tables.append(RegimeTable(about.kind, split.keys, tasks, labels, *facts))
    if any((t.kind, t.parameters, t.seed) != (tables[0].kind, tables[0].parameters, tables[0].seed)
           for t in tables):  # fmt: skip
        raise several(store, splits)
    return together(tables)


def summarise(store: Store, name: str, split: str | None = None) -> dict[str, Any]:
    """The fields of `mtdata regime show --json`.

    Args:
        store: Where it is.
        name: The regime.
        split: Of which split; None for all to train on that have it, one after the other.

    Raises:
        UnknownNameError: where there is no such regime or split.
        UsageError: where there is no training split, or the regime is another in each.
    """
    splits = _owners(store, name, split)
    table = _table(store, name, splits)
    there = np.sum([each.labelled.sum(0) for each in splits], axis=0)
    return {
        "path": str(store.path),
        "name": name,
        "default": name == store.default_regime,
        "split": "+".join(each.name for each in splits),
        "kind": table.kind,
        "parameters": dict(table.parameters),
        "seed": table.seed,
        "origin": table.origin,
        "images": len(table.keys),
        "labels": table.counts,
        "available": {task: int(n) for task, n in zip(table.tasks, there, strict=True)},
        "images_with": {str(k): table.images_with.get(k, 0) for k in range(len(table.tasks) + 1)},
        "pairs": count_pairs(table.tasks, table.labels),
        "sets": count_sets(table.tasks, table.labels),
    }


WRITERS: dict[str, Callable[[RegimeTable, Path], None]] = {".csv": write_table, ".json": write_json}


def export_regime(
    path: StorePath, name: str, out: Path, *, split: str | None = None, overwrite: bool = False
) -> RegimeTable:
    """Write the labels that a regime shows; the file is whole or absent.

    Args:
        path: The store.
        name: The regime.
        out: The file; its suffix says the form, `.csv` or `.json`.
        split: As in `summarise`.
        overwrite: Whether to replace it where it is there.

    Raises:
        UsageError: where the suffix says neither, the file is there already, no split is the
            obvious one, or two have an image of one key, which a file cannot tell apart.
        UnknownNameError: where there is no such regime or split.
        MtdataError: where the disk is full or the file cannot be written.
    """
    if out.suffix.lower() not in WRITERS:
        raise UsageError(f"`out` should end in {' or '.join(WRITERS)}; found {out}.")
    check_new(out, overwrite=overwrite)
    with open_store(path) as store:
        splits = _owners(store, name, split)
        table = _table(store, name, splits)
        if len(set(table.keys)) < len(table.keys):
            raise several(store, splits)
    with replacing(out, new=not overwrite) as temporary:
        WRITERS[out.suffix.lower()](table, temporary)
    return table
