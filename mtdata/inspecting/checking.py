"""What a store must be, looked at one split and one sample at a time."""

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.errors import StoreError
from mtdata.store import format as layout
from mtdata.store.digest import ABSENT, cell_digest
from mtdata.store.split import Split, why_unread
from mtdata.tasks.task import Task


def check_structure(split: Split) -> Iterator[tuple[str, str]]:
    """Types, shapes and attributes of the arrays, and the tables beside them."""
    for task in (None, *split.tasks):
        name = None if task is None else task.name
        where = f"{split.name}/{name or layout.IMAGE}"
        try:
            found = list(_check_array(split, split.dataset(name), task))
            yield from ((where, what) for what in found)
        except (KeyError, ValueError, OSError, RuntimeError) as error:
            yield where, f"cannot be read: {error}"
    if len(set(split.keys)) != len(split.keys):
        yield f"{split.name}/{layout.KEY}", "a key is there twice"
    if (split.sizes < 1).any() or (split.sizes > split.size).any():
        yield f"{split.name}/{layout.SIZE}", f"should be within {split.size}"
    yield from check_regimes(split)


def _check_array(split: Split, dataset: h5py.Dataset, task: Task | None) -> Iterator[str]:
    shape: tuple[int, ...] = (*split.size, 3)
    dtype = np.dtype(np.uint8)
    if task is not None:
        shape, dtype = layout.stored_form(task.kind, split.size)
    if dataset.shape != (len(split), *shape) or dataset.dtype != dtype:
        yield (
            f"should be {dtype} {[len(split), *shape]}; found {dataset.dtype} {list(dataset.shape)}"
        )
    if dataset.chunks != (1, *dataset.shape[1:]):
        yield f"one sample should be one chunk; found chunks of {dataset.chunks}"
    if not dataset.fletcher32:
        yield "chunks should have a checksum; they have none"
    if task is not None:
        for name, value in layout.label_attributes(task).items():
            if not _same(dataset.attrs.get(name), value):
                yield f"attribute {name} should be {value}; found {dataset.attrs.get(name)}"


def _same(found: Any, wanted: Any) -> bool:
    if found is None:
        return False
    if isinstance(wanted, float) and np.isnan(wanted):
        return bool(np.isnan(found))
    return bool(np.array_equal(np.asarray(found), np.asarray(wanted)))


def check_regimes(split: Split) -> Iterator[tuple[str, str]]:
    """Every regime shows only labels that are there."""
    for name, regime in split.regimes.items():
        where = f"{split.name}/{layout.REGIME}/{name}"
        if regime.labels.shape != split.valid_pixels.shape:
            yield where, f"should be {split.valid_pixels.shape}; found {regime.labels.shape}"
            continue
        for row, column in np.argwhere(regime.labels & (split.valid_pixels == 0)):
            task = split.tasks[column].name
            yield where, f"shows {task} of {split.keys[row]}, which has no such label"


def check_sample(split: Split, index: int) -> Iterator[tuple[str, str]]:
    """Checksums, digests, value ranges and valid pixels of one image and its labels."""
    for column, task in enumerate((None, *split.tasks)):
        name = None if task is None else task.name
        where = f"{split.name}/{split.keys[index]}/{name or layout.IMAGE}"
        if task is not None and split.valid_pixels[index, column - 1] == 0:
            yield from ((where, what) for what in _check_absent(split, index, column, task))
            continue
        try:
            stored = split.read_stored(index, name)
        except StoreError as error:
            yield where, why_unread(error.__cause__)
            continue
        yield from ((where, what) for what in _check_cell(split, index, column, stored, task))


def _check_absent(split: Split, index: int, column: int, task: Task) -> Iterator[str]:
    dataset = split.dataset(task.name)
    place = (index,) + (0,) * (dataset.ndim - 1)
    if dataset.id.get_chunk_info_by_coord(place).byte_offset is not None:
        yield "has data, but no valid pixels are noted for it"
    if split.digests[index, column].tobytes() != ABSENT:
        yield "has a digest, but no valid pixels are noted for it"


def _check_cell(
    split: Split, index: int, column: int, stored: NDArray[Any], task: Task | None
) -> Iterator[str]:
    height, width = split.sizes[index]
    true = stored[:height, :width]
    if cell_digest(true) != split.digests[index, column].tobytes():
        yield "does not match its digest"
    if task is None:
        if stored[height:].any() or stored[:, width:].any():
            yield "should be zero outside of its true size"
        return
    label, valid = task.kind.decode(stored)
    count = int(np.count_nonzero(valid))
    if count != split.valid_pixels[index, column - 1]:
        yield f"has {count} valid pixels; {split.valid_pixels[index, column - 1]} are noted"
    if valid[height:].any() or valid[:, width:].any():
        yield "has valid pixels outside of the true size of its image"
    try:
        task.kind.encode(label, valid)
    except ValueError as error:
        yield str(error)
