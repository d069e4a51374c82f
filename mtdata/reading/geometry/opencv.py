"""Geometric changes of samples, with OpenCV: what the workers of a loader run.

The rules, the same in `mtdata.reading.geometry.device`:

* images are bilinear where they grow or turn, area means where they shrink;
* classes, binary labels, depth and validity take the nearest pixel (half-pixel centres), so a
  value and its validity always come from the same pixel;
* normals are bilinear with weight zero on pixels that are not valid, then made unit again. Where
  they all but cancel (length below `WEAK`) the nearest one is taken.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtdata.reading.geometry.base import WEAK, Change
from mtdata.reading.geometry.crop import Crop, Paste
from mtdata.reading.geometry.flip import Flip
from mtdata.reading.geometry.rotate import Rotate
from mtdata.tasks.kinds import Kind
from mtdata.tasks.resize import centres
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task


def apply(sample: Sample, change: Change, tasks: Sequence[Task], *, paper: bool = False) -> Sample:
    """Change an image and its labels together; the size stays.

    Args:
        sample: The sample; it is not altered.
        change: What to do.
        tasks: At least the tasks that the sample shows.
        paper: Divide inverse depth by the zoom, as the code released with the papers does.
    """
    kinds = {task.name: task.kind for task in tasks}
    labels, valid = {}, {}
    for name, label in sample.labels.items():
        moved, valid[name] = _label(label, sample.valid[name], kinds[name], change)
        labels[name] = change.correct(kinds[name], moved, paper=paper)
    height, width = sample.image.shape[:2]
    camera = sample.camera and change.camera(sample.camera, height, width)
    image = _move(sample.image, change, linear=True)
    extent = change.extent(sample.extent, height, width)
    return replace(sample, image=image, labels=labels, valid=valid, camera=camera, extent=extent)


def _label(
    label: NDArray[Any], valid: NDArray[np.bool_], kind: Kind, change: Change
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    seen = _move(valid.view(np.uint8), change, linear=False)
    if kind.interpolation == "nearest" or isinstance(change, Flip):
        return _move(label, change, linear=False), seen.view(np.bool_)
    mixed = _move(cv2.copyTo(label, valid.view(np.uint8)), change, linear=True)
    weak = cv2.transform(mixed * mixed, np.ones((1, 3))) < WEAK**2
    unit = kind.settle(mixed)
    weak &= seen.view(np.bool_)
    if weak.any():
        unit[weak] = _move(label, change, linear=False)[weak]
    return cv2.copyTo(unit, seen), seen.view(np.bool_)


def _move(array: NDArray[Any], change: Change, *, linear: bool) -> NDArray[Any]:
    """Move the pixels of [h, w] or [h, w, c]; zero where none comes from inside."""
    height, width = array.shape[:2]
    match change:
        case Flip():
            return cv2.flip(array, 1)
        case Crop():
            top, left, h, w = change.box(height, width)
            return _resize(array[top : top + h, left : left + w], height, width, linear=linear)
        case Paste():
            top, left, h, w = change.box(height, width)
            canvas = np.zeros_like(array)
            canvas[top : top + h, left : left + w] = _resize(array, h, w, linear=linear)
            return canvas
        case Rotate():
            how = cv2.INTER_LINEAR if linear else cv2.INTER_NEAREST
            matrix = change.matrix(height, width)
            return cv2.warpAffine(array, matrix, (width, height), flags=how | cv2.WARP_INVERSE_MAP)
        case _:
            raise TypeError(f"`change` should be a flip, crop or rotation; found {change!r}.")


def _resize(array: NDArray[Any], height: int, width: int, *, linear: bool) -> NDArray[Any]:
    h, w = array.shape[:2]
    if (h, w) == (height, width):
        return array
    if not linear:
        return array[centres(height, h)][:, centres(width, w)]
    how = cv2.INTER_AREA if height < h else cv2.INTER_LINEAR
    return cv2.resize(array, (width, height), interpolation=how)
