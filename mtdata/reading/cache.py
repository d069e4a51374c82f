"""Images and visible labels of a split in memory that all reading processes share."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.progress import Progress
from mtdata.reading.dataset import Dataset
from mtdata.reading.memory import available
from mtdata.reading.shared import SharedBytes
from mtdata.store import Split
from mtdata.store import format as layout
from mtdata.tasks.kinds import Kind
from mtdata.tasks.sample import Sample
from mtdata.tasks.stored import StoredSample

_ALIGNED = 64
_SPARE = 0.9
"""The share of the free memory that a cache may take; training needs some too."""


class Cache:
    """A split that reads each of certain cells from its file once. It can be pickled.

    Images, classes and depth are kept in the types of the file: decoding what a crop keeps of them
    is quicker than reading more bytes. Normals are kept decoded.

    Args:
        split: Where samples are read.
        wanted: Which cells are kept, bool [images, 1 + tasks of the split]: the image, then labels.
        copies: How many processes of this machine keep as much.

    Raises:
        UsageError: where the cells need more memory than is free.
    """

    memory = "shared memory"
    """In words."""

    def __init__(self, split: Split, wanted: NDArray[np.bool_], *, copies: int = 1) -> None:
        self.split = split
        self._kinds = {task.name: task.kind for task in split.tasks}
        self._columns = {
            name: column for column, name in enumerate((None, *(t.name for t in split.tasks)))
        }
        self._forms: list[tuple[tuple[int, ...], np.dtype[Any]]] = [
            ((*split.size, 3), np.dtype(np.uint8)),
            *(_kept_form(task.kind, split.size) for task in split.tasks),
        ]
        sizes = np.array([_padded(shape, dtype) for shape, dtype in self._forms], np.int64)
        flat = np.where(wanted, sizes, 0).ravel()
        # Where each cell begins, after a byte for each that says whether it is there.
        flags = -(-wanted.size // _ALIGNED) * _ALIGNED
        self._begin = (flags + np.cumsum(flat) - flat).reshape(wanted.shape)
        self._wanted = wanted
        self.nbytes = int(flat.sum())
        """Bytes of memory that the cells take."""
        self._check_memory(copies)
        self._shared = SharedBytes(flags + self.nbytes)

    @property
    def name(self) -> str:
        """That of the split."""
        return self.split.name

    @property
    def role(self) -> str:
        """That of the split."""
        return self.split.role

    @property
    def keys(self) -> Sequence[str]:
        """The official image ids."""
        return self.split.keys

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of all images."""
        return self.split.size

    @property
    def cells(self) -> tuple[int, int]:
        """How many images and how many labels are kept."""
        return int(self._wanted[:, 0].sum()), int(self._wanted[:, 1:].sum())

    def visible(self, regime: str) -> NDArray[np.bool_]:
        """Which labels a regime shows, bool [n, tasks of the store]."""
        return self.split.visible(regime)

    def fill(self, progress: Progress | None = None) -> None:
        """Read every cell, before processes that share it begin.

        Args:
            progress: Told how many images are done, and of how many.

        Raises:
            StoreError: where a chunk is broken; it names the sample and the label.
        """
        rows = np.flatnonzero(self._wanted.any(1)).tolist()
        for done, row in enumerate(rows, 1):
            for name, column in self._columns.items():
                if self._wanted[row, column] and not self._filled[row, column]:
                    self._cell(row, column)[...] = self._prepared(row, name)
                    self._filled[row, column] = 1
            if progress is not None:
                progress(done, len(rows), "cache")

    def read(self, index: int, tasks: Sequence[str]) -> Sample:
        """Read an image and those labels of it in `tasks` that exist; touch nothing else."""
        return self.fetch(index, tasks).decode(self.split.tasks)

    def fetch(self, index: int, tasks: Sequence[str]) -> StoredSample:
        """Read what `read` does, as the file holds it; its arrays are read-only."""
        shown = [t for t in tasks if self.split.labelled[index, self._columns[t] - 1]]
        labels = {task: self._read(index, task) for task in shown}
        image = self._read(index, None)
        extent = self.split.extent(index)
        return StoredSample(self.keys[index], image, labels, self.split.camera(index), extent)

    def _prepared(self, index: int, task: str | None) -> NDArray[Any]:
        stored = self.split.read_stored(index, task)
        return stored if task is None else self._kinds[task].keep(stored)

    def _read(self, index: int, task: str | None) -> NDArray[Any]:
        column = self._columns[task]
        if not self._filled[index, column]:
            return self.split.read_stored(index, task)
        cell = self._cell(index, column)
        cell.flags.writeable = False
        return cell

    @property
    def _filled(self) -> NDArray[np.uint8]:
        flags = self._shared.array()[: self._wanted.size]
        return flags.reshape(self._wanted.shape)

    def _cell(self, row: int, column: int) -> NDArray[Any]:
        shape, dtype = self._forms[column]
        begin = self._begin[row, column]
        size = prod(shape) * dtype.itemsize
        return self._shared.array()[begin : begin + size].view(dtype).reshape(shape)

    def _check_memory(self, copies: int) -> None:
        free = available()
        if free is not None and copies * self.nbytes > _SPARE * free:
            of_each = f" ({self.nbytes / 1e9:.2f} GB in each of {copies} processes)"
            raise UsageError(
                f"`cache` should be `none` where memory is short; {copies * self.nbytes / 1e9:.2f} "
                f"GB of images and visible labels{of_each if copies > 1 else ''} do not fit into "
                f"the {free / 1e9:.2f} GB that are free. Leave --cache out, train fewer tasks"
                f"{', on fewer devices' if copies > 1 else ''}, or build a smaller store with "
                "--size."
            )


def share_memory(*datasets: Dataset, copies: int = 1) -> tuple[Cache, tuple[Dataset, ...]]:
    """Let datasets of one split read through one cache of what they may see.

    Returns the cache, which is still to be filled, and the datasets that read through it. A label
    that none of them may see is never read into it. Of `copies` processes of this machine each has
    a cache of its own.
    """
    split = datasets[0].split
    if not isinstance(split, Split) or any(dataset.split is not split for dataset in datasets):
        raise TypeError("`datasets` should all read the same split of a store.")
    wanted = np.zeros((len(split), 1 + len(split.tasks)), np.bool_)
    for dataset in datasets:
        wanted[dataset.rows, 0] = True
        for column, task in enumerate(dataset.tasks):
            wanted[dataset.rows, 1 + split.column(task.name)] |= dataset.labelled[:, column]
    cache = Cache(split, wanted, copies=copies)
    return cache, tuple(replace(dataset, split=cache) for dataset in datasets)


def _kept_form(kind: Kind, size: tuple[int, int]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    shape, dtype = layout.stored_form(kind, size)
    kept = kind.keep(np.zeros(shape, dtype))
    return kept.shape, kept.dtype


def _padded(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    size = prod(shape) * dtype.itemsize
    return -(-size // _ALIGNED) * _ALIGNED
