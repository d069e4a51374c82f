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


Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]
"""Where the top left, top right and bottom left corner of an image lie, each as x and y in pixels;
pixel (0, 0) is centred at 0.5, 0.5."""


class Extent(NamedTuple):
    """Where the true image lies in one that is padded, in pixels.

    It fills the box, unless it was turned: then it is what the box holds of the image with these
    `corners`, which may lie outside.
    """

    top: int
    left: int
    height: int
    width: int
    corners: Corners | None = None

    @property
    def part(self) -> tuple[slice, slice]:
        """Its rows and columns."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """Which pixels of an image of this size have their centre in the true one, `[h, w]`."""
        mask = np.zeros((height, width), np.bool_)
        mask[self.part] = True
        if self.corners is not None:
            start, *ends = np.array(self.corners)
            x = np.arange(width) + 0.5 - start[0]
            y = np.arange(height)[:, None] + 0.5 - start[1]
            # Shares of the way along its upper and along its left side.
            for across, down in np.linalg.inv(np.transpose(ends - start)):
                share = across * x + down * y
                mask &= (share >= 0) & (share < 1)
        return mask


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
