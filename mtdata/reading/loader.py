"""Batches in an order that is a function of (seed, epoch), read ahead by workers."""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from multiprocessing.sharedctypes import RawValue
from multiprocessing.util import Finalize
from operator import itemgetter

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler, get_worker_info

from mtdata.errors import MtdataError, UsageError
from mtdata.reading import readers
from mtdata.reading.augment import sample_rng
from mtdata.reading.batch import Batch, collate
from mtdata.reading.dataset import Dataset
from mtdata.reading.memory import keep_freed
from mtdata.reading.parcel import Parcel, pack
from mtdata.reading.resident import Resident
from mtdata.tasks.sample import Sample

Kinds = tuple[tuple[NDArray[np.int64], int], ...]
"""Images of one kind, and how many of them each batch has."""


class Loader:
    """Loads a dataset in batches, epoch after epoch, with workers that stay.

    What a batch holds depends on (seed, epoch, step) and neither on the number of workers nor on
    what was loaded before; nor does loading touch the global state of any random generator.
    Iterating over it gives the first epoch, then the next one, and so on; `epoch` gives any.

    Args:
        dataset: What to load.
        batch: Images a step.
        seed: Of the order and of each sample's randomness.
        shuffle: Whether each epoch has an order of its own, as training wants; else, and by
            default, that of the dataset.
        drop_last: Whether to leave out the batch that would be smaller.
        labelled: The share of each batch that images take which show a label; those come round
            more often, or less, than the others, and an epoch has as many steps as without it. None
            for images as they come.
        workers: Processes that read ahead; 0 reads in this one.
        pin_memory: Whether batches come in page-locked memory, for a quick way to a GPU.
        part: Which part of each batch to load, and of how many of one size: (0, 2) is its first
            half. `batch` is that of all parts together.
        accumulate: Batches that a step takes one after another, each an equal share of `batch`.
        resident: What makes the batches where the dataset is kept on a card, in this process and
            there; None to read samples.

    Raises:
        UsageError: where there would be no batch, or a number is out of range.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch: int = 8,
        *,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        labelled: float | None = None,
        workers: int = 0,
        pin_memory: bool = False,
        part: tuple[int, int] = (0, 1),
        accumulate: int = 1,
        resident: Resident | None = None,
    ) -> None:
        if not isinstance(dataset, Dataset):
            raise UsageError(
                f"`dataset` should be one of `store.dataset`; found {type(dataset).__name__}. "
                "`store.dataset(..., keys=[...])` and `dataset.subset(mask)` have some images only."
            )
        if batch < 1 or workers < 0:
            raise UsageError(
                f"`batch` should be 1 or more and `workers` 0 or more; found {batch} and {workers}."
            )
        if len(dataset) < (batch if drop_last else 1):
            raise UsageError(
                f"`batch` should be at most the number of images; found {batch} of {len(dataset)} "
                "images. Use a smaller batch or more images."
            )
        cut = part[1] * accumulate
        if batch % cut or not 0 <= part[0] < part[1] or (cut > 1 and not drop_last):
            raise UsageError(
                "`batch` should be divisible by the number of its parts, with none that is smaller "
                f"(`drop_last`), and `part` be one of them; found {batch} and {part[0]} of "
                f"{part[1]}, `accumulate` {accumulate}."
            )
        keep_freed()
        self._next = 0
        self._closing = RawValue(ctypes.c_bool, False)
        # The pool of processes ends its own at exit, by SIGTERM; before that, they are told.
        Finalize(self, readers.close, (self._closing,), exitpriority=100)
        kinds = None if labelled is None else _kinds(dataset.labelled.sum(1) > 0, batch, labelled)
        self._accumulate = accumulate
        self._order = _Order(
            len(dataset), batch, seed, kinds, part, accumulate, shuffle=shuffle, drop_last=drop_last
        )
        self._loader: DataLoader[Sample] = DataLoader(
            # It reads whole batches.
            _Reader(dataset, seed) if resident is None else _Maker(resident, seed),  # type: ignore[arg-type]
            batch_sampler=self._order,
            num_workers=workers if resident is None else 0,
            collate_fn=_collate,
            pin_memory=pin_memory and resident is None,
            worker_init_fn=partial(readers.start, self._closing),
            persistent_workers=workers > 0 and resident is None,
            # Without one of its own, it would draw a number from the global generator each epoch.
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        """Steps of an epoch."""
        return self._order.steps

    def __iter__(self) -> Iterator[Batch]:
        """The batches of the next epoch, from 0 on; errors as of `epoch`."""
        self._next += 1
        return self.epoch(self._next - 1)

    def steps(self, epoch: int, start_step: int = 0) -> Iterator[tuple[Batch, ...]]:
        """As `epoch`, with all batches of a step together."""
        batches = self.epoch(epoch, start_step)
        return zip(*[batches] * self._accumulate, strict=True)

    def epoch(self, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from a step on.

        Raises:
            MtdataError: what reading a sample raised, in whatever process; and where reading
                processes end for want of memory or files.
        """
        self._order.epoch, self._order.start_step = epoch, start_step
        try:
            batches = iter(self._loader)
            readers.tell_of_deaths()
            for batch in batches:
                if isinstance(batch, MtdataError):
                    raise batch
                yield batch.unpack() if isinstance(batch, Parcel) else batch
        except (RuntimeError, OSError) as error:
            why = None if isinstance(error, MtdataError) else readers.why_ended(str(error))
            if why is None:
                raise
            raise MtdataError(why) from error


