"""Put a regime on the training split of a store that exists, drawn or read from a file."""

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
from mtdata.store.edit import check_new, training_split

Where = tuple[Sequence[str], Sequence[str], NDArray[np.bool_]]


def draw_regime(
    path: Path, kind: str, *, name: str | None = None, seed: int = 0, **options: Any
) -> tuple[str, RegimeTable]:
    """Draw over the labels that have valid pixels.

    Args:
        path: The store; it is changed in place.
        kind: A name of `REGIMES`.
        name: What to call it; None for its kind.
        seed: The only source of randomness.
        options: Of the regime.

    Returns:
        The name of the split, and what was drawn.

    Raises:
        UnknownNameError: where there is no such regime.
        UsageError: where the name is taken, an option cannot be, or the store has not exactly one
            training split.
        DataError: where a task gets no label.
    """
    split, where = _where(path, name or kind)
    table = draw(kind, *where, seed=seed, **options)
    add_regime(path, name or kind, table, split=split)
    return split, table


def import_regime(
    path: Path, file: Path, *, name: str | None = None, skip: bool = False
) -> tuple[str, Imported]:
    """Read a regime from a file; labels that have no valid pixels are left out.

    Args:
        path: The store; it is changed in place.
        file: The assignment: CSV, JSON, or a `.pth` or `.npy` file released with MTPSL.
        name: What to call it; None for the name of the file without its suffix.
        skip: Leave out images that the split does not have, instead of refusing them.

    Returns:
        The name of the split, and what was read.

    Raises:
        UsageError: where the name is taken, or the store has not exactly one training split.
        DataError: where the file is broken, holds code, or does not fit the split.
    """
    split, where = _where(path, name or file.stem)
    found = import_table(file, *where, skip=skip, holes=_has_holes(path, split))
    add_regime(path, name or file.stem, found.table, split=split)
    return split, found


def _where(path: Path, name: str) -> tuple[str, Where]:
    """The training split, and its keys, tasks and labels; the name is checked before any work."""
    with open_store(path) as store:
        split = training_split(store)
        check_new(name, split, path)
        return split.name, _cells(split)


def _has_holes(path: Path, split: str) -> bool:
    """Whether a store may lack images in the middle of a split: those that could not be read."""
    with open_store(path) as store:
        return store.split(split).fact(layout.SKIPPED) is not None


def _cells(split: Split) -> Where:
    return split.keys, [task.name for task in split.tasks], split.labelled
