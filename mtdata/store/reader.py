"""A store: one file with all splits, labels and regimes."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from mtdata.errors import UnknownNameError
from mtdata.store.handle import Handle
from mtdata.store.opening import broken, read_header, reading
from mtdata.store.split import Split, read_split
from mtdata.tasks.task import Task

if TYPE_CHECKING:
    from mtdata.reading.dataset import Dataset, Transform
    from mtdata.regimes.table import RegimeTable


class Store:
    """A store, read-only. It is picklable; each process opens the file for itself.

    Args:
        path: The HDF5 file.

    Raises:
        StoreError: where it is no HDF5, cut off, of a newer version or broken.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._handle = Handle(self.path)
        try:
            self._read()
        except BaseException:
            self._handle.close()
            raise

    def _read(self) -> None:
        file = self._handle.file
        header = read_header(self.path, file)
        self.dataset_name = header.dataset
        self.created = header.created
        self.tool = header.tool
        self.options = header.options
        self.tasks = header.tasks
        self.default_regime = header.default_regime
        self.source_digest = header.source_digest
        self.content_digest = header.content_digest
        self.format_version = header.format_version
        with reading(self.path, "the list of splits"):
            names = sorted(file, key=_split_order)
        if not names:
            raise broken(self.path, "it has no split")
        self.splits: dict[str, Split] = {
            name: read_split(self._handle, name, self.tasks) for name in names
        }

    def task(self, name: str) -> Task:
        """The task of a name.

        Raises:
            UnknownNameError: where the store has no such task.
        """
        for task in self.tasks:
            if task.name == name:
                return task
        raise UnknownNameError("task", name, [task.name for task in self.tasks])

    def split(self, name: str) -> Split:
        """The split of a name.

        Raises:
            UnknownNameError: where the store has no such split.
        """
        if name not in self.splits:
            raise UnknownNameError("split", name, list(self.splits))
        return self.splits[name]

    @property
    def regimes(self) -> tuple[str, ...]:
        """Names of all regimes, "full" first."""
        return tuple(dict.fromkeys(name for s in self.splits.values() for name in s.regimes))

    def dataset(
        self,
        split: str | Sequence[str],
        tasks: Sequence[str] | None = None,
        regime: "str | Path | RegimeTable | None" = None,
        transform: "Transform | None" = None,
        keys: Sequence[str] | None = None,
    ) -> "Dataset":
        """The samples of a split with the labels that a regime shows.

        Args:
            split: Name of the split; several of one role are read one after the other.
            tasks: Names of the tasks to read; None for all.
            regime: Name of a regime, a CSV file or a table; None for the default regime in a
                training split, and every label in one to test on.
            transform: What is done to each sample.
            keys: Only these images, in this order; None for all.
        """
        from mtdata.reading.dataset import make_dataset

        return make_dataset(self, split, tasks=tasks, regime=regime, transform=transform, keys=keys)

    def close(self) -> None:
        """Close the file; it opens again when it is needed."""
        self._handle.close()

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


def open_store(path: Path | str) -> Store:
    """Open a store for reading.

    Raises:
        StoreError: where it is no HDF5, cut off, of a newer version or broken.
    """
    return Store(path)
