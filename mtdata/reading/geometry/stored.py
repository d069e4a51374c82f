"""Crop and flip of labels as the file holds them: only the pixels that are kept are decoded.

The result is that of decoding and of `opencv` beside it: the same bits, but for normals, where the
order of the same sums differs (1e-6).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtdata.reading.geometry.base import WEAK
from mtdata.reading.geometry.crop import Crop
from mtdata.reading.geometry.flip import Flip
from mtdata.tasks.kinds import Kind, Normals
from mtdata.tasks.kinds.normals import square_length
from mtdata.tasks.resize import centres
from mtdata.tasks.sample import Sample
from mtdata.tasks.stored import StoredSample, trimmed
from mtdata.tasks.task import Task

Size = tuple[int, int]


def apply_stored(
    sample: StoredSample,
    crop: Crop | None,
    flip: Flip | None,
    tasks: Sequence[Task],
    *,
    paper: bool = False,
) -> Sample:
    """Cut out and magnify, then mirror, then decode; the size stays.

    Args:
        sample: The sample; it is not altered.
        crop: What to cut out; None for all.
        flip: Whether to mirror; None to leave it.
        tasks: At least the tasks that the sample shows.
        paper: Divide inverse depth by the zoom, as the code released with the papers does.
    """
    height, width = sample.image.shape[:2]
    window = _Window(
        (height, width),
        (0, 0, height, width) if crop is None else crop.box(height, width),
        mirrored=flip is not None,
    )
    kinds = {task.name: task.kind for task in tasks}
    camera, extent = sample.camera, sample.extent
    for change in (crop, flip):
        if change is not None:
            camera = camera and change.camera(camera, height, width)
            extent = change.extent(extent, height, width)
    labels, valid = {}, {}
    for name, stored in sample.labels.items():
        kind = kinds[name]
        label, valid[name] = trimmed(*_label(stored, kind, window), extent)
        labels[name] = label if crop is None else crop.correct(kind, label, paper=paper)
    return Sample(sample.key, window.image(sample.image), labels, valid, camera, extent)


@dataclass(frozen=True)
class _Window:
    """A box (top, left, height, width) that becomes an image of `size`, perhaps mirrored."""

    size: Size
    box: tuple[int, int, int, int]
    mirrored: bool

    @property
    def grows(self) -> bool:
        return self.box[2:] != self.size

    def cut(self, array: NDArray[Any]) -> NDArray[Any]:
        top, left, height, width = self.box
        return array[top : top + height, left : left + width]

    def planes(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """What `cut` and `mirror` make of each of [3, h, w]; shared only where it grows after."""
        top, left, height, width = self.box
        cut = planes[:, top : top + height, left : left + width]
        if self.mirrored:
            return np.stack([cv2.flip(plane, 1) for plane in cut])
        return cut if self.grows else cut.copy()

    def mirror(self, array: NDArray[Any]) -> NDArray[Any]:
        return cv2.flip(array, 1) if self.mirrored else array

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.grows:
            return self.mirror(self.resize(self.cut(image)))
        if self.mirrored:
            return self.mirror(image)
        return image if image.flags.writeable else image.copy()

    def resize(self, array: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        height, width = self.size
        return cv2.resize(array, (width, height), out, interpolation=cv2.INTER_LINEAR)

    def pick(self, array: NDArray[Any]) -> NDArray[Any]:
        """The nearest pixels of a whole array, mirrored."""
        if not self.grows:
            return self.mirror(array)
        rows, columns = _places(self.box, self.size, mirrored=self.mirrored)
        # Columns first: where things grow, that leaves fewer rows to do it for.
        picked: NDArray[Any] = self.cut(array)[:, columns][rows]
        return picked


@lru_cache(maxsize=256)
def _nearest(source: int, target: int, *, mirrored: bool) -> NDArray[np.int64]:
    places = centres(target, source)
    return np.ascontiguousarray(places[::-1]) if mirrored else places


def _places(
    box: tuple[int, int, int, int], size: Size, *, mirrored: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows = _nearest(box[2], size[0], mirrored=False)
    return rows, _nearest(box[3], size[1], mirrored=mirrored)


def _label(
    stored: NDArray[Any], kind: Kind, window: _Window
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    if isinstance(kind, Normals):
        return _normals(stored, kind, window)
    return kind.decode(window.pick(stored))


def _normals(
    stored: NDArray[Any], kind: Normals, window: _Window
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Bilinear with weight zero on void pixels, made unit again; [h, w, 3] over planes."""
    kept = stored.dtype == np.float32
    planes, valid = kind.planes(
        window.planes(stored) if kept else window.mirror(window.cut(stored))
    )
    if window.mirrored:
        np.negative(planes[0], out=planes[0])
    if window.grows:
        planes, valid = _grown(planes, valid, window)
    return planes.transpose(1, 2, 0), valid


def _grown(
    planes: NDArray[np.float32], valid: NDArray[np.bool_], window: _Window
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rows, columns = _places(window.box, window.size, mirrored=window.mirrored)
    if window.mirrored:
        # The planes are mirrored already; a pixel and its validity still come from one place.
        columns = planes.shape[2] - 1 - columns
    complete = bool(valid.all())
    seen = np.ones(window.size, np.bool_) if complete else valid[:, columns][rows]
    mixed = np.empty((3, *window.size), np.float32)
    for plane, out in zip(planes, mixed, strict=True):
        window.resize(plane, out)
    length = square_length(mixed)
    weak = (length < WEAK**2) & seen if length.min() < WEAK**2 else None
    mixed /= np.maximum(np.sqrt(length, out=length), np.finfo(np.float32).tiny, out=length)
    if weak is not None and weak.any():
        mixed[:, weak] = planes[:, :, columns][:, rows][:, weak]
    if not complete:
        mixed *= seen
    return mixed, seen
