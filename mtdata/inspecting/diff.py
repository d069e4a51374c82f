"""How two stores differ: by their tables and digests first, then by the pixels of what differs."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.comparing.cells import CellChange, Pair, changes, measured, pair_of
from mtdata.inspecting.comparing.report import (
    Difference,
    Only,
    RegimeChange,
    SplitChange,
    Values,
    only,
)
from mtdata.progress import Progress
from mtdata.store import RegimeInfo, Split, Store
from mtdata.store.format import FULL
from mtdata.urls import StorePath

TABLES = ("size", "source_size", "crop", "camera")


def diff(
    a: StorePath | str, b: StorePath | str, *, pixels: bool = True, progress: Progress | None = None
) -> Difference:
    """Compare two stores.

    Digests are believed: whether the chunks still match them is what `verify` tells.

    Args:
        a: A store.
        b: Another.
        pixels: Read the cells that differ, and tell in how many pixels and by how much.
        progress: Told about every cell that is read.

    Raises:
        StoreError: where one is no store, or a chunk that has to be read is broken.
    """
    with Store(a) as left, Store(b) as right:
        common = [name for name in left.splits if name in right.splits]
        pairs = {name: pair_of(left.splits[name], right.splits[name]) for name in common}
        cells = {name: list(changes(pair)) for name, pair in pairs.items()}
        if pixels:
            cells = _measure(pairs, cells, progress)
        tasks = [{task.name: task.to_json() for task in store.tasks} for store in (left, right)]
        return Difference(
            paths=(left.path, right.path),
            attributes=_values(left, right, ("dataset_name", "default_regime")),
            about=_values(left, right, ("created", "tool", "options", "source_digest")),
            tasks=only(*tasks),
            changed_tasks=_differing(*tasks),
            splits=only(left.splits, right.splits),
            changed_splits={name: _split(pairs[name], cells[name]) for name in common},
            same_content=left.content_digest == right.content_digest,
        )


def _measure(
    pairs: dict[str, Pair], cells: dict[str, list[CellChange]], progress: Progress | None
) -> dict[str, list[CellChange]]:
    total, done = sum(map(len, cells.values())), 0
    found: dict[str, list[CellChange]] = {}
    for name, listed in cells.items():
        found[name] = []
        for cell in listed:
            found[name].append(measured(pairs[name], cell))
            done += 1
            if progress:
                progress(done, total, "comparing pixels")
    return found


def _split(pair: Pair, cells: Iterable[CellChange]) -> SplitChange:
    a, b = pair.a.regimes, pair.b.regimes
    shared = [name for name in a if name in b and name != FULL]
    regimes = {name: _regime(pair, a[name], b[name]) for name in shared}
    added = [
        {f"{origin}/{task}": one.sha256 for (origin, task), one in split.added.items()}
        for split in (pair.a, pair.b)
    ]
    return SplitChange(
        attributes=_values(pair.a, pair.b, ("role", "size")),
        keys=only(pair.a.keys, pair.b.keys),
        reordered=bool((np.diff(pair.rows_b) < 0).any()),
        tables=_tables(pair),
        cells=tuple(cells),
        regimes=only(a, b),
        changed_regimes={name: change for name, change in regimes.items() if change},
        added=only(*added),
        changed_added=tuple(n for n, one in added[0].items() if added[1].get(n, one) != one),
    )


def _regime(pair: Pair, a: RegimeInfo, b: RegimeInfo) -> RegimeChange:
    """Over the images and tasks that both have."""
    tasks = [task for task in a.tasks if task in b.tasks]
    shown = [
        one.labels[rows][:, [one.tasks.index(task) for task in tasks]]
        for one, rows in ((a, pair.rows_a), (b, pair.rows_b))
    ]
    about = _values(a, b, ("kind", "parameters", "seed", "origin"))
    return RegimeChange(about, int((shown[0] != shown[1]).sum()))


def _tables(pair: Pair) -> dict[str, tuple[str, ...]]:
    tables = zip(
        TABLES, _tables_of(pair.a, pair.rows_a), _tables_of(pair.b, pair.rows_b), strict=True
    )
    found = {}
    for name, a, b in tables:
        # An unknown camera is NaN, which equals an unknown camera.
        differs = ~((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=1)
        if differs.any():
            found[name] = tuple(pair.keys[row] for row in np.flatnonzero(differs))
    return found


def _tables_of(split: Split, rows: NDArray[np.intp]) -> list[NDArray[np.float64]]:
    tables = (split.sizes, split.source_sizes, split.crops, split.cameras)
    return [table[rows].astype(np.float64) for table in tables]


def _values(a: Any, b: Any, names: Iterable[str]) -> Values:
    return _differing(
        {name.removesuffix("_name"): getattr(a, name) for name in names},
        {name.removesuffix("_name"): getattr(b, name) for name in names},
    )


def _differing(a: dict[str, Any], b: dict[str, Any]) -> Values:
    """What both have and has another value in each."""
    return {name: (a[name], b[name]) for name in a if name in b and a[name] != b[name]}


__all__ = ["CellChange", "Difference", "Only", "RegimeChange", "SplitChange", "diff"]
