"""Shapes, and the pixels that they cover: those whose centre lies inside.

The pixel in row 0 and column 0 reaches from 0 to 1 both ways, as in all of these tools, so that a
box from 2 to 5 covers three pixels. What reaches beyond the image is cut off.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import MtdataError

REMEDY = "Correct it in the tool, and export again."
MOST_POINTS = 100_000
"""Points of an outline."""
MOST_CROSSINGS = 2**22
"""How often an outline may cross rows of pixels; one that is drawn by hand does it some 10,000
times."""

Cover = tuple[slice, slice, NDArray[np.bool_]]
"""Rows and columns of the image, and which of the pixels there are covered."""


class WrongError(MtdataError, ValueError):
    """An entry of a file that cannot be used.

    Args:
        where: The entry, as the file calls it; empty for the file itself.
        problem: What was expected and what was found.
        remedy: What to do.
    """

    def __init__(self, where: str, problem: str, remedy: str = REMEDY) -> None:
        super().__init__(where, problem, remedy)
        self.where, self.problem, self.remedy = where, problem, remedy

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}" if self.where else self.problem


class ForeignError(WrongError):
    """A file that is plainly of something else than these annotations."""


@dataclass(frozen=True, eq=False)
class Shape(ABC):
    """Some pixels with a name.

    `where` is the entry that it comes from; `level` says what it lies on: shapes of a higher one
    lie over those of a lower; `crowd` marks a region of many objects that nobody drew one by one.
    """

    where: str
    label: str
    level: int = 0
    crowd: bool = False

    def __post_init__(self) -> None:
        if not self.label or not self.label.isprintable():
            raise WrongError(
                self.where, f"should have a label that can be printed; found {self.label[:60]!r}."
            )

    @abstractmethod
    def area(self) -> float:
        """How many pixels it covers, about, of an image without end."""

    @abstractmethod
    def covers(self, size: tuple[int, int]) -> Sequence[Cover]:
        """What it covers of an image of that height and width; the union of these.

        Raises:
            WrongError: where it cannot be of such an image.
        """


@dataclass(frozen=True, eq=False)
class Outlines(Shape):
    """All that is inside of any of some outlines, each `[n, 2]` of x and y.

    Where an outline crosses itself, what it goes around twice is outside.
    """

    outlines: Sequence[NDArray[np.float64]] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for each in self.outlines:
            if not 3 <= len(each) <= MOST_POINTS:
                raise WrongError(
                    self.where,
                    f"a polygon should have 3 to {MOST_POINTS} points; found {len(each)}.",
                )

    def area(self) -> float:
        """The sum over the outlines."""
        return float(sum(abs(_signed_area(each)) for each in self.outlines))

    def covers(self, size: tuple[int, int]) -> Sequence[Cover]:
        """A part for each outline."""
        return [_inside(each, size, self.where) for each in self.outlines]


@dataclass(frozen=True, eq=False)
class Ellipse(Shape):
    """An ellipse: centre, half axes along x and y before it is turned, clockwise, by an angle."""

    centre: tuple[float, float] = (0.0, 0.0)
    radii: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0

    def area(self) -> float:
        """That of the ellipse."""
        return float(np.pi * self.radii[0] * self.radii[1])

    def covers(self, size: tuple[int, int]) -> Sequence[Cover]:
        """One part."""
        from skimage.draw import ellipse

        (x, y), (rx, ry) = self.centre, self.radii
        if min(rx, ry) <= 0:
            return []
        check_near(np.array([[x - rx, y - ry], [x + rx, y + ry]]), size, self.where)
        rows, columns = ellipse(
            y - 0.5, x - 0.5, ry, rx, shape=size, rotation=-np.deg2rad(self.angle)
        )
        if not rows.size:
            return []
        top, left = rows.min(), columns.min()
        inside = np.zeros((rows.max() - top + 1, columns.max() - left + 1), np.bool_)
        inside[rows - top, columns - left] = True
        return [_at(int(top), int(left), inside)]


@dataclass(frozen=True, eq=False)
class Bitmap(Shape):
    """Pixels one by one: a mask `[h, w]` that has its corner in row `top` and column `left`."""

    mask: NDArray[np.bool_] | None = None
    top: int = 0
    left: int = 0

    def area(self) -> float:
        """How many there are."""
        return 0.0 if self.mask is None else float(np.count_nonzero(self.mask))

    def covers(self, size: tuple[int, int]) -> Sequence[Cover]:
        """One part, which has to lie in the image."""
        if self.mask is None:
            return []
        height, width = self.mask.shape
        if min(self.top, self.left) < 0 or (
            self.top + height > size[0] or self.left + width > size[1]
        ):
            raise WrongError(
                self.where,
                f"a mask of {height}x{width} at row {self.top} and column {self.left} should lie "
                f"in the image, {size[0]}x{size[1]}; it does not.",
            )
        return [_at(self.top, self.left, self.mask)]


def check_near(points: NDArray[np.float64], size: tuple[int, int], where: str) -> None:
    """Refuse points that are farther outside of the image than it is large.

    Raises:
        WrongError: naming the first of them.
    """
    height, width = size
    far = (points < (-width, -height)) | (points > (2 * width, 2 * height))
    bad = np.flatnonzero((far | ~np.isfinite(points)).any(axis=1))
    if bad.size:
        x, y = points[bad[0]]
        raise WrongError(
            where,
            f"points should lie in the image, {height}x{width}, or near to it; found x {x:g}, "
            f"y {y:g}.",
        )


def box(left: float, top: float, right: float, bottom: float) -> NDArray[np.float64]:
    """The corners of a rectangle, `[4, 2]`."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)


