"""Padding the chunks of a finished sample to a larger size, at the bottom and on the right."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.building.request import Request
from mtdata.store import format as layout
from mtdata.store.codec import decode, encode, filters
from mtdata.store.row import Cell, Row
from mtdata.store.writer import IMAGE_TYPE


def pad_row(request: Request, job: tuple[Row, tuple[int, int]]) -> Row:
    """The row with black pixels and void labels up to a size; digests are of the true part."""
    row, size = job
    if row.size == size:
        return row
    image = _pad(request, row.cells[0], (*row.size, 3), size, dtype=IMAGE_TYPE, void=None)
    labels = []
    for cell, task in zip(row.cells[1:], request.tasks, strict=True):
        shape, dtype = layout.stored_form(task.kind, row.size)
        void = task.kind.storage()["void"]
        labels.append(_pad(request, cell, shape, size, dtype=dtype, void=void))
    return replace(row, cells=(image, *labels))


def _pad(
    request: Request,
    cell: Cell,
    shape: tuple[int, ...],
    size: tuple[int, int],
    *,
    dtype: np.dtype[Any],
    void: int | float | None,
) -> Cell:
    if cell.chunk is None:
        return cell
    options = filters(request.compression, dtype, image=void is None)
    stored: NDArray[Any] = decode(cell.chunk, shape, dtype, options)
    full = np.full((*size, *shape[2:]), 0 if void is None else void, dtype)
    full[: shape[0], : shape[1]] = stored
    return replace(cell, chunk=encode(full, options))
