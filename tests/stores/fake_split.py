"""A split of a store in memory, and samples with every kind of label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata import Binary, Camera, Classes, Depth, Normals, Sample, Task
from mtdata.errors import UnknownNameError

TASKS = (
    Task("semantic", Classes(("a", "b", "c"), ((0, 0, 0), (9, 9, 9), (99, 99, 99)))),
    Task("depth", Depth()),
    Task("normals", Normals()),
    Task("edges", Binary()),
)
INVERSE = Task("disparity", Depth(unit="disparity"))


class HiddenLabelError(Exception):
    """Somebody asked for a label that must not be seen."""


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Vectors of unit length."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / length, np.float32)


def smooth(rng: np.random.Generator, h: int, w: int) -> NDArray[np.float64]:
    """A smooth random field, about -1 to 1."""
    y, x = np.mgrid[:h, :w] / max(h, w)
    a = rng.normal(size=(4, 3))
    waves = [np.sin(3 * p * x + 3 * q * y + 6 * r) for p, q, r in a]
    mean: NDArray[np.float64] = np.mean(waves, axis=0)
    return mean


def make_sample(
    key: str = "k", size: tuple[int, int] = (24, 32), seed: int = 0, tasks: Sequence[Task] = TASKS
) -> Sample:
    """A smooth image with smooth labels; a tenth of the pixels is not valid, and zero there."""
    rng = np.random.default_rng([seed, *key.encode()])
    h, w = size
    labels, valid = {}, {}
    for task in tasks:
        field_ = smooth(rng, h, w)
        seen = rng.random((h, w)) < 0.9
        label: NDArray[Any]
        if task.kind.name == "classes":
            label = np.digitize(field_, [-0.3, 0.3]).astype(np.uint8)
        elif task.kind.name == "binary":
            label = (field_ > 0).astype(np.uint8)
        elif task.kind.name == "depth":
            label = (3 + field_).astype(np.float32)
        else:
            label = unit(np.stack([field_, smooth(rng, h, w), np.full((h, w), 1.0)], -1))
        label[~seen] = 0
        labels[task.name], valid[task.name] = label, seen
    image = np.stack([128 + 100 * smooth(rng, h, w) for _ in range(3)], -1).astype(np.uint8)
    return Sample(key, image, labels, valid, Camera(30.0, 30.0, w / 2 + 1, h / 2 - 2))


@dataclass
class FakeSplit:
    """Looks like a split of a store. What must not be seen raises when it is asked for."""

    keys: tuple[str, ...]
    labels: NDArray[np.bool_]
    name: str = "train"
    role: str = "train"
    size: tuple[int, int] = (24, 32)
    tasks: tuple[Task, ...] = TASKS
    regimes: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def visible(self, regime: str) -> NDArray[np.bool_]:
        """Which labels the regime shows."""
        if regime == "full":
            return self.labels
        if regime not in self.regimes:
            raise UnknownNameError("regime", regime, list(self.regimes))
        return self.regimes[regime] & self.labels

    def read(self, index: int, tasks: Sequence[str]) -> Sample:
        """Make a sample; a label that no regime but "full" shows is refused."""
        wanted = [task for task in self.tasks if task.name in tasks]
        self.asked += [(self.keys[index], task.name) for task in wanted]
        for task in wanted:
            if not self.labels[index, self.tasks.index(task)]:
                raise HiddenLabelError(f"{self.keys[index]}: {task.name}")
        return make_sample(self.keys[index], self.size, tasks=wanted)


@dataclass
class FakeStore:
    """Looks like a store."""

    splits: Mapping[str, FakeSplit]
    tasks: tuple[Task, ...] = TASKS
    default_regime: str = "one"
    contents: tuple[str, ...] = ()


def make_split(n: int = 10, *, share: float = 1.0, size: tuple[int, int] = (24, 32)) -> FakeSplit:
    """A split of `n` images of which a share of all labels may be seen."""
    labels = np.random.default_rng(0).random((n, len(TASKS))) < share
    return FakeSplit(tuple(f"{i:04d}" for i in range(n)), labels, size=size)
