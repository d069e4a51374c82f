"""What a store must be, looked at one split and one sample at a time."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import BrokenStoreError, StoreError, UnreachableError
from mtdata.store import Split
from mtdata.store import format as layout
from mtdata.store.added import Added, added_problems
from mtdata.store.digest import ABSENT, cell_digest, seal
from mtdata.store.handle import LOST, why_unread
from mtdata.store.index import other_tables
from mtdata.store.opening.file import length_of, view
from mtdata.store.opening.look import array_problems, chunk_problems
from mtdata.store.regime import regime_problems
from mtdata.store.shards import Shards
from mtdata.store.tables import problems as table_problems
from mtdata.tasks.task import Task
from mtdata.urls import StorePath

Found = Iterator[tuple[str, str]]
"""Pairs of where and what."""
TABLES = ("keys", "sizes", "source_sizes", "crops", "cameras", "valid_pixels", "digests", "regimes")
"""What is asked of a split before its samples are looked at."""


def check_structure(split: Split) -> Found:
    """Types, shapes and attributes of the arrays, their chunks, and the tables beside them.

    Where images lie in shards, each of these is looked at, and compared with the index.
    """
    if split.shards is None:
        yield from _check_arrays(split)
    else:
        for number, shard in enumerate(split.shards.shards):
            for where, what in _check_shard(split, split.shards, number):
                yield f"{split.name}/{shard.file}{where}", what
    yield from _check_tables(split)
    size = length_of(split.handle.path)
    for added in split.added.values():
        yield from _check_added(split, added, size)


def readable_rows(split: Split) -> Iterator[range]:
    """Which samples can be looked at: those of a shard that cannot be opened cannot."""
    if split.shards is None:
        yield range(len(split))
        return
    for number, (start, stop) in enumerate(pairwise(split.shards.starts.tolist())):
        try:
            split.shards.opened(number, split.keys)
        except UnreachableError:
            raise
        except StoreError:
            continue
        yield range(start, stop)


def _check_shard(split: Split, shards: Shards, number: int) -> Found:
    """What a shard is, and whether the tables of the index are those of it."""
    try:
        part = shards.opened(number, split.keys)
    except UnreachableError:
        raise
    except StoreError as error:
        yield "", str(error)
        return
    for where, what in (*_check_arrays(part), *_check_tables(part)):
        yield where.removeprefix(split.name), what
    with view(part.handle.path, looked_at=True) as file:
        if seal(file) != shards.shards[number].seal:
            yield "", "the seal does not match the attributes and tables"
    for name in other_tables(split, part, int(shards.starts[number])):
        yield f"/{name}", "is another in the index"


def _check_arrays(split: Split) -> Found:
    size = length_of(split.handle.path)
    for task in (None, *split.tasks):
        name = None if task is None else task.name
        where = f"{split.name}/{name or layout.IMAGE}"
        try:
            dataset = split.dataset(name)
            yield from ((where, w) for w in array_problems(dataset, len(split), split.size, task))
            expected = int(np.prod(dataset.shape[1:])) * dataset.dtype.itemsize
            yield from ((where, what) for what in chunk_problems(dataset, size, expected))
        except UnreachableError:
            raise
        except (KeyError, ValueError, OSError, RuntimeError) as error:
            missing = isinstance(error, KeyError)
            yield where, f"cannot be read: {'it is missing' if missing else error}"


def _check_added(split: Split, added: Added, size: int) -> Found:
    """As `check_structure`, of labels that were added."""
    try:
        group = split.handle.file[added.place]
        for what in added_problems(group, added.task, len(split), split.size):
            yield added.place, what
        for name in {layout.LABEL, layout.CONFIDENCE} & {*group}:
            expected = int(np.prod(group[name].shape[1:])) * group[name].dtype.itemsize
            for what in chunk_problems(group[name], size, expected):
                yield f"{added.place}/{name}", what
        for name in layout.added_tables(added.origin):
            table = group[name][()]
            if cell_digest(table).hex() != layout.plain(group[name].attrs.get(layout.SHA256)):
                yield f"{added.place}/{name}", "does not match its digest"
    except UnreachableError:
        raise
    except (KeyError, ValueError, OSError, RuntimeError) as error:
        yield added.place, f"cannot be read: {error}"


def readable(split: Split) -> Iterator[str]:
    """What of the tables cannot be read at all: then no sample can be looked at."""
    for name in TABLES:
        try:
            getattr(split, name)
        except UnreachableError:
            raise
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
        except UnreachableError:
            raise
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
        self._stored: dict[tuple[StorePath, str], NDArray[np.bool_]] = {}

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
            found = _check_cell(split, index, stored, split.digests[index, column])
            yield from ((where, what) for what in found)
            if task is not None:
                pixels = int(split.valid_pixels[index, column - 1])
                found = _check_label(split, index, stored, task, pixels)
                yield from ((where, what) for what in found)
            elif _outside(split, index, stored).any():
                yield where, "should be zero outside of its true size"
        for added in split.added.values():
            where = f"{split.name}/{split.keys[index]}/{added.origin}/{added.task.name}"
            yield from ((where, what) for what in self._check_added(index, added))

    def _check_added(self, index: int, added: Added) -> Iterator[str]:
        split, pixels = self.split, int(added.valid_pixels[index])
        if not pixels:
            if added.digests[index].any():
                yield "has a digest, but no valid pixels are noted for it"
            return
        try:
            stored = split.read_added(added, index)
            yield from _check_cell(split, index, stored, added.digests[index, 0])
            yield from _check_label(split, index, stored, added.task, pixels)
            if added.origin != layout.FILLED:
                return
            sure = split.read_added(added, index, layout.CONFIDENCE)
        except BrokenStoreError as error:
            yield why_unread(error.__cause__) if error.__cause__ else LOST
            return
        yield from _check_cell(split, index, sure, added.digests[index, 1])
        if sure[~added.task.kind.decode(stored)[1]].any():
            yield "has a confidence where it is void"
        if sure.max() != added.most[index]:
            yield f"has a highest confidence of {sure.max()}; {added.most[index]} is noted"

    def _has_data(self, index: int, task: Task) -> bool:
        part, at = self.split.part(index)
        place = part.handle.path, task.name
        if place not in self._stored:
            self._stored[place] = stored = np.zeros(len(part), np.bool_)

            def note(chunk: Any) -> None:
                stored[chunk.chunk_offset[0]] = True

            # One pass over all: to ask for the chunk of one row takes a pass each time.
            part.dataset(task.name).id.chunk_iter(note)
        return bool(self._stored[place][at])

    def _check_absent(self, index: int, column: int, task: Task) -> Iterator[str]:
        if self._has_data(index, task):
            yield "has data, but no valid pixels are noted for it"
        if self.split.digests[index, column].tobytes() != ABSENT:
            yield "has a digest, but no valid pixels are noted for it"


def _check_cell(
    split: Split, index: int, stored: NDArray[Any], digest: NDArray[np.uint8]
) -> Iterator[str]:
    height, width = split.sizes[index]
    if cell_digest(stored[:height, :width]) != digest.tobytes():
        yield "does not match its digest"


def _outside(split: Split, index: int, array: NDArray[Any]) -> NDArray[Any]:
    """What lies in the padding."""
    height, width = split.sizes[index]
    return np.concatenate([array[height:].ravel(), array[:height, width:].ravel()])


def _check_label(
    split: Split, index: int, stored: NDArray[Any], task: Task, pixels: int
) -> Iterator[str]:
    label, valid = task.kind.decode(stored)
    count = int(np.count_nonzero(valid))
    if count != pixels:
        yield f"has {count} valid pixels; {pixels} are noted"
    if _outside(split, index, valid).any():
        yield "has valid pixels outside of the true size of its image"
    try:
        task.kind.encode(label, valid)
    except ValueError as error:
        yield str(error)
