"""Turning an image about its centre."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.reading.geometry.base import Change
from mtdata.tasks.kinds import Kind
from mtdata.tasks.sample import Camera, Extent


@dataclass(frozen=True)
class Rotate(Change):
    """Turns the image counter-clockwise; the size stays, and what comes from outside is not valid.

    Args:
        degrees: The angle.

    Raises:
        ValueError: where it is not finite.
    """

    degrees: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.degrees):
            raise ValueError(f"`degrees` should be finite; found {self.degrees}.")

    @classmethod
    def draw(cls, rng: np.random.Generator, most: float) -> "Rotate":
        """An angle uniform in [-`most`, `most`); always takes one number."""
        return cls(most * (2 * rng.random() - 1))

    def correct(self, kind: Kind, label: NDArray[Any], *, paper: bool = False) -> NDArray[Any]:
        """What the kind says of a rotation."""
        return kind.rotate(label, self.degrees)

    def moved(self, extent: Extent, height: int, width: int) -> Extent:
        """The box around the turned one, as far as it lies in the image, and its corners."""
        if extent.corners is None:
            top, left = float(extent.top), float(extent.left)
            bottom, right = top + extent.height, left + extent.width
            extent = extent._replace(corners=((left, top), (right, top), (left, bottom)))
        corners = self.corners(extent, height, width)
        first, second, third = np.array(corners)
        x, y = np.stack([first, second, third, second + third - first], axis=1)
        (left, right), (top, bottom) = (
            (max(0, int(np.floor(at.min()))), min(most, int(np.ceil(at.max()))))
            for at, most in ((x, width), (y, height))
        )
        return Extent(top, left, max(0, bottom - top), max(0, right - left), corners)

    def camera(self, camera: Camera, height: int, width: int) -> Camera:
        """The principal point is turned; exact for square pixels (fx = fy)."""
        matrix = np.linalg.inv(np.vstack([self.matrix(height, width), (0, 0, 1)]))
        x, y, _ = matrix @ (camera.cx - 0.5, camera.cy - 0.5, 1)
        return Camera(camera.fx, camera.fy, float(x) + 0.5, float(y) + 0.5)

    def matrix(self, height: int, width: int) -> NDArray[np.float64]:
        """Where the pixel (x, y) of the result comes from, as [2, 3]; pixels count from 0."""
        c, s = np.cos(np.deg2rad(self.degrees)), np.sin(np.deg2rad(self.degrees))
        x, y = (width - 1) / 2, (height - 1) / 2
        return np.array([[c, -s, x - c * x + s * y], [s, c, y - s * x - c * y]])
