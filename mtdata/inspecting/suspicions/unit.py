"""Depth in another unit than the others of its task, or its inverse."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.inspecting.suspicions.base import (
    Check,
    Images,
    Place,
    Spread,
    Suspicion,
    Table,
    medians,
)
from mtdata.tasks.kinds import Depth
from mtdata.tasks.sample import Sample
from mtdata.wording import counted

GRID = (6, 8)
"""Parts of an image, rows and columns; of each the median is kept, as a power of ten."""
SURE = 6.0
APART = 3.0
"""Spreads, in the mean of parts, that the median of a split is away from where it is another."""
BETTER = 3.0
"""How many times nearer to what is usual a corrected label has to be."""
UNSURE = 0.2
"""Correlation with what is usual up to which nobody can say whether near and far are exchanged."""
PART_OF = 5
"""With fewer labels, a split is not compared with the others."""


class Error(NamedTuple):
    """What may have gone wrong: depth 10**(sign * x + power) is stored in place of 10**x."""

    kind: str
    sign: int
    power: int


ERRORS = (
    *(Error("depth unit", 1, power) for power in (1, 2, 3, -1, -2, -3)),
    Error("inverse depth", -1, 0),
)


class Unit(Check):
    """Compares the depth in each part of an image with what is usual there."""

    name: ClassVar[str] = "unit"
    summary: ClassVar[str] = "depth in another unit (by 10, 100, 1000), or inverse"

    def measure(self, sample: Sample) -> Mapping[str, NDArray[Any]]:
        """The logarithm of depth in each part, NaN where there is none."""
        return {
            name: _medians(label, sample.valid[name] & (label > 0))
            for name, label in sample.labels.items()
            if isinstance(self.tasks[name].kind, Depth)
        }

    def judge(self, images: Images, found: Mapping[str, Table]) -> Iterator[Suspicion]:
        """Whole splits first; their images are then judged as if they were right."""
        for task, (rows, values) in found.items():
            split = images.split(rows)
            grids = values.astype(np.float64)
            for number in np.unique(split):
                of = split == number
                error = _of_split(grids, split, int(number))
                if error is not None:
                    there, score = error
                    over = counted(int(of.sum()), "label")
                    what = f"{_says(there)} of the other splits, over {over}"
                    place, example = Place(images.splits[number]), images.place(rows[of][0])
                    yield Suspicion(place, task, there.kind, what, score, example)
                    grids[of] = there.sign * (grids[of] - there.power)
            yield from self._of_images(images, task, rows, grids)

    def _of_images(
        self, images: Images, task: str, rows: NDArray[np.int64], grids: NDArray[np.float64]
    ) -> Iterator[Suspicion]:
        usual = Usual.of(grids)
        if usual is None:
            return
        # In the mean of all parts: one odd corner says nothing.
        away = usual.away(grids)
        spread = Spread.of(away, least=0.1)
        level = medians(grids.T)
        levels = Spread.of(level, least=0.02)
        assert spread is not None
        assert levels is not None
        for i in np.flatnonzero(spread.score(away) >= SURE):
            nearer = usual.mended(grids[i])
            best = int(np.argmin(nearer))
            if spread.score(nearer[best]) > SURE or nearer[best] * BETTER > away[i]:
                continue
            units = self.tasks[task].kind.units
            what = (
                f"{_says(ERRORS[best])} of the others: the median is {10 ** level[i]:.3g} {units}, "
                f"usually {10**levels.middle:.3g}"
            )
            score = float(spread.score(away[i]))
            yield Suspicion(images.place(rows[i]), task, ERRORS[best].kind, what, score)


class Usual(NamedTuple):
    """What is usual in each part: the median, and the spread around it."""

    middle: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def of(cls, grids: NDArray[np.float64]) -> "Usual | None":
        """Of all images; None of too few."""
        parts = [Spread.of(part, least=0.02) for part in grids.T]
        known = [part or Spread(np.nan, np.nan) for part in parts]
        if not any(parts):
            return None
        return cls(np.array([k.middle for k in known]), np.array([k.scale for k in known]))

    def away(self, grids: NDArray[np.float64]) -> NDArray[np.float64]:
        """How many spreads a label is from it, in the mean of its parts; NaN without any."""
        apart = np.abs(grids - self.middle) / self.scale
        known = np.isfinite(apart)
        number = known.sum(1)
        total = np.where(known, apart, 0).sum(1)
        away = np.full(len(grids), np.nan)
        return np.asarray(np.divide(total, number, out=away, where=number > 0))

    def mended(self, grid: NDArray[np.float64]) -> list[float]:
        """How far a label would be without each of `ERRORS`; infinite for one that cannot be.

        An inverse has near and far exchanged: what is far at the top of others is near in it.
        """
        known = np.isfinite(grid) & np.isfinite(self.middle)
        here, there = (a[known] - a[known].mean() for a in (grid, self.middle))
        alike = here @ there / max(float(np.linalg.norm(here) * np.linalg.norm(there)), 1e-6)
        return [
            float(self.away(error.sign * (grid - error.power)[None])[0])
            if error.sign * alike > -UNSURE
            else np.inf
            for error in ERRORS
        ]


def _of_split(
    grids: NDArray[np.float64], split: NDArray[np.int64], number: int
) -> tuple[Error, float] | None:
    """What is wrong with all labels of a split; where two contradict, the smaller is doubted."""
    of = split == number
    if of.sum() < PART_OF or of.sum() > (~of).sum():
        return None
    usual = Usual.of(grids[~of])
    if usual is None:
        return None
    mine = medians(grids[of])[None]
    away = float(usual.away(mine)[0])
    if not away > APART:
        return None
    nearer = usual.mended(mine[0])
    best = int(np.argmin(nearer))
    # A median of many is nearer to what is usual than a label is: by a spread at most.
    return (ERRORS[best], away) if nearer[best] < min(1.0, away / BETTER) else None


def _medians(depth: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    found = np.full(GRID, np.nan, np.float32)
    rows, columns = (np.linspace(0, n, parts + 1).astype(int) for n, parts in
                     zip(depth.shape, GRID, strict=True))  # fmt: skip
    for y in range(GRID[0]):
        for x in range(GRID[1]):
            part = (slice(rows[y], rows[y + 1]), slice(columns[x], columns[x + 1]))
            seen = depth[part][valid[part]]
            if seen.size:
                found[y, x] = np.log10(np.median(seen))
    return found.ravel()


def _says(error: Error) -> str:
    if error.sign < 0:
        return "looks like the inverse of that"
    times = 10 ** abs(error.power)
    return f"is {times} times {'as large as' if error.power > 0 else 'smaller than'} that"