def from_runs(runs: Sequence[int], size: tuple[int, int], where: str) -> NDArray[np.bool_]:
    """A mask `[h, w]` from the lengths of its runs, row by row: off, on, off, ...

    Raises:
        WrongError: where they do not give that many pixels.
    """
    pixels = size[0] * size[1]
    if any(type(run) is not int or run < 0 for run in runs) or sum(runs) != pixels:
        given = sum(run for run in runs if type(run) is int)
        raise WrongError(
            where,
            f"the runs of a mask of {size[0]}x{size[1]} should be {pixels} pixels in all, none "
            f"negative; found {given}.",
        )
    on = np.arange(len(runs)) % 2 == 1
    return np.repeat(on, np.array(runs, np.int64)).reshape(size)


def _at(top: int, left: int, inside: NDArray[np.bool_]) -> Cover:
    height, width = inside.shape
    return slice(top, top + height), slice(left, left + width), inside


def _signed_area(points: NDArray[np.float64]) -> float:
    x, y = points.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _inside(points: NDArray[np.float64], size: tuple[int, int], where: str) -> Cover:
    """The pixels inside an outline: those with an odd number of edges to their left.

    `skimage.draw.polygon` gives the same, in a time that grows with points x pixels: seconds for
    1,000 points around a megapixel. OpenCV and Pillow draw the outline too, half a pixel wider.
    """
    check_near(points, size, where)
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    left, top = np.clip(low, 0, size[::-1]).astype(int)
    right, bottom = np.clip(high, 0, size[::-1]).astype(int)
    # From here on pixels of the box, with their centres at whole numbers.
    begin = points - (left + 0.5, top + 0.5)
    end = np.roll(begin, -1, axis=0)
    upper, lower = np.minimum(begin, end)[:, 1], np.maximum(begin, end)[:, 1]
    first = np.clip(np.ceil(upper), 0, bottom - top).astype(np.int64)
    count = np.clip(np.ceil(lower), 0, bottom - top).astype(np.int64) - first
    if count.sum() > MOST_CROSSINGS:
        raise WrongError(
            where,
            f"an outline should cross rows of pixels at most {MOST_CROSSINGS} times; found "
            f"{count.sum()}.",
            "Draw it with fewer points.",
        )
    edge = np.repeat(np.arange(len(points)), count)
    row = np.arange(edge.size) - np.repeat(np.cumsum(count) - count - first, count)
    (x, y), (across, down) = begin[edge].T, (end - begin)[edge].T
    column = np.ceil(x + (row - y) * across / down)
    odd = np.zeros((bottom - top, right - left + 1), np.uint8)
    np.add.at(odd, (row, np.clip(column, 0, right - left).astype(np.int64)), 1)
    inside = np.cumsum(odd, axis=1, dtype=np.uint8)[:, :-1] % 2 == 1
    return _at(int(top), int(left), inside)
