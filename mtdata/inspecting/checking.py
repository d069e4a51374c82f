"""What a store must be, looked at one split and one sample at a time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import BrokenStoreError, StoreError
from mtdata.store import Split
from mtdata.store import format as layout
from mtdata.store.digest import ABSENT, cell_digest
from mtdata.store.handle import LOST, why_unread
from mtdata.store.look import array_problems, chunk_problems
from mtdata.store.opening import view
from mtdata.store.regime import regime_problems
from mtdata.store.tables import problems as table_problems
from mtdata.tasks.task import Task

Found = Iterator[tuple[str, str]]
"""Pairs of where and what."""
TABLES = ("keys", "sizes", "source_sizes", "crops", "cameras", "valid_pixels", "digests", "regimes")
"""What is asked of a split before its samples are looked at."""


def check_structure(split: Split) -> Found:
    """Types, shapes and attributes of the arrays, their chunks, and the tables beside them."""
    size = split.handle.path.stat().st_size
    for task in (None, *split.tasks):
        name = None if task is None else task.name
        where = f"{split.name}/{name or layout.IMAGE}"
        try:
            dataset = split.dataset(name)
            yield from ((where, w) for w in array_problems(dataset, len(split), split.size, task))
            expected = int(np.prod(dataset.shape[1:])) * dataset.dtype.itemsize
            yield from ((where, what) for what in chunk_problems(dataset, size, expected))
        except (KeyError, ValueError, OSError, RuntimeError) as error:
            missing = isinstance(error, KeyError)
            yield where, f"cannot be read: {'it is missing' if missing else error}"
    yield from _check_tables(split)


def readable(split: Split) -> Iterator[str]:
    """What of the tables cannot be read at all: then no sample can be looked at."""
    for name in TABLES:
        try:
            getattr(split, name)
        except StoreError as error:
            yield str(error.__cause__ or error)


def _check_tables(split: Split) -> Found:
    there = split.handle.file[split.name]
    names = [layout.KEY, *layout.tables(len(split.tasks)), *layout.FACTS]
    for name in names:
        if name in layout.OPTIONAL and name not in there:
            continue
        where = f"{split.name}/{name}"
        try:
            dataset = split.handle.file[where]
            table = dataset[()]
            wanted = layout.plain(dataset.attrs.get(layout.SHA256))
        except (KeyError, OSError, RuntimeError) as error:
            yield where, why_unread(error)
            continue
        if wanted is not None and cell_digest(table).hex() != wanted:
            yield where, "does not match its digest"
        yield from ((where, what) for what in table_problems(name, table))
        if name == layout.KEY and len(np.unique(table)) != len(table):
            yield where, "a key is there twice"
        if name == layout.SIZE and (table > split.size).any():
            yield where, f"should be within {split.size}"


def check_regimes(split: Split) -> Found:
    """Every regime is what was written, and shows only labels that are there."""
    for name, regime in split.regimes.items():
        where = f"{split.name}/{layout.REGIME}/{name}"
        if name != layout.FULL:
            with view(split.handle.path, looked_at=True) as file:
                found = list(regime_problems(file[where], regime.labels))
            yield from ((where, what) for what in found)
        for row, column in np.argwhere(regime.labels & ~split.labelled):
            task = split.tasks[column].name
            yield where, f"shows {task} of {split.keys[row]}, which has no such label"


class Samples:
    """Looks at the samples of a split.

    Args:
        split: Its tables are believed as they are found.
    """

    def __init__(self, split: Split) -> None:
        self.split = split
        self._stored = {task.name: self._rows_with_data(task) for task in split.tasks}

    def check(self, index: int) -> Found:
        """Checksums, digests, value ranges and valid pixels of one image and its labels."""
        split = self.split
        for column, task in enumerate((None, *split.tasks)):
            name = None if task is None else task.name
            where = f"{split.name}/{split.keys[index]}/{name or layout.IMAGE}"
            if task is not None and not split.labelled[index, column - 1]:
                yield from ((where, what) for what in self._check_absent(index, column, task))
                continue
            try:
                stored = split.read_stored(index, name)
            except BrokenStoreError as error:
                yield where, why_unread(error.__cause__) if error.__cause__ else LOST
                continue
            yield from ((where, what) for what in _check_cell(split, index, column, stored, task))

    def _rows_with_data(self, task: Task) -> NDArray[np.bool_]:
        stored = np.zeros(len(self.split), np.bool_)

        def note(chunk: Any) -> None:
            stored[chunk.chunk_offset[0]] = True

        # One pass over all: to ask for the chunk of one row takes a pass each time.
        self.split.dataset(task.name).id.chunk_iter(note)
        return stored

    def _check_absent(self, index: int, column: int, task: Task) -> Iterator[str]:
        if self._stored[task.name][index]:
            yield "has data, but no valid pixels are noted for it"
        if self.split.digests[index, column].tobytes() != ABSENT:
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
