"""What every check promises: small numbers of each image, and what is odd among those of all."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task

IMAGE = "image"
"""What a suspicion is about that is about no label."""
FEW = 20
"""With fewer of them, nobody can say what is usual."""
PIXELS = 40_000
"""Enough of an image for what is counted or averaged over it."""


class Place(NamedTuple):
    """An image of a store; without a key, all images of a split."""

    split: str
    key: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, self))


@dataclass(frozen=True)
class Suspicion:
    """Something that looks wrong, and how sure that is.

    Args:
        place: The image.
        task: Whose label it is, or `IMAGE`.
        kind: What is suspected, in words that many share: "labels shifted".
        what: One sentence with the numbers that speak for it.
        score: How many times the usual spread of the store it is away from what is usual; None
            where too few images say what that is.
        beside: The other image, where two are alike; an example, where `place` is a split.
    """

    place: Place
    task: str
    kind: str
    what: str
    score: float | None
    beside: Place | None = None

    @property
    def where(self) -> str:
        """A path in the store: split/key/task."""
        return f"{self.place}/{self.task}"


class Table(NamedTuple):
    """The numbers that a check has of some images: `values` `[m, width]` of the images `rows`."""

    rows: NDArray[np.int64]
    values: NDArray[Any]


class Images:
    """The images that were looked at, numbered through the splits.

    Args:
        keys: The keys of each split.
    """

    def __init__(self, keys: Mapping[str, Sequence[str]]) -> None:
        self.splits = tuple(keys)
        self._keys = keys
        self._ends = np.cumsum([len(each) for each in keys.values()])

    def split(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of the split that each image is in."""
        return np.asarray(np.searchsorted(self._ends, rows, side="right"))

    def place(self, row: SupportsIndex) -> Place:
        """Where an image is."""
        number = int(np.searchsorted(self._ends, int(row), side="right"))
        start = int(self._ends[number - 1]) if number else 0
        name = self.splits[number]
        return Place(name, self._keys[name][int(row) - start])


class Check(ABC):
    """Looks for one kind of fault. It is picklable: images are measured in other processes.

    Args:
        tasks: The tasks of the store.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    """What it looks for, for `mtdata verify --help`."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = {task.name: task for task in tasks}

    @abstractmethod
    def measure(self, sample: Sample) -> Mapping[str, NDArray[Any]]:
        """Small numbers of one image, in rows that have one length for a name.

        Memory grows by them with every image of a store: tens of numbers are right.

        Args:
            sample: The image without padding, and those labels of it that may be seen.
        """

    @abstractmethod
    def judge(self, images: Images, found: Mapping[str, Table]) -> Iterator[Suspicion]:
        """What is odd among the numbers of all images.

        Args:
            images: Says where a row is.
            found: By the names that `measure` gives. A name that no image has is not there.
        """


def coarse(sample: Sample) -> Sample:
    """Every second, third, ... pixel of a large sample along each axis: some `PIXELS` of them."""
    height, width = sample.image.shape[:2]
    step = max(1, round((height * width / PIXELS) ** 0.5))
    part = (slice(step // 2, None, step), slice(step // 2, None, step))
    return replace(
        sample,
        image=np.ascontiguousarray(sample.image[part]),
        labels={name: np.ascontiguousarray(label[part]) for name, label in sample.labels.items()},
        valid={name: np.ascontiguousarray(mask[part]) for name, mask in sample.valid.items()},
        camera=sample.camera and sample.camera.scale(1 / step, 1 / step),
    )


def medians(values: NDArray[Any]) -> NDArray[np.float64]:
    """The median of each column [n, ...], without NaN; NaN where a column has nothing else."""
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        return np.asarray(np.nanmedian(values, axis=0), np.float64)


class Spread(NamedTuple):
    """What is usual: the median, and how far values lie from it that are no fault.

    The scale is that of the middle half, or of 7 in 10 above the median where these reach further,
    as the standard deviation of a normal distribution would be. One value in ten that is wrong
    moves neither by much.
    """

    middle: float
    scale: float

    @classmethod
    def of(cls, values: NDArray[Any], *, least: float) -> "Spread | None":
        """The spread of values; None of fewer than `FEW`.

        Args:
            values: Those of all images, with NaN where there is none.
            least: The smallest scale: what no fault is told by.
        """
        seen = values[np.isfinite(values)]
        if len(seen) < FEW:
            return None
        middle = float(np.median(seen))
        half = 1.4826 * float(np.median(np.abs(seen - middle)))
        tail = (float(np.quantile(seen, 0.85)) - middle) / 1.0364
        return cls(middle, max(half, tail, least))

    def score(self, value: Any) -> Any:
        """How many spreads a value lies above what is usual."""
        return (value - self.middle) / self.scale
