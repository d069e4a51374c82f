"""One label an image, tasks as even as availability allows."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.hashing import digest
from mtdata.regimes.base import Regime
from mtdata.regimes.deal import deal


class One(Regime):
    """Exactly one task an image, for every image that has a label at all.

    The counts are the most even there can be: no other assignment has a smaller largest count, a
    larger smallest count, or a smaller sum of squares. Where everything is available they are at
    most 1 apart. Where only some images show a task (parts need people), those images serve it
    first, as in the assignments released for PASCAL.

    Reference: Li et al. 2022, section 4.1 ("one-label").
    """

    name: ClassVar[str] = "one"
    summary: ClassVar[str] = "one label an image, as many of each task as can be"

    def choose(
        self,
        keys: Sequence[str],
        tasks: Sequence[str],
        available: NDArray[np.bool_],
        *,
        seed: int,
    ) -> NDArray[np.bool_]:
        """Deal tasks of equal weight."""
        return deal(keys, tasks, available, seed=seed, weights=[1] * len(tasks))

    def choose_alone(
        self, key: str, tasks: Sequence[str], has: Sequence[int], *, seed: int
    ) -> Sequence[int]:
        """The task whose hash with the key is lowest."""
        return [min(has, key=lambda t: digest(seed, key, tasks[t]))]
