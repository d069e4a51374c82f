"""A split read at a smaller size than it is stored at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.reading.dataset import Readable
from mtdata.tasks.resize import resize_sample
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task


@dataclass(frozen=True)
class Smaller:
    """The images and labels of a split, each resized as a build does it. It can be pickled.

    Args:
        whole: The split.
        size: Height and width to read at.
        tasks: At least the tasks that are read.

    Raises:
        UsageError: where that is larger than the split in a direction.
    """

    whole: Readable
    size: tuple[int, int]
    tasks: tuple[Task, ...]

    def __post_init__(self) -> None:
        if any(ours > theirs for ours, theirs in zip(self.size, self.whole.size, strict=True)):
            ours, theirs = (f"{h}x{w}" for h, w in (self.size, self.whole.size))
            raise UsageError(
                f"`size` should be at most that of the store, {theirs}; found {ours}. Build a "
                "store with a larger --size, or give a smaller one here."
            )

    @property
    def name(self) -> str:
        """Its name."""
        return self.whole.name

    @property
    def role(self) -> str:
        """What it is for."""
        return self.whole.role

    @property
    def keys(self) -> Sequence[str]:
        """The official image ids."""
        return self.whole.keys

    def visible(self, regime: str) -> NDArray[np.bool_]:
        """Which labels a regime shows, bool [n, tasks of the store]."""
        return self.whole.visible(regime)

    def read(self, index: int, tasks: Sequence[str]) -> Sample:
        """Read an image and the labels of `tasks`, and nothing else."""
        kinds = {task.name: task.kind for task in self.tasks}
        return resize_sample(self.whole.read(index, tasks), self.size, kinds)
