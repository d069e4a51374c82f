"""What was seen in some label files of one channel: values, shares, quantiles, regions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Number = int | float
QUANTILES = (1, 50, 99)
PER_FILE = 20_000
"""Values of a file that quantiles and neighbours are taken from, evenly spread."""
FEW = 64
"""Values of a file that are remembered as those of one file."""
KEPT = 70_000
"""Different values that are kept; more are no integers of 16 bits."""


@dataclass(frozen=True)
class Seen:
    """Values of some planes.

    `values` are the finite ones that occur, sorted, each `count` times; `bad` is the share of NaN
    and infinite ones. `flat` is the share of neighbours in a row that are the same, `steep` that
    of the others which differ by more than a twentieth of the range. `some` are values that are
    evenly spread over all files, `each` the values of each file, none of one that has many.
    """

    dtype: np.dtype[Any]
    files: int
    values: NDArray[Any]
    count: NDArray[np.int64]
    bad: float
    flat: float
    steep: float
    some: NDArray[Any]
    each: tuple[frozenset[Number], ...] = ()

    @cached_property
    def whole(self) -> bool:
        """Whether all finite values are whole numbers."""
        return bool(self.dtype.kind in "bui" or (self.values == np.rint(self.values)).all())

    @cached_property
    def integers(self) -> list[int]:
        """The values as whole numbers."""
        return [int(value) for value in self.values]

    def share(self, *values: Number) -> float:
        """The share of these values."""
        return float(self.count[np.isin(self.values, values)].sum() / self.count.sum())

    def together(self, *values: Number) -> bool:
        """Whether a file holds all of these values."""
        return any(found.issuperset(values) for found in self.each)

    def below(self, limit: Number) -> float:
        """The share of values below a limit."""
        return float(self.count[self.values < limit].sum() / self.count.sum())

    def quantiles(self, void: Sequence[Number] = (0,)) -> tuple[float, float, float]:
        """Percentiles 1, 50 and 99 of what is above 0 and not void; zeros where nothing is."""
        kept = self.some[(self.some > 0) & ~np.isin(self.some, void)]
        if not kept.size:
            return 0.0, 0.0, 0.0
        low, middle, high = np.percentile(kept, QUANTILES)
        return float(low), float(middle), float(high)


def values_of(arrays: Sequence[NDArray[Any]]) -> Seen:
    """Look at planes `[h, w]`."""
    total: dict[Any, int] = {}
    each: list[frozenset[Number]] = []
    some, bad, equal, steep, pairs = [], 0, 0, 0, 0
    for array in arrays:
        step = max(1, array.size // PER_FILE)
        finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array.ravel()
        bad += array.size - finite.size
        some.append(finite[::step])
        # Floats that are no classes have a value a pixel: a part of them says enough.
        part = finite if finite.dtype.kind in "bui" or len(total) < KEPT else finite[::step]
        found, numbers = _counted(part)
        each.append(frozenset(found if len(found) <= FEW else ()))
        for value, number in zip(found, numbers, strict=True):
            total[value] = total.get(value, 0) + int(number)
        same, far, of = _neighbours(array)
        equal, steep, pairs = equal + same, steep + far, pairs + of
    values = np.array(sorted(total), arrays[0].dtype)
    return Seen(
        dtype=arrays[0].dtype,
        files=len(arrays),
        values=values,
        count=np.array([total[value] for value in sorted(total)], np.int64),
        bad=bad / max(1, sum(array.size for array in arrays)),
        flat=equal / max(1, pairs),
        steep=steep / max(1, pairs - equal),
        some=np.concatenate(some),
        each=tuple(each),
    )


def _counted(values: NDArray[Any]) -> tuple[list[Any], list[int]]:
    if values.dtype in (np.uint8, np.uint16):
        every = np.bincount(values)
        found = np.flatnonzero(every)
        return found.tolist(), every[found].tolist()
    if values.dtype.kind == "f" and values.size > PER_FILE:
        head = np.unique(values[:: values.size // PER_FILE])
        if head.size > KEPT // 16:  # measurements: the extremes, and some between
            values = np.concatenate([head, [values.min(), values.max()]]).astype(values.dtype)
    found, number = np.unique(values, return_counts=True)
    return found.tolist(), number.tolist()


def _neighbours(array: NDArray[Any]) -> tuple[int, int, int]:
    """Pairs in a row that are the same, that are far apart, and all, without what is not finite."""
    rows = array[:: max(1, array.shape[0] // 64)].astype(np.float64)
    left, right = rows[:, :-1], rows[:, 1:]
    good = np.isfinite(left) & np.isfinite(right) & (left > 0) & (right > 0)
    if not good.any():
        return 0, 0, 0
    gap = np.abs(left[good] - right[good])
    span = np.ptp(rows[np.isfinite(rows) & (rows > 0)])
    return int((gap == 0).sum()), int((gap > 0.05 * span).sum()), int(good.sum())
