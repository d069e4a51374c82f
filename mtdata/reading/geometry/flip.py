"""Mirroring left and right."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.reading.geometry.base import Change
from mtdata.tasks.kinds import Kind
from mtdata.tasks.sample import Camera, Extent


@dataclass(frozen=True)
class Flip(Change):
    """Left becomes right; normals turn their x."""

    @classmethod
    def draw(cls, rng: np.random.Generator, probability: float = 0.5) -> "Flip | None":
        """A flip, or None with probability 1 - `probability`. Always takes one number."""
        return cls() if rng.random() < probability else None

    def correct(self, kind: Kind, label: NDArray[Any], *, paper: bool = False) -> NDArray[Any]:
        """What the kind says of mirrored pixels."""
        return kind.flip(label)

    def camera(self, camera: Camera, height: int, width: int) -> Camera:
        """The principal point is mirrored."""
        return replace(camera, cx=width - camera.cx)

    def moved(self, extent: Extent, height: int, width: int) -> Extent:
        """Mirrored too."""
        corners = self.corners(extent, height, width)
        return extent._replace(left=width - extent.left - extent.width, corners=corners)
