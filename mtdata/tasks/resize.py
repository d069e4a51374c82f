"""Bringing image, labels and camera of a sample to one size, together.

Images by area where they shrink, else bilinear; labels and validity by the nearest pixel centre;
normals bilinear and unit again. A resize is no zoom: depth stays, the camera is scaled.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.kinds import Kind
from mtdata.tasks.sample import Extent, Sample

PIXELS = 300_000
"""Pixels of an image, about, that a network of ours is trained on without much ado: 480x640."""


def fitting_size(size: tuple[int, int], stride: int = 32) -> tuple[int, int]:
    """The size divisible by `stride` that is nearest to one, in its shape, and not larger.

    Of `PIXELS` where there are more; at least one stride.
    """
    scale = min(1.0, math.sqrt(PIXELS / (size[0] * size[1])))
    height, width = (
        max(stride, stride * min(round(side * scale / stride), side // stride)) for side in size
    )
    return height, width


def fitted(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size in the shape of one whose longer side is `longest` at most."""
    scale = min(1.0, longest / max(size))
    height, width = (max(1, round(side * scale)) for side in size)
    return height, width


def resize_sample(sample: Sample, size: tuple[int, int], kinds: Mapping[str, Kind]) -> Sample:
    """The sample at height and width `size`; the sample itself where it has that size."""
    before = sample.image.shape[:2]
    if before == size:
        return sample
    valid = {name: nearest(mask, size) for name, mask in sample.valid.items()}
    labels = {
        name: _resize_label(label, sample.valid[name], size, kinds[name])
        for name, label in sample.labels.items()
    }
    camera = sample.camera and sample.camera.scale(size[1] / before[1], size[0] / before[0])
    image = resize_image(sample.image, size)
    extent = sample.extent and _resize_extent(sample.extent, before, size)
    return replace(sample, image=image, labels=labels, valid=valid, camera=camera, extent=extent)


def _resize_extent(extent: Extent, before: tuple[int, int], size: tuple[int, int]) -> Extent:
    """The smallest box of whole pixels that holds the true image."""
    top, left = (extent.top * size[0] // before[0], extent.left * size[1] // before[1])
    bottom = -(-(extent.top + extent.height) * size[0] // before[0])
    right = -(-(extent.left + extent.width) * size[1] // before[1])
    return Extent(top, left, bottom - top, right - left)


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """An image [h, w, 3] at another size: means over areas where it shrinks, else bilinear."""
    import cv2

    smaller = size[0] <= image.shape[0] and size[1] <= image.shape[1]
    rule = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size[::-1], interpolation=rule), np.uint8)


def nearest(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """The values of [h, w, ...] at the pixel centres of another size: exact for every type."""
    rows, columns = (centres(new, old) for new, old in zip(size, array.shape[:2], strict=True))
    taken: NDArray[Any] = array[rows[:, None], columns]
    return taken


def centres(new: int, old: int) -> NDArray[np.int64]:
    """The pixels, of `old` along a side, that hold the centres of `new` ones.

    In integers, so that it is exact: OpenCV's own puts ties on either side.
    """
    return (2 * np.arange(new) + 1) * old // (2 * new)


def _resize_label(
    label: NDArray[Any], valid: NDArray[np.bool_], size: tuple[int, int], kind: Kind
) -> NDArray[Any]:
    near = nearest(label, size)
    if kind.interpolation == "nearest":
        return near
    import cv2

    # What is not valid must not pull its neighbours.
    clean = np.where(valid[..., None], label, 0).astype(np.float32)
    smooth = cv2.resize(clean, size[::-1], interpolation=cv2.INTER_LINEAR)
    # Opposite directions cancel out; there the nearest one is kept.
    cancelled = np.linalg.norm(smooth, axis=-1, keepdims=True) < 1e-3
    unit = kind.settle(np.where(cancelled, near, smooth).astype(np.float32))
    # A pixel beside the border of what is known has a mean, and may itself say nothing.
    unit[~nearest(valid, size)] = 0
    return unit
