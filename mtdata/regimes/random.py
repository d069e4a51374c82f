"""Some labels of each image, never all."""

from collections.abc import Sequence
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.hashing import digest, unit
from mtdata.regimes.base import Regime


class Random(Regime):
    """1 to K - 1 labels an image, where K is how many it has (1 where it has but one).

    Among images with the same tasks available, every number of labels comes equally often (at
    most 1 apart), and for each number every set of tasks does.

    Reference: Li et al. 2022, section 4.1 ("random-label").

    Differs from the released assignments, which seem drawn independently for each image: the
    shares are the same, without their scatter (with `stable` there is scatter too).
    """

    name: ClassVar[str] = "random"
    summary: ClassVar[str] = "1 to K - 1 of the K labels of each image"

    def choose(
        self,
        keys: Sequence[str],
        tasks: Sequence[str],
        available: NDArray[np.bool_],
        *,
        seed: int,
    ) -> NDArray[np.bool_]:
        """Deal numbers of labels, and then sets of tasks, in turn to images alike."""
        chosen = np.zeros_like(available)
        for pattern in np.unique(available, axis=0):
            has = [int(t) for t in np.flatnonzero(pattern)]
            images = np.flatnonzero((available == pattern).all(axis=1))
            hands = _hands(has, [tasks[t] for t in has], seed)
            for turn, image in enumerate(images if has else ()):
                several = hands[turn % len(hands)]
                chosen[image, several[turn // len(hands) % len(several)]] = True
        return chosen

    def choose_alone(
        self, key: str, tasks: Sequence[str], has: Sequence[int], *, seed: int
    ) -> Sequence[int]:
        """A number by the hash of the key, and the tasks whose hashes with it are lowest."""
        number = 1 + int(unit(seed, key, "random") * max(1, len(has) - 1))
        return sorted(has, key=lambda t: digest(seed, key, tasks[t]))[:number]


def _hands(has: Sequence[int], names: Sequence[str], seed: int) -> list[list[list[int]]]:
    """For each number of labels, the sets of columns to deal; shuffled, so that none is favoured.

    Args:
        has: The columns that are available.
        names: Their tasks.
        seed: Of the shuffle.
    """
    name = dict(zip(has, names, strict=True))

    def luck(columns: Sequence[int]) -> bytes:
        return digest(seed, *names, "/", *(name[t] for t in columns))

    numbers = range(1, max(1, len(has) - 1) + 1)
    hands = [sorted(map(list, combinations(has, k)), key=luck) for k in numbers if has]
    return sorted(hands, key=lambda sets: luck(sets[0]))
