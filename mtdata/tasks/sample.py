"""One image with the labels that may be seen of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Decoded = tuple[NDArray[Any], NDArray[np.bool_]]
"""A label and where it is valid."""


@dataclass(frozen=True)
class Camera:
    """Pinhole camera of an image, in pixels; pixel (0, 0) is centred at 0.5, 0.5."""

    fx: float
    fy: float
    cx: float
    cy: float

    def crop(self, left: float, top: float) -> "Camera":
        """The camera of the image without its first `left` columns and `top` rows."""
        return Camera(self.fx, self.fy, self.cx - left, self.cy - top)

    def scale(self, x: float, y: float) -> "Camera":
        """The camera of the image resized by `x` and `y`."""
        return Camera(self.fx * x, self.fy * y, self.cx * x, self.cy * y)


class Extent(NamedTuple):
    """Where the true image lies in one that is padded, in pixels."""

    top: int
    left: int
    height: int
    width: int

    @property
    def part(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


@dataclass(frozen=True)
class Sample:
    """One image and its labels; an absent label is absent.

    `image` is uint8 `[h, w, 3]`, a label `[h, w]` or `[h, w, 3]`, its validity bool `[h, w]`.
    `extent` is None where the image is not padded.

    Raises:
        ValueError: where labels and image differ in size.
    """

    key: str
    image: NDArray[np.uint8]
    labels: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    valid: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    camera: Camera | None = None
    extent: Extent | None = None

    @classmethod
    def of(
        cls,
        key: str,
        image: NDArray[np.uint8],
        decoded: Mapping[str, Decoded],
        camera: Camera | None = None,
    ) -> "Sample":
        """A sample whose labels come with their validity."""
        labels = {task: label for task, (label, _) in decoded.items()}
        valid = {task: valid for task, (_, valid) in decoded.items()}
        return cls(key, image, labels, valid, camera)

    def __post_init__(self) -> None:
        size = self.image.shape[:2]
        if self.labels.keys() != self.valid.keys():
            raise ValueError(
                f"`labels` and `valid` should name the same tasks; found {sorted(self.labels)} "
                f"and {sorted(self.valid)}."
            )
        for name, label in self.labels.items():
            if label.shape[:2] != size or self.valid[name].shape != size:
                raise ValueError(
                    f"label `{name}` should have the size of its image, {size[0]}x{size[1]}; "
                    f"found {label.shape[0]}x{label.shape[1]}."
                )

    def trimmed(self) -> "Sample":
        """The true image and its labels, without padding."""
        if self.extent is None:
            return self
        part, left, top = self.extent.part, float(self.extent.left), float(self.extent.top)
        camera = None if self.camera is None else self.camera.crop(left, top)
        return replace(
            self,
            image=self.image[part],
            labels={name: label[part] for name, label in self.labels.items()},
            valid={name: valid[part] for name, valid in self.valid.items()},
            camera=camera,
            extent=None,
        )
