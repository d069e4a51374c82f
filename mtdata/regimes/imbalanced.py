"""One label an image, tasks in a given ratio."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import accumulate
from math import floor
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.hashing import unit
from mtdata.regimes.base import Regime
from mtdata.regimes.deal import deal

ROUNDING = Fraction(1, 1000)
"""How far from 1 a ratio may add up: three thirds are 0.999."""


class Imbalanced(Regime):
    """Exactly one task an image, as in `One`, with the tasks in a given ratio.

    The counts are the ratio times the images that have a label, rounded by largest remainder.
    Where too few images have a task for its share, it gets all of them and the other tasks keep
    their proportions.

    Args:
        options: `ratio`, a share above 0 for every task, adding up to 1; `stable`.

    Raises:
        UsageError: where the ratio is missing or cannot be one.

    Reference: Li et al. 2022, section 4.1 (imbalanced Cityscapes; the assignments are not
        released, and that each image has exactly one label is our reading).
    """

    name: ClassVar[str] = "imbalanced"
    summary: ClassVar[str] = "one label an image, tasks in a given ratio"
    takes: ClassVar[tuple[str, ...]] = ("ratio", "stable")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.ratio = _checked(options.get("ratio"))
        exact = {task: Fraction(str(share)) for task, share in self.ratio.items()}
        total = sum(exact.values(), Fraction())
        self._shares = {task: share / total for task, share in exact.items()}

    @property
    def parameters(self) -> dict[str, Any]:
        """The ratio too."""
        return {**super().parameters, "ratio": self.ratio}

    def check(self, tasks: Sequence[str]) -> None:
        """Refuse tasks that are not those of the ratio."""
        if set(tasks) != set(self.ratio):
            raise UsageError(
                f"`ratio` should name every task once: {', '.join(tasks)}; found "
                f"{', '.join(self.ratio)}. Give each a share, such as "
                f"{','.join(f'{t}={1 / len(tasks):.3g}' for t in tasks)}."
            )

    def choose(
        self,
        keys: Sequence[str],
        tasks: Sequence[str],
        available: NDArray[np.bool_],
        *,
        seed: int,
    ) -> NDArray[np.bool_]:
        """Deal tasks weighted by the counts that they should have."""
        images = int(available.any(1).sum())
        weights = apportion([self._shares[task] for task in tasks], images)
        return deal(keys, tasks, available, seed=seed, weights=weights)

    def choose_alone(
        self, key: str, tasks: Sequence[str], has: Sequence[int], *, seed: int
    ) -> Sequence[int]:
        """Where the hash of the key falls among the shares of its tasks, laid end to end."""
        ends = list(accumulate(self._shares[tasks[t]] for t in has))
        place = Fraction(unit(seed, key, "imbalanced")) * ends[-1]
        return [next(t for t, end in zip(has, ends, strict=True) if place < end)]


def apportion(shares: Sequence[Fraction], total: int) -> list[int]:
    """Whole numbers that add up to `total`, by largest remainder; ties go to the first.

    Args:
        shares: Adding up to 1.
        total: What to share out.
    """
    counts = [floor(share * total) for share in shares]
    order = sorted(range(len(shares)), key=lambda t: counts[t] - shares[t] * total)
    for t in order[: total - sum(counts)]:
        counts[t] += 1
    return counts


def _checked(ratio: Any) -> dict[str, float]:
    example = "such as semantic=0.9,depth=0.1"
    if not isinstance(ratio, Mapping) or not ratio:
        found = "none" if not ratio else repr(ratio)
        raise UsageError(
            f"`ratio` should give each task a share for the regime `imbalanced`, {example}; "
            f"found {found}."
        )
    for task, share in ratio.items():
        if not isinstance(share, int | float) or not 0 < share <= 1:
            raise UsageError(
                f"`ratio` should have shares above 0 and at most 1, {example}; found "
                f"{task}={share}. A task that should get no label is left out of the store "
                "(build --tasks) or of the training (mttrain --tasks)."
            )
    total = sum((Fraction(str(share)) for share in ratio.values()), Fraction())
    if abs(total - 1) > ROUNDING:
        raise UsageError(
            f"`ratio` should add up to 1, {example}; found {float(total):g}. Change a share."
        )
    return {str(task): float(share) for task, share in ratio.items()}
