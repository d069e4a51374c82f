"""The training reader: samples with the labels that may be seen, and no other."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.reading.augment import sample_rng
from mtdata.tasks.sample import Sample
from mtdata.tasks.stored import StoredSample
from mtdata.tasks.task import Task

Transform = Callable[[Sample, np.random.Generator, Sequence[Task]], Sample]
Fetch = Callable[[int, Sequence[str]], StoredSample]
Decode = Callable[[StoredSample, np.random.Generator, Sequence[Task]], Sample]


@runtime_checkable
class Readable(Protocol):
    """What is asked of a split of a store."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def role(self) -> str:
        """What it is for: "train", "val" or "test"."""

    @property
    def keys(self) -> Sequence[str]:
        """The official image ids."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of all images."""

    def visible(self, regime: str) -> NDArray[np.bool_]:
        """Which labels a regime shows, bool [n, tasks of the store]."""

    def read(self, index: int, tasks: Sequence[str]) -> Sample:
        """Read an image and the labels of `tasks`, and nothing else."""


@runtime_checkable
class Fetching(Protocol):
    """A split that can leave decoding to whoever knows which pixels are wanted."""

    def fetch(self, index: int, tasks: Sequence[str]) -> StoredSample:
        """Read what `read` does, and do not decode it."""


@runtime_checkable
class FromStored(Protocol):
    """A transform that decodes for itself: the result is that of decoding first."""

    def from_stored(
        self, stored: StoredSample, rng: np.random.Generator, tasks: Sequence[Task]
    ) -> Sample:
        """Do to a stored sample what calling it does to a decoded one."""


@runtime_checkable
class StoreLike(Protocol):
    """What is asked of a store."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Its tasks, the columns of `visible`."""

    @property
    def splits(self) -> Mapping[str, Any]:
        """Its splits by name."""

    @property
    def default_regime(self) -> str:
        """The regime that training uses unless told otherwise."""

    @property
    def contents(self) -> Sequence[str]:
        """Digests of what it holds and of what it held, all of which it holds still."""


@dataclass(frozen=True, eq=False)
class AddedLabels:
    """What a dataset shows beside the labels of its source.

    Args:
        regime: The regime in one form, such as `one+filled:0.8`.
        base: The regime that shows the labels of the source.
        base_labels: `shown_digest` of that regime alone.
        codes: Where each label comes from, int8 [images of the split, tasks]: 0 nowhere, 1 the
            source, the others are added.
        labels: What was added, an entry a split, task and origin.
        anyway: Whether filled labels of a run that may have seen what the base hides were allowed.
    """

    regime: str
    base: str
    base_labels: str
    codes: NDArray[np.int8] = field(repr=False)
    labels: tuple[Mapping[str, Any], ...]
    anyway: bool

    def to_json(self) -> dict[str, Any]:
        """For the manifest of a run."""
        labels = [dict(one) for one in self.labels]
        about = {"base": self.base, "base_labels": self.base_labels, "anyway": self.anyway}
        return {**about, "labels": labels}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of a split with those labels that may be seen. It can be pickled.

    **A hidden label is never read**: the split is asked for the labels that `visible` allows.

    Args:
        split: Where samples are read.
        tasks: The tasks to read, `t` of them.
        visible: Which labels of the split may be seen, bool [images of the split, t].
        transform: What is done to a sample, given the randomness of that sample and the tasks.
        indices: Which images of the split, in order, `n` of them; None for all.
        added: What labels were added to those of the source; None where none may be seen.

    Raises:
        ValueError: where `visible` has another shape.
    """

    split: Readable
    tasks: tuple[Task, ...]
    visible: NDArray[np.bool_]
    transform: Transform | None = None
    indices: NDArray[np.int64] | None = None
    added: "AddedLabels | None" = None

    def __post_init__(self) -> None:
        shape = len(self.split.keys), len(self.tasks)
        if self.visible.shape != shape:
            raise ValueError(
                f"`visible` should be {list(shape)}; found {list(self.visible.shape)}."
            )

    def __len__(self) -> int:
        return len(self.visible) if self.indices is None else len(self.indices)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Which images of the split, in order."""
        return np.arange(len(self.visible)) if self.indices is None else self.indices

    @property
    def keys(self) -> tuple[str, ...]:
        """The official image ids, in order."""
        return tuple(self.split.keys[i] for i in self.rows)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.split.size

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which labels may be seen, bool [n, t]."""
        return self.visible if self.indices is None else self.visible[self.indices]

    def read(self, index: int, epoch: int = 0, *, seed: int = 0) -> Sample:
        """Read an image and the labels that may be seen of it.

        Args:
            index: Which image, below `len`.
            epoch: With `seed` and the key of the image, what its randomness is a function of.
            seed: The seed of the run.
        """
        row = range(len(self.visible))[index] if self.indices is None else int(self.indices[index])
        shown = [
            task.name for task, seen in zip(self.tasks, self.visible[row], strict=True) if seen
        ]
        rng = sample_rng(seed, epoch, self.split.keys[row])
        if self._from_stored is not None:
            fetch, transform = self._from_stored
            return transform(fetch(row, shown), rng, self.tasks)
        sample = self.split.read(row, shown)
        return sample if self.transform is None else self.transform(sample, rng, self.tasks)

    @cached_property
    def _from_stored(self) -> tuple[Fetch, Decode] | None:
        # Asked once: to look through the methods of a protocol takes as long as reading classes.
        if isinstance(self.split, Fetching) and isinstance(self.transform, FromStored):
            return self.split.fetch, self.transform.from_stored
        return None

    def __getitem__(self, index: int | tuple[int, int]) -> Sample:
        """Read by index, or by (epoch, index).

        Raises:
            UsageError: for a slice.
        """
        if isinstance(index, slice):
            raise UsageError(
                "an index should be one number; found a slice. `store.dataset(..., keys=[...])` "
                "has some images only, and so has `dataset.subset(mask)`."
            )
        epoch, index = index if isinstance(index, tuple) else (0, index)
        return self.read(index, epoch)

    def __getitems__(self, items: Sequence[int | tuple[int, int]]) -> list[Sample]:
        """Read several, which is what a `DataLoader` of torch asks for."""
        from mtdata.reading.batch import known_to_torch

        known_to_torch()
        return [self[item] for item in items]

    def subset(self, mask: NDArray[np.bool_]) -> "Dataset":
        """Only the images where `mask` [n] holds."""
        return replace(self, indices=self.rows[mask])

    def drop_unlabelled(self) -> tuple["Dataset", int]:
        """Only the images that show a label, and how many that leaves out."""
        some = self.labelled.sum(1) > 0
        return self.subset(some), int((~some).sum())


def visible_digest(dataset: Dataset) -> str:
    """SHA-256 over the keys and which of their labels may be seen, in the order of the keys.

    A regime that was drawn again under its old name, or a file that was edited, has another, and
    so have other labels that were added.
    """
    codes = dataset.labelled if dataset.added is None else dataset.added.codes[dataset.rows]
    seen = sorted(zip(dataset.keys, codes.tolist(), strict=True))
    told: list[Any] = [[task.name for task in dataset.tasks], seen]
    if dataset.added is not None:
        told.append([[one["sha256"], one.get("threshold", 0)] for one in dataset.added.labels])
    return sha256(json.dumps(told).encode()).hexdigest()


def shown_digest(dataset: Dataset) -> str:
    """`visible_digest` of the images that show a label: that others come changes nothing."""
    return visible_digest(dataset.drop_unlabelled()[0])
