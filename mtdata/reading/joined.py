"""Several splits of a store read as one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.store import Split
from mtdata.tasks.sample import Sample
from mtdata.tasks.stored import StoredSample


@dataclass(frozen=True)
class Joined:
    """The images of several splits, one split after the other. It can be pickled.

    Args:
        splits: Two or more, of one role.

    Raises:
        UsageError: where they differ in role or in the size of their images.
    """

    splits: tuple[Split, ...]

    def __post_init__(self) -> None:
        for what in ("role", "size"):
            found = {split.name: getattr(split, what) for split in self.splits}
            if len(set(found.values())) > 1:
                told = ", ".join(f"{name} {value}" for name, value in found.items())
                raise UsageError(
                    f"splits that are used together should share one {what}; found {told}. Name "
                    "one of them."
                )

    @property
    def name(self) -> str:
        """Their names with a plus between them."""
        return "+".join(split.name for split in self.splits)

    @property
    def role(self) -> str:
        """What all of them are for."""
        return self.splits[0].role

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The official image ids."""
        return tuple(key for split in self.splits for key in split.keys)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of all images."""
        return self.splits[0].size

    @cached_property
    def sizes(self) -> NDArray[np.int32]:
        """Height and width of each image without its padding, int32 [n, 2]."""
        return np.concatenate([split.sizes for split in self.splits])

    @cached_property
    def crops(self) -> NDArray[np.int32]:
        """The part of each image in the source that was kept, int32 [n, 4]."""
        return np.concatenate([split.crops for split in self.splits])

    def visible(self, regime: str) -> NDArray[np.bool_]:
        """Which labels a regime shows, bool [n, tasks of the store]."""
        return np.concatenate([split.visible(regime) for split in self.splits])

    def read(self, index: int, tasks: Sequence[str]) -> Sample:
        """Read an image and the labels of `tasks`, and nothing else."""
        split, row = self._find(index)
        return split.read(row, tasks)

    def fetch(self, index: int, tasks: Sequence[str]) -> StoredSample:
        """Read what `read` does, and do not decode it."""
        split, row = self._find(index)
        return split.fetch(row, tasks)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum([len(split.keys) for split in self.splits])

    def _find(self, index: int) -> tuple[Split, int]:
        place = int(np.searchsorted(self._ends, index, side="right"))
        return self.splits[place], index - (int(self._ends[place - 1]) if place else 0)


def joined(splits: Sequence[Any]) -> Any:
    """One split as it is, whatever can be read as one; several of a store as one."""
    return splits[0] if len(splits) == 1 else Joined(tuple(splits))