class _Order(Sampler[list[tuple[int, int]]]):
    """Which images make up each batch of the epoch that is set."""

    def __init__(
        self,
        images: int,
        batch: int,
        seed: int,
        kinds: Kinds | None,
        part: tuple[int, int],
        accumulate: int,
        *,
        shuffle: bool,
        drop_last: bool,
    ) -> None:
        self.images, self.batch, self.seed, self.shuffle = images, batch, seed, shuffle
        self.kinds = kinds
        size = batch // accumulate // part[1]
        firsts = range(part[0] * size, batch, part[1] * size)
        self.parts = [slice(first, first + size) for first in firsts]
        self.steps = images // batch if drop_last else -(-images // batch)
        self.epoch = 0
        self.start_step = 0

    def permutation(self) -> NDArray[np.int64]:
        """The images in the order of the epoch."""
        if not self.shuffle:
            return np.arange(self.images)
        return _shuffled(self.images, self.seed, self.epoch)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        batches = self._as_they_come() if self.kinds is None else self._of_kinds(self.kinds)
        for batch in batches:
            for part in self.parts:
                yield batch[part]

    def __len__(self) -> int:
        return (self.steps - self.start_step) * len(self.parts)

    def _as_they_come(self) -> Iterator[list[tuple[int, int]]]:
        order = self.permutation()
        for step in range(self.start_step, self.steps):
            images = order[step * self.batch : (step + 1) * self.batch]
            yield [(self.epoch, int(image)) for image in images]

    def _of_kinds(self, kinds: Kinds) -> Iterator[list[tuple[int, int]]]:
        """Batches of so many images of each kind, whose rounds go on from epoch to epoch.

        The kinds are mixed evenly, so that each part of a batch has some of both. In place of the
        epoch stands the round: an image that comes twice in an epoch is cropped and flipped in
        another way.
        """
        for step in range(self.start_step, self.steps):
            batch: list[tuple[float, tuple[int, int]]] = []
            for kind, (members, count) in enumerate(kinds):
                first = (self.epoch * self.steps + step) * count
                for place in range(first, first + count):
                    number, at = divmod(place, len(members))
                    if self.shuffle:
                        at = _shuffled(len(members), self.seed, number, f"kind {kind}")[at]
                    batch.append(((place - first + 0.5) / count, (number, int(members[at]))))
            yield [item for _, item in sorted(batch, key=itemgetter(0))]


def _kinds(shows: NDArray[np.bool_], batch: int, share: float) -> Kinds:
    """The images that show a label, and those that show none, and how many of each a batch has."""
    count = round(share * batch)
    if not 0 < count < batch:
        raise UsageError(
            f"the share of labelled images should leave a place for each kind in a batch of "
            f"{batch}; found {share:g}, which is {count}. Give another --labelled-share, or a "
            "larger --batch."
        )
    members = (np.flatnonzero(shows), np.flatnonzero(~shows))
    if not all(map(len, members)):
        kind = "a label" if len(members[0]) else "none"
        raise UsageError(
            "the share of labelled images should be given where some images show a label and some "
            f"show none; found that all {len(shows)} show {kind}. Leave --labelled-share out."
        )
    return tuple(zip(members, (count, batch - count), strict=True))


@lru_cache(maxsize=8)
def _shuffled(count: int, seed: int, epoch: int, kind: str = "") -> NDArray[np.int64]:
    # Sorting random numbers gives the same order in every version of numpy.
    return np.argsort(sample_rng(seed, epoch, kind).random(count), kind="stable")


@dataclass(frozen=True)
class _Reader:
    """Reads a batch in a worker. Errors of ours travel as values: torch would garble them."""

    dataset: Dataset
    seed: int

    def __getitems__(self, items: Sequence[tuple[int, int]]) -> list[Sample] | MtdataError:
        try:
            return [self.dataset.read(i, epoch, seed=self.seed) for epoch, i in items]
        except MtdataError as error:
            return error


@dataclass(frozen=True)
class _Maker:
    """Makes a batch of what a card keeps."""

    resident: Resident
    seed: int

    def __getitems__(self, items: Sequence[tuple[int, int]]) -> Batch:
        return self.resident.batch(items, seed=self.seed)


def _collate(samples: list[Sample] | Batch | MtdataError) -> Batch | Parcel | MtdataError:
    if not isinstance(samples, list):
        return samples
    batch = collate(samples)
    return batch if get_worker_info() is None else pack(batch)
