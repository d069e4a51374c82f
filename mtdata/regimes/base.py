"""What every regime promises: which labels of a training split may be seen."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.hashing import ordered


class Regime(ABC):
    """Decides for each image and task whether the label may be seen.

    Images are taken in the order of SHA-256(seed, key) and what follows is deterministic, so that
    a seed means the same assignment on every machine, whatever the order of images and tasks.

    Args:
        options: What a member names; this base takes none.

    Raises:
        UsageError: for an option that the regime does not have.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    """One sentence for `mtdata regime add --help`."""

    def __init__(self, **options: Any) -> None:
        if options:
            raise UsageError(
                f"`{next(iter(options))}` is no option of the regime `{self.name}`. Leave it out."
            )

    @property
    def parameters(self) -> dict[str, Any]:
        """The options as JSON, defaults included; stored beside the assignment."""
        return {}

    def assign(
        self,
        keys: Sequence[str],
        tasks: Sequence[str],
        available: NDArray[np.bool_],
        *,
        seed: int,
    ) -> NDArray[np.bool_]:
        """Choose among the cells that have valid pixels.

        Args:
            keys: The `n` different keys of the split.
            tasks: The names of its `t` tasks.
            available: Which cells have valid pixels, `[n, t]`.
            seed: The only source of randomness.

        Returns:
            Which cells may be seen, `[n, t]`; never one that is not available. An image with
            nothing available gets nothing.
        """
        rows = ordered(keys, seed)
        columns = sorted(range(len(tasks)), key=lambda t: tasks[t])
        chosen = np.zeros_like(available)
        chosen[np.ix_(rows, columns)] = self.choose(
            [keys[i] for i in rows],
            [tasks[t] for t in columns],
            available[np.ix_(rows, columns)],
            seed=seed,
        )
        return chosen

    @abstractmethod
    def choose(
        self,
        keys: Sequence[str],
        tasks: Sequence[str],
        available: NDArray[np.bool_],
        *,
        seed: int,
    ) -> NDArray[np.bool_]:
        """Do what `assign` says, with images in the order of their hashes and tasks by name."""
