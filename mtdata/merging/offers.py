"""What every input has to say on each cell of a joined split, and whose word is taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.store import Split
from mtdata.tasks.task import Task

NONE = -1
"""In place of a row or an input: there is none."""


@dataclass(frozen=True)
class Offer:
    """Values [n, columns, k] of one input, and where it has any, [n, columns]."""

    present: NDArray[np.bool_]
    values: NDArray[Any]


def choose(offers: Sequence[Offer], order: Sequence[int]) -> tuple[NDArray[np.intp], Any]:
    """The first input of `order` that has a value, [n, columns] (-1: none has).

    Returns:
        Also where a later one has another value, bool [n, columns].
    """
    first = offers[0].present
    chosen = np.full(first.shape, NONE, np.intp)
    clash = np.zeros(first.shape, bool)
    values = np.zeros_like(offers[0].values)
    for number in order:
        offer = offers[number]
        taken = chosen != NONE
        clash |= taken & offer.present & (values != offer.values).any(axis=-1)
        new = offer.present & ~taken
        chosen[new] = number
        values[new] = offer.values[new]
    return chosen, clash


def rows_of(split: Split | None, keys: Sequence[str]) -> NDArray[np.intp]:
    """The row of each key in a split, [n]; -1 where it has not, or there is no split."""
    rows = {} if split is None else {key: row for row, key in enumerate(split.keys)}
    return np.array([rows.get(key, NONE) for key in keys], np.intp)


def cells_offered(split: Split | None, rows: NDArray[np.intp], tasks: Sequence[Task]) -> Offer:
    """Digests of the image and of every label."""
    present = np.zeros((len(rows), 1 + len(tasks)), bool)
    values = np.zeros((*present.shape, 32), np.uint8)
    if split is not None:
        here = rows != NONE
        own = [task.name for task in split.tasks]
        present[here, 0], values[here, 0] = True, split.digests[rows[here], 0]
        for column, task in enumerate(tasks, start=1):
            if task.name in own:
                at = own.index(task.name)
                present[here, column] = split.valid_pixels[rows[here], at] > 0
                values[here, column] = split.digests[rows[here], at + 1]
    return Offer(present, values)


def boxes_offered(split: Split | None, rows: NDArray[np.intp]) -> Offer:
    """Size in the source and the crop of it: one column.

    A store made of images that were finished already (cropped and resized) knows nothing of it.
    """
    values = np.zeros((len(rows), 1, 6), np.int32)
    present = np.zeros((len(rows), 1), bool)
    here = rows != NONE
    if split is not None:
        sizes, crops = split.source_sizes[rows[here]], split.crops[rows[here]]
        values[here, 0] = np.hstack([sizes, crops])
        finished = np.hstack([sizes, np.zeros_like(sizes), sizes]) == values[here, 0]
        as_stored = sizes == split.sizes[rows[here]]
        present[here, 0] = ~(finished.all(axis=1) & as_stored.all(axis=1))
    return Offer(present, values)


def cameras_offered(split: Split | None, rows: NDArray[np.intp]) -> Offer:
    """The camera, where it is known: one column."""
    values = np.full((len(rows), 1, 4), np.nan)
    here = rows != NONE
    if split is not None:
        values[here, 0] = split.cameras[rows[here]]
    return Offer(~np.isnan(values).any(axis=-1), values)
