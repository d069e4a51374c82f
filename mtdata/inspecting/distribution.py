"""Mean, quantiles and directions of more numbers than fit into memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS = 12
"""Low bits of a float32 that a bin leaves out: bins are 2^-11 of their value wide."""
BINS = 1 << (32 - BITS)
CELLS = 64
"""Cells along a side of the map of the sphere."""


class Distribution:
    """Numbers seen so far: exact extremes and mean, quantiles to 0.05 %.

    Floats sort like the integers of their bits (negative ones reversed), so the upper bits of a
    float32 are a bin that needs no range in advance. Memory is constant.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.minimum = np.inf
        self.maximum = -np.inf
        self.bins = np.zeros(BINS, np.int64)

    def add(self, values: NDArray[np.float32]) -> None:
        """Take more numbers in; they should be finite."""
        if not values.size:
            return
        self.count += values.size
        self.total += float(values.sum(dtype=np.float64))
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))
        bins = _bin(values)
        low = int(bins.min())
        counts = np.bincount(bins - low)
        self.bins[low : low + len(counts)] += counts

    def merge(self, other: "Distribution") -> None:
        """Take in what another has seen."""
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.bins += other.bins

    def __getstate__(self) -> dict[str, Any]:
        """Few of the bins are filled: only these travel between processes."""
        filled = np.flatnonzero(self.bins)
        return {**self.__dict__, "bins": (filled, self.bins[filled])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        places, counts = state["bins"]
        self.__dict__ = {**state, "bins": np.zeros(BINS, np.int64)}
        self.bins[places] = counts

    @property
    def mean(self) -> float:
        """The mean, summed in float64."""
        return self.total / self.count

    def quantile(self, q: float) -> float:
        """The smallest number that at least a share `q` does not exceed, to 0.05 %."""
        place = int(np.searchsorted(np.cumsum(self.bins), max(q * self.count, 1)))
        return float(np.clip(_value(np.array([place]))[0], self.minimum, self.maximum))

    def histogram(self, edges: NDArray[np.float64]) -> NDArray[np.int64]:
        """Counts between edges; what is equal to the last one counts."""
        filled = np.flatnonzero(self.bins)
        # The middle of a bin at either end lies beyond every value that was seen.
        middles = np.clip(_value(filled), self.minimum, self.maximum)
        counts, _ = np.histogram(middles, edges, weights=self.bins[filled])
        return counts.astype(np.int64)

    def to_json(self) -> dict[str, float | None]:
        """The fields of `mtdata stats --json`; null where nothing was seen."""
        names = ("min", "max", "mean", "median", "p1", "p99")
        if not self.count:
            return dict.fromkeys(names)
        quantiles = (self.quantile(0.5), self.quantile(0.01), self.quantile(0.99))
        values = (self.minimum, self.maximum, self.mean, *quantiles)
        return dict(zip(names, values, strict=True))


class Directions:
    """Unit vectors seen so far, counted in cells of one solid angle.

    `cells` [y, x] is the equal-area map of Lambert: `z` in its middle, `x` right, `y` up, and a
    direction at an angle a from `z` at a distance of 2 sin(a / 2), so that the sphere is a disc of
    radius 2.
    """

    def __init__(self) -> None:
        self.cells = np.zeros((CELLS, CELLS), np.int64)

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Take more unit vectors in, `[n, 3]`."""
        x, y, z = (vectors[:, axis].astype(np.float64) for axis in range(3))
        level = np.hypot(x, y)
        far = np.sqrt(2 * np.clip(1 - z, 0, 2)) / np.where(level > 0, level, 1)
        # Straight back is the whole rim; it is counted on the right.
        x, y = np.where(level > 0, x, 1.0) * far, y * far
        column, row = (np.clip((v + 2) * (CELLS / 4), 0, CELLS - 1).astype(int) for v in (x, y))
        counts = np.bincount(row * CELLS + column, minlength=CELLS * CELLS)
        self.cells += counts.reshape(CELLS, CELLS)

    def merge(self, other: "Directions") -> None:
        """Take in what another has seen."""
        self.cells += other.cells

    def density(self) -> NDArray[np.float64]:
        """How often each cell occurs, in multiples of an even spread over the sphere."""
        even = self.cells.sum() * (4 / CELLS) ** 2 / (4 * np.pi)
        density: NDArray[np.float64] = self.cells / max(float(even), 1e-9)
        return density


def _bin(values: NDArray[np.float32]) -> NDArray[np.int64]:
    bits = np.ascontiguousarray(values, np.float32).ravel().view(np.uint32)
    negative = bits >> np.uint32(31) == 1
    ordered = np.where(negative, ~bits, bits | np.uint32(1 << 31))
    return (ordered >> np.uint32(BITS)).astype(np.int64)


def _value(bins: NDArray[np.int64]) -> NDArray[np.float32]:
    """The middle of each bin."""
    ordered = ((bins.astype(np.int64) << BITS) | (1 << (BITS - 1))).astype(np.uint32)
    positive = ordered >> np.uint32(31) == 1
    return np.where(positive, ordered & np.uint32(0x7FFFFFFF), ~ordered).view(np.float32)
