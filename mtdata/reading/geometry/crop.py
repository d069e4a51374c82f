"""Cutting a part out and magnifying it to the full size, and the contrary."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.reading.geometry.base import Change
from mtdata.tasks.kinds import Kind
from mtdata.tasks.sample import Camera, Extent

PAPER_SCALES = (1.0, 1.2, 1.5)


@dataclass(frozen=True)
class _Window(Change):
    """A box of an image of any size.

    Args:
        scale: The magnification, 1 or more: the box is int(h / scale) x int(w / scale).
        top: Where the box lies, as a share of the positions that it can take, in [0, 1).
        left: The same for columns.

    Raises:
        ValueError: where one of them is out of range.
    """

    scale: float
    top: float = 0.0
    left: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.scale < np.inf:
            raise ValueError(f"`scale` should be 1 or more; found {self.scale}.")
        if not (0 <= self.top < 1 and 0 <= self.left < 1):
            raise ValueError(
                f"`top` and `left` should be in [0, 1); found {self.top} and {self.left}."
            )

    def box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of the box, in pixels."""
        h, w = max(1, int(height / self.scale)), max(1, int(width / self.scale))
        return int(self.top * (height - h + 1)), int(self.left * (width - w + 1)), h, w


@dataclass(frozen=True)
class Crop(_Window):
    """Cuts the box out and magnifies it to the size of the image.

    Depth is divided by `scale` and inverse depth multiplied, as if the camera had come nearer.

    Reference: the random scale-crop of Liu et al. 2019 (MTAN), used by all the papers here.
    """

    @classmethod
    def draw(cls, rng: np.random.Generator, scales: Sequence[float] = PAPER_SCALES) -> "Crop":
        """One of `scales`, at a position uniform among all; always takes three numbers."""
        scale = scales[int(rng.random() * len(scales))]
        return cls(scale, rng.random(), rng.random())

    def within(self, extent: Extent | None, height: int, width: int) -> "Crop":
        """The crop moved into the true image of a padded one; as it is where there is no padding.

        Its position is the same share of the positions inside. Where the box is larger than the
        true image, these are the ones that hold all of it.
        """
        if extent is None:
            return self
        _, _, h, w = self.box(height, width)
        top = _place(self.top, extent.top, extent.height, box=h, image=height)
        left = _place(self.left, extent.left, extent.width, box=w, image=width)
        return replace(self, top=top, left=left)

    def correct(self, kind: Kind, label: NDArray[Any], *, paper: bool = False) -> NDArray[Any]:
        """What the kind says of a zoom."""
        return kind.zoom(label, self.scale, paper=paper)

    def moved(self, extent: Extent, height: int, width: int) -> Extent:
        """What of it the box keeps, magnified."""
        top, left, h, w = self.box(height, width)
        first, rows = _kept(extent.top - top, extent.height, h, height)
        before, columns = _kept(extent.left - left, extent.width, w, width)
        return Extent(first, before, rows, columns, self.corners(extent, height, width))

    def camera(self, camera: Camera, height: int, width: int) -> Camera:
        """That of the box, whose pixels are smaller now."""
        top, left, h, w = self.box(height, width)
        return camera.crop(float(left), float(top)).scale(width / w, height / h)


@dataclass(frozen=True)
class Paste(_Window):
    """Shrinks the image into the box and leaves all around it without a valid pixel."""

    def correct(self, kind: Kind, label: NDArray[Any], *, paper: bool = False) -> NDArray[Any]:
        """What the kind says of the opposite zoom."""
        return kind.zoom(label, 1 / self.scale, paper=paper)

    def moved(self, extent: Extent, height: int, width: int) -> Extent:
        """Shrunk into the box."""
        top, left, h, w = self.box(height, width)
        first, rows = _kept(extent.top, extent.height, height, h)
        before, columns = _kept(extent.left, extent.width, width, w)
        corners = self.corners(extent, height, width)
        return Extent(first + top, before + left, rows, columns, corners)

    def camera(self, camera: Camera, height: int, width: int) -> Camera:
        """Pixels are larger, and lie in the box."""
        top, left, h, w = self.box(height, width)
        return camera.scale(w / width, h / height).crop(-float(left), -float(top))


def _place(share: float, start: int, length: int, *, box: int, image: int) -> float:
    """A share of the positions inside `start`, `length` as a share of all positions of the box."""
    first, last = sorted((start, start + length - box))
    first, last = max(first, 0), min(last, image - box)
    at = first + int(share * (last - first + 1))
    return (at + 0.5) / (image - box + 1)


def _kept(start: int, length: int, source: int, target: int) -> tuple[int, int]:
    """Start and length of a part of a row of pixels that is resized as `centres` says."""
    ends = (min(max(at, 0), source) for at in (start, start + length))
    # The first pixel of the result whose centre lies in or behind that of the source.
    first, last = (-(-(2 * target * at - source) // (2 * source)) for at in ends)
    return first, last - first
