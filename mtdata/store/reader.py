"""A store: one file with all splits, labels and regimes."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import h5py
import numpy as np

from mtdata.errors import UnknownNameError, UsageError, named
from mtdata.store import format as layout
from mtdata.store.completed import composed
from mtdata.store.digest import content_digest, seal
from mtdata.store.handle import Handle
from mtdata.store.opening.file import (
    broken,
    identity,
    length_of,
    read_header,
    reading,
    steadily,
    view,
)
from mtdata.store.split import Split, read_split
from mtdata.tasks.task import Task
from mtdata.urls import StorePath, located

if TYPE_CHECKING:
    from mtdata.reading.dataset import Dataset, Transform
    from mtdata.regimes.table import RegimeTable

CHECKED = 50_000
"""Images of a store of before whose digests are compared at opening; else `mtdata verify` does."""


class Store:
    """A store, read-only. It is picklable; each process opens the file for itself.

    Args:
        path: The HDF5 file, or its URL.
        believe: Do not compare tables and attributes with their digests: for `mtdata verify`,
            which tells of each.

    Raises:
        StoreError: where it is no HDF5, cut off, of a newer version or broken.
        UsageError: for a URL that nothing that is installed can read.
    """

    def __init__(self, path: StorePath | str, *, believe: bool = False) -> None:
        self.path = located(path)
        self._believe = believe
        self._handle = Handle(self.path)
        try:
            steadily(self.path, self._read)
        except BaseException:
            self._handle.close()
            raise

    def _read(self) -> None:
        present = identity(self.path)
        with view(self.path) as file:
            self._take(file)
            if not self._believe:
                self._check(file)
        for split in self.splits.values():
            if split.shards is not None and not self._believe:
                split.shards.check_files()
        self._handle.looked_at = present
        self._handle.content_digest = self.content_digest

    def _take(self, file: h5py.File) -> None:
        header = read_header(self.path, file)
        self.dataset_name = header.dataset
        self.created = header.created
        self.tool = header.tool
        self.options = header.options
        self.tasks = header.tasks
        self.default_regime = header.default_regime
        self.source_digest = header.source_digest
        self.content_digest = header.content_digest
        # An update of nothing but times of files leaves the content that was there before.
        self.contents = tuple(dict.fromkeys((header.content_digest, *header.earlier)))
        """Digests of what it holds and of what it held, all of which it holds still."""
        self.format_version = header.format_version
        self.seal = header.seal
        self.sealed = header.seal is not None
        """Whether tables and attributes have digests; those of stores of before have none."""
        with reading(self.path, "the list of splits"):
            names = sorted(file, key=_split_order)
        if not names:
            raise broken(self.path, "it has no split")
        self.splits: dict[str, Split] = {
            name: read_split(self._handle, file[name], self.tasks, believe=self._believe)
            for name in names
        }

    def _check(self, file: h5py.File) -> None:
        """Refuse attributes that do not match the seal, and a default that is no regime.

        A store of before has no seal: of it, the digests of the content are compared.
        """
        with reading(self.path, "the description"):
            if self.sealed and seal(file) != self.seal:
                raise ValueError("it does not match its seal")
            if not self.sealed and self.format_version >= layout.ADDED_VERSION:
                raise ValueError("it has no seal, as a store with added labels has")
        if self.default_regime not in self.regimes:
            raise broken(
                self.path, f"its default regime {self.default_regime!r} is no regime of it"
            )
        if not self.sealed and sum(map(len, self.splits.values())) <= CHECKED:
            cells = [(s.name, s.role, s.keys, s.digests) for s in self.splits.values()]
            if content_digest(self.tasks, cells) != self.content_digest:
                raise broken(self.path, "content_digest does not match its tasks, keys and cells")
            for split in self.splits.values():
                if not np.array_equal(split.digests[:, 1:].any(axis=2), split.labelled):
                    raise broken(self.path, f"the valid pixels of {split.name} are not its labels")

    def task(self, name: str) -> Task:
        """The task of a name.

        Raises:
            UnknownNameError: where the store has no such task.
        """
        return named("task", name, {task.name: task for task in self.tasks})

    def split(self, name: str) -> Split:
        """The split of a name.

        Raises:
            UnknownNameError: where the store has no such split.
        """
        return named("split", name, self.splits)

    @property
    def regimes(self) -> tuple[str, ...]:
        """Names of all regimes, "full" first."""
        return tuple(dict.fromkeys(name for s in self.splits.values() for name in s.regime_names))

    def check_regime(self, name: str) -> None:
        """Refuse what is a regime of no split.

        Raises:
            UnknownNameError: where the store has no such regime.
            UsageError: for one with labels that were added, which whoever takes it reads before.
        """
        what = composed(name, self.regimes, self.default_regime)
        if what is not None and what.base in self.regimes:
            raise UsageError(
                f"`regime` should be one without labels that were added here; found {name}. Give "
                f"`{what.base}`."
            )
        if name not in self.regimes:
            raise UnknownNameError("regime", name, list(self.regimes))

    def dataset(
        self,
        split: str | Sequence[str],
        tasks: Sequence[str] | None = None,
        regime: "str | Path | RegimeTable | None" = None,
        transform: "Transform | None" = None,
        keys: Sequence[str] | None = None,
        *,
        anyway: bool = False,
    ) -> "Dataset":
        """The samples of a split with the labels that a regime shows.

        Args:
            split: Name of the split; several of one role are read one after the other.
            tasks: Names of the tasks to read; None for all.
            regime: Name of a regime, a CSV file or a table, with `+derived` or `+filled:0.8` for
                labels that were added; None for the default regime in a training split, and every
                label in one to test on.
            transform: What is done to each sample.
            keys: Only these images, in this order; None for all.
            anyway: Take filled labels of a run that may have seen what the regime hides.
        """
        from mtdata.reading.shown import make_dataset

        return make_dataset(
            self, split, tasks=tasks, regime=regime, transform=transform, keys=keys, anyway=anyway
        )

    @property
    def sharded(self) -> bool:
        """Whether images and labels lie in other files of its folder."""
        return self.format_version >= layout.SHARDED_VERSION

    @property
    def files(self) -> tuple[StorePath, ...]:
        """The file itself, then its shards."""
        shards = [split.shards for split in self.splits.values() if split.shards is not None]
        return self.path, *(each.path(number) for each in shards for number in range(len(each)))

    @property
    def length(self) -> int:
        """Bytes of all of them."""
        return sum(map(length_of, self.files))

    def close(self) -> None:
        """Close the file; it opens again when it is needed."""
        self._handle.close()
        for split in self.splits.values():
            if split.shards is not None:
                split.shards.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _split_order(name: str) -> tuple[int, str]:
    order = ("train", "val", "test")
    return (order.index(name) if name in order else len(order), name)


def open_store(path: StorePath | str) -> Store:
    """Open a store for reading.

    Args:
        path: The file, or a URL that `fsspec` can read, such as `https://…` or `s3://…`.

    Raises:
        StoreError: where it is no HDF5, cut off, of a newer version or broken.
        UsageError: for a URL that nothing that is installed can read.
    """
    return Store(path)
