"""The tables of a split: each has a digest of its own, and is read when it is first needed."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, SupportsIndex, overload

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.store import format as layout
from mtdata.store.digest import cell_digest, start_digest

ROWS = 2**14
"""Rows of a table that are read at a time."""


class Keys(Sequence[str]):
    """The official image ids, as the bytes of the file: a `str` takes five times as much memory.

    Args:
        data: Texts of fixed length, [n].
    """

    def __init__(self, data: NDArray[Any]) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            return tuple(Keys(self.data[index]))
        return bytes(self.data[index]).decode(errors="replace")

    def __iter__(self) -> Iterator[str]:
        return (key.decode(errors="replace") for key in self.data.tolist())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and len(self._places(key)) > 0

    def index(self, value: str, start: int = 0, stop: int | None = None) -> int:
        """Position of a key.

        Raises:
            ValueError: where there is none such.
        """
        found = self._places(value, start, stop)
        if not len(found):
            raise ValueError(f"{value!r} is no key")
        return start + int(found[0])

    def _places(self, key: str, start: int = 0, stop: int | None = None) -> NDArray[np.intp]:
        # numpy does not tell a text from one with zeros behind it; no key has control characters.
        same = self.data[start:stop] == key.encode(errors="replace")
        return np.flatnonzero(same) if "\0" not in key else np.empty(0, np.intp)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Keys):
            return np.array_equal(self.data, other.data)
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(self.data.tobytes())

    def __repr__(self) -> str:
        return f"Keys({', '.join(map(repr, self[:3]))}{', ...' if len(self) > 3 else ''})"


def write_table(group: h5py.Group, name: str, table: NDArray[Any]) -> h5py.Dataset:
    """Write one table with its digest; it is one chunk, with a checksum."""
    dataset = group.create_dataset(
        name, data=table, chunks=table.shape, fletcher32=True, track_times=False
    )
    layout.put(dataset.attrs, {layout.SHA256: cell_digest(table).hex()})
    dataset.flush()  # a disk that is full is told here, and not where the table is let go
    return dataset


def blocks(dataset: h5py.Dataset, *, believe: bool = False) -> Iterator[NDArray[Any]]:
    """The rows of a table, some at a time: memory does not grow with it.

    What is made of them counts when the last one was given.

    Args:
        dataset: Where it is.
        believe: Do not compare it with its digest.

    Raises:
        ValueError: where it does not match its digest. A store of before has none: there, what no
            table can hold is refused.
    """
    name = dataset.name.rpartition("/")[2]
    wanted = layout.plain(dataset.attrs.get(layout.SHA256))
    if wanted is None or believe:
        table = dataset[()]
        for problem in () if believe else problems(name, table):
            raise ValueError(f"the table {name} {problem}")
        yield table
        return
    digest = start_digest(dataset.dtype, dataset.shape)
    for block in _past_hdf5(dataset) if dataset.file.driver == "sec2" else [dataset[()]]:
        digest.update(np.ascontiguousarray(block))
        yield block
    if digest.hexdigest() != wanted:
        raise ValueError(f"the table {name} does not match its digest")


def _past_hdf5(dataset: h5py.Dataset) -> Iterator[NDArray[Any]]:
    """The rows as they lie in the file, some at a time: HDF5 would take the whole table twice.

    Its checksum is not missed, where a digest is compared.
    """
    descriptor, place = dataset.file.id.get_vfd_handle(), place_of(dataset)
    row = int(np.prod(dataset.shape[1:])) * dataset.dtype.itemsize
    for start in range(0, len(dataset), ROWS):
        count = min(ROWS, len(dataset) - start)
        data = os.pread(descriptor, count * row, place + start * row)
        yield np.frombuffer(data, dataset.dtype).reshape(count, *dataset.shape[1:])


def place_of(dataset: h5py.Dataset) -> int:
    """Where the one chunk of a table lies in the file."""
    chunk = dataset.id.chunk_iter(lambda chunk: chunk)
    if chunk is None:
        raise ValueError(f"the table {dataset.name.rpartition('/')[2]} has no data")
    return int(chunk.byte_offset)


def read_table(
    dataset: h5py.Dataset,
    *,
    believe: bool = False,
    of: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray,
) -> NDArray[Any]:
    """Read one table, or what `of` makes of its rows.

    Raises:
        ValueError: as `blocks`.
    """
    table, done = np.empty(0), 0
    for block in blocks(dataset, believe=believe):
        made = of(block)
        if not done:  # filled as it comes: blocks that are joined at the end take the space twice
            table = np.empty((len(dataset), *made.shape[1:]), made.dtype)
        table[done : done + len(made)] = made
        done += len(made)
    table.flags.writeable = False
    return table


def problems(name: str, table: NDArray[Any]) -> Iterator[str]:
    """What no table of that name can hold."""
    if name == layout.KEY:
        yield from _wrong_keys(table)
    elif name in (layout.SIZE, layout.SOURCE_SIZE) and (table < 1).any():
        yield "should be 1 or more"
    elif name == layout.CROP and ((table[:, :2] < 0).any() or (table[:, 2:] < 1).any()):
        yield "should be within the source"
    elif name == layout.CAMERA and (table[:, :2] <= 0).any():
        yield "should have focal lengths above 0"
    elif name == layout.VALID_PIXELS and (table < 0).any():
        yield "should be 0 or more"


def _wrong_keys(table: NDArray[Any]) -> Iterator[str]:
    """Keys become names of files: none may lead elsewhere. The first that is wrong is told."""
    parts = (table[start : start + ROWS] for start in range(0, len(table), ROWS))
    yield from islice(chain.from_iterable(map(_wrong_in, parts)), 1)


def _wrong_in(table: NDArray[Any]) -> Iterator[str]:
    if (table == b"").any():
        yield "has a key that is empty"
    data = np.ascontiguousarray(table).view(np.uint8)
    used = data[data != 0]
    suspects: Iterable[bytes] = ()
    if (used < 32).any() or (used == 127).any() or (used == ord("\\")).any():
        yield "has a key with control characters or a backslash"
    elif (used == ord("/")).any() or (used == ord(".")).any():
        suspects = table.tolist()
    try:
        for key in suspects:
            if {b"", b".", b".."}.intersection(key.split(b"/")):
                yield f"has the key {key.decode()!r}, which is a path to elsewhere"
                return
        data.tobytes().decode()
    except UnicodeDecodeError:
        yield "has a key that is no UTF-8"


class Runs:
    """A table of which most rows equal the one before: only where it changes is kept.

    Args:
        parts: Its rows, some at a time, each [some, k].
    """

    def __init__(self, parts: Iterable[NDArray[Any]]) -> None:
        starts, rows, done = [], [], 0
        for part in parts:
            same = (part[1:] == part[:-1]) | (np.isnan(part[1:]) & np.isnan(part[:-1]))
            found = np.flatnonzero(np.concatenate([[True], ~same.all(axis=1)]))
            starts.append((found + done).astype(np.int32))
            rows.append(part[found])
            done += len(part)
        self._starts, self._rows = np.concatenate(starts), np.concatenate(rows)

    def __getitem__(self, index: int) -> NDArray[Any]:
        """One row, [k]."""
        row: NDArray[Any] = self._rows[np.searchsorted(self._starts, index, side="right") - 1]
        return row
