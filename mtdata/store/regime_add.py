"""Put a regime on training splits of a store that exists, drawn or read from a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.regimes.drawing import draw
from mtdata.regimes.importing import Imported, import_table
from mtdata.regimes.table import RegimeTable
from mtdata.store import Split, add_regime, open_store
from mtdata.store import format as layout
from mtdata.store.edit import add_regimes, check_new, training_split, training_splits

Where = tuple[Sequence[str], Sequence[str], NDArray[np.bool_]]


def draw_regime(
    path: Path,
    kind: str,
    *,
    name: str | None = None,
    seed: int = 0,
    split: str | None = None,
    **options: Any,
) -> dict[str, RegimeTable]:
    """Draw over the labels that have valid pixels, of each training split by itself.

    Args:
        path: The store; it is changed in place.
        kind: A name of `REGIMES`.
        name: What to call it; None for its kind.
        seed: The only source of randomness.
        split: Only this one; None for all that are trained on, as a build draws it.
        options: Of the regime.

    Returns:
        What was drawn, by the name of the split.

    Raises:
        UnknownNameError: where there is no such regime or split.
        UsageError: where the name is taken, an option cannot be, or the store has no training
            split.
        DataError: where a task gets no label.
    """
    with open_store(path) as store:
        where = {each.name: _cells(each) for each in training_splits(store, split)}
        for each in where:
            check_new(name or kind, store.split(each), path)
    drawn = {each: draw(kind, *cells, seed=seed, **options) for each, cells in where.items()}
    add_regimes(path, name or kind, drawn)
    return drawn


def import_regime(
    path: Path,
    file: Path,
    *,
    name: str | None = None,
    skip: bool = False,
    split: str | None = None,
) -> tuple[str, Imported]:
    """Read a regime from a file; labels that have no valid pixels are left out.

    Args:
        path: The store; it is changed in place.
        file: The assignment: CSV, JSON, or a `.pth` or `.npy` file released with MTPSL.
        name: What to call it; None for the name of the file without its suffix.
        skip: Leave out images that the split does not have, instead of refusing them.
        split: Of which split it is; None for the only one that is trained on.

    Returns:
        The name of the split, and what was read.

    Raises:
        UnknownNameError: where there is no such split.
        UsageError: where the name is taken, or no one training split is meant.
        DataError: where the file is broken, holds code, or does not fit the split.
    """
    name = name or file.stem
    with open_store(path) as store:
        target = training_split(store, split)
        check_new(name, target, path)
        where = _cells(target)
    found = import_table(file, *where, skip=skip, holes=_has_holes(path, target.name))
    add_regime(path, name, found.table, split=target.name)
    return target.name, found


def _has_holes(path: Path, split: str) -> bool:
    """Whether a store may lack images in the middle of a split.

    It does not where a limit cut it off and nothing was left out; of a folder that holds only some
    images a store does not know which are missing.
    """
    with open_store(path) as store:
        cut = store.options.get("limit") is not None
        return not cut or store.split(split).fact(layout.SKIPPED) is not None


def _cells(split: Split) -> Where:
    return split.keys, [task.name for task in split.tasks], split.labelled
