"""What every regime promises: which labels of a training split may be seen."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import DataError, UsageError
from mtdata.hashing import ordered


class Regime(ABC):
    """Decides for each image and task whether the label may be seen.

    Images are taken in the order of SHA-256(seed, key) and what follows is deterministic, so that
    a seed means the same assignment on every machine, whatever the order of images and tasks.

    Args:
        options: Those of `takes`. `stable` decides for each image by itself: its labels stay the
            same whatever other images there are, and counts are right in expectation only.

    Raises:
        UsageError: for an option that the regime does not have.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    """One sentence for `mtdata regime add --help`."""
    takes: ClassVar[tuple[str, ...]] = ("stable",)
    """Names of its options."""

    def __init__(self, **options: Any) -> None:
        for option in options:
            if option not in self.takes:
                raise UsageError(
                    f"`{option}` is no option of the regime `{self.name}`. Leave it out."
                )
        self.stable = bool(options.get("stable", False))
        self._others = {name: value for name, value in options.items() if name != "stable"}

    @property
    def parameters(self) -> dict[str, Any]:
        """What was asked for, as JSON; stored beside the assignment."""
        return ({"stable": True} if self.stable else {}) | self._others

    def check(self, tasks: Sequence[str]) -> None:
        """Refuse tasks that the options do not fit.

        Raises:
            UsageError: where they do not.
        """
        return  # most options fit any tasks

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

        Raises:
            UsageError: for tasks that the options do not fit.
            DataError: where `choose` gives anything else.
        """
        self.check(tasks)
        rows = ordered(keys, seed)
        columns = sorted(range(len(tasks)), key=lambda t: tasks[t])
        choose = self._one_by_one if self.stable else self.choose
        given = available[np.ix_(rows, columns)]
        found = choose([keys[i] for i in rows], [tasks[t] for t in columns], given, seed=seed)
        if found.shape != given.shape or (found.astype(bool) & ~given).any():
            raise DataError(
                f"the regime `{self.name}` should choose among the labels there are, as booleans "
                f"{list(given.shape)}, a row an image and a column a task; found "
                f"{list(found.shape)}, or labels that are not there. Correct its `choose`."
            )
        chosen = np.zeros_like(available)
        chosen[np.ix_(rows, columns)] = found
        return chosen

    def _one_by_one(
        self,
        keys: Sequence[str],
        tasks: Sequence[str],
        available: NDArray[np.bool_],
        *,
        seed: int,
    ) -> NDArray[np.bool_]:
        chosen = np.zeros_like(available)
        for i in map(int, np.flatnonzero(available.any(1))):
            has = [int(t) for t in np.flatnonzero(available[i])]
            found = list(self.choose_alone(keys[i], tasks, has, seed=seed))
            if not set(found) <= set(has):
                raise DataError(
                    f"the regime `{self.name}` should choose among the columns of the labels that "
                    f"an image has, {has}; found {found} for {keys[i]}. Correct its `choose_alone`."
                )
            chosen[i, found] = True
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

    def choose_alone(
        self, key: str, tasks: Sequence[str], has: Sequence[int], *, seed: int
    ) -> Sequence[int]:
        """Choose among the columns `has` of one image, at least one, by nothing but its key.

        Raises:
            UsageError: of a regime that only draws for all images together.
        """
        raise UsageError(
            f"the regime `{self.name}` should choose for one image by itself where --stable asks "
            "for it; it has no `choose_alone`. Leave --stable out, or write that."
        )
