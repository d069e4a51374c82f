"""How many bytes of a store an epoch reads, counted at the file."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np

from mtdata import open_store
from mtdata.reading.dataset import Dataset
from mtdata.store import Split


class CountingFile:
    """A file for HDF5 that counts what is read of it."""

    def __init__(self, path: Path) -> None:
        self.bytes = 0
        self._file = path.open("rb")

    def close(self) -> None:
        """Close it."""
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        """Read, and count."""
        data = self._file.read(size)
        self.bytes += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:
        """Read, and count."""
        count = self._file.readinto(buffer)
        self.bytes += count
        return count

    def pread(self, size: int, place: int) -> bytes:
        """Read at a place, for the length of a chunk, and do not count."""
        return os.pread(self._file.fileno(), size, place)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Where it is."""
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        """Refuse: HDF5 asks for it in a file that it may write."""
        raise OSError("read-only")

    def write(self, data: bytes) -> int:
        """Refuse."""
        raise OSError("read-only")

    def flush(self) -> None:
        """Do nothing."""


class _Counted(h5py.File):  # type: ignore[misc]  # h5py has no types
    """A store that is read through a file that counts."""

    def __init__(self, counting: CountingFile) -> None:
        super().__init__(counting, "r", rdcc_nbytes=0)
        self.pread = counting.pread


def bytes_of_an_epoch(path: Path, regime: str, tasks: Sequence[str]) -> tuple[int, int]:
    """What an epoch over the training split read, and what its cells take in the file.

    Chunks alone count: where each lies is learnt once, when the file is opened.
    """
    with closing(CountingFile(path)) as counting, open_store(path) as store:
        data = store.dataset("train", tasks, regime)
        assert isinstance(data.split, Split)
        shown = _bytes_of_cells(data, data.split)
        handle = data.split.handle
        handle.close()
        handle._file, handle._pid = _Counted(counting), os.getpid()
        for name in (None, *tasks):
            _learn_places(data.split.dataset(name))
        _ = data.split.camera(0), data.split.extent(0)  # the tables are read once, with the first
        before = counting.bytes
        for index in range(len(data)):
            data.read(index)
        return counting.bytes - before, shown


def _bytes_of_cells(data: Dataset, split: Split) -> int:
    total = sum(_chunk(split.dataset(None), int(row)) for row in data.rows)
    for row, column in np.argwhere(data.labelled).tolist():
        total += _chunk(split.dataset(data.tasks[column].name), int(data.rows[row]))
    return total


def _chunk(dataset: h5py.Dataset, row: int) -> int:
    size: int = dataset.id.get_chunk_info_by_coord((row,) + (0,) * (dataset.ndim - 1)).size
    return size


def _learn_places(dataset: h5py.Dataset) -> None:
    for row in range(len(dataset)):
        _chunk(dataset, row)
