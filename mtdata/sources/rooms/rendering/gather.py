"""Taking and putting columns of `[k, n]` arrays, row by row: many times as fast as in one go."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.intp]
Floats = NDArray[np.floating[Any]]


def taken(rows: NDArray[Any], index: Index) -> NDArray[Any]:
    """Columns `index` of `rows`."""
    result = np.empty((len(rows), len(index)), rows.dtype)
    for row, out in zip(rows, result, strict=True):
        row.take(index, out=out, mode="clip")
    return result


def put(rows: NDArray[Any], index: Index, columns: NDArray[Any]) -> None:
    """Set columns `index` of `rows`."""
    for row, column in zip(rows, columns, strict=True):
        row[index] = column


def looked_up(table: NDArray[Any], index: Index) -> NDArray[np.float32]:
    """For each entry of `index` the row of a table `[m, k]`, as columns `[k, n]` of float32."""
    return taken(np.ascontiguousarray(table.T, np.float32), index)


def borders(ids: NDArray[Any]) -> NDArray[np.bool_]:
    """Where one of the four neighbours has another number, `[h, w]`."""
    found = np.zeros(ids.shape, bool)
    across, down = ids[:, 1:] != ids[:, :-1], ids[1:] != ids[:-1]
    found[:, 1:] |= across
    found[:, :-1] |= across
    found[1:] |= down
    found[:-1] |= down
    return found
