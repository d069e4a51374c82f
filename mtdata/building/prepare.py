"""From a sample of the source to the finished chunks of a row."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.building.request import Request
from mtdata.building.summary import UNLABELLED
from mtdata.errors import MtdataError, SampleError, UnlabelledError
from mtdata.sources.base import UNLABELLED_REMEDY
from mtdata.store.codec import filters
from mtdata.store.digest import cell_digest
from mtdata.store.encoder import encode
from mtdata.store.row import NO_CAMERA, Cell, Row
from mtdata.tasks.resize import resize_sample
from mtdata.tasks.sample import Camera, Sample
from mtdata.tasks.task import Task


def prepare(request: Request, split: str, key: str) -> Row:
    """Read, resize, encode and compress one sample.

    Raises:
        SampleError: naming file, key and label of what cannot be used.
    """
    sample = _read(request, split, key)
    _check_labels(request, split, sample)
    before = (int(sample.image.shape[0]), int(sample.image.shape[1]))
    box = request.source.box(split, key)
    source_size, crop = box if box is not None else (before, (0, 0, *before))
    had = [name for name in request.task_names if _has(sample, name)]
    if request.size is not None and request.size != before:
        sample = _resize(request, split, sample, request.size)
    lost = tuple(name for name in had if not _has(sample, name))
    _check_lost(request, split, sample, lost)
    height, width = sample.image.shape[:2]
    _check_padded(request, split, key, (int(height), int(width)))
    labels = tuple(_label_cell(request, split, sample, task) for task in request.tasks)
    return Row(
        key=key,
        size=(int(height), int(width)),
        source_size=source_size,
        crop=crop,
        camera=_camera(sample.camera),
        cells=(cell(sample.image, height * width, request, image=True), *labels),
        lost=lost,
        notes=request.source.notes(split, key),
    )


def cell(stored: NDArray[Any], valid_pixels: int, request: Request, *, image: bool) -> Cell:
    """Digest and chunk of one stored array."""
    options = filters(request.compression, stored.dtype, image=image)
    return Cell(cell_digest(stored), valid_pixels, encode(stored, options))


def _read(request: Request, split: str, key: str) -> Sample:
    try:
        sample = request.source.read(split, key, request.task_names)
        _check_form(sample)
        return sample
    except MtdataError:
        raise
    except (OSError, ValueError) as error:
        raise SampleError(
            request.source.locate(split, key, None),
            f"{split}/{key} cannot be read: {error}",
            "Correct or remove this file.",
        ) from error


def _check_form(sample: Sample) -> None:
    """Refuse an image or a mask of a form that a store could not be read with.

    Raises:
        ValueError: naming what was expected and found.
    """
    image = sample.image
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"an image should be uint8 [h, w, 3]; found {image.dtype} {list(image.shape)}."
        )
    for name, valid in sample.valid.items():
        if valid.dtype != np.bool_:
            raise ValueError(
                f"the validity of `{name}` should be bool [h, w]; found {valid.dtype}."
            )


def _check_padded(request: Request, split: str, key: str, size: tuple[int, int]) -> None:
    limit = request.padded_size
    if limit is not None and (size[0] > limit[0] or size[1] > limit[1]):
        raise SampleError(
            request.source.locate(split, key, None),
            f"should be at most {limit[0]}x{limit[1]}, which images of their own size are padded "
            f"to; found {size[0]}x{size[1]}.",
            f"Bring all images to one size with --size {limit[0]}x{limit[1]} or another.",
        )


def _check_labels(request: Request, split: str, sample: Sample) -> None:
    missing = [name for name in request.task_names if not _has(sample, name)]
    where = request.source.locate(split, sample.key, None)
    bare = not request.keep_unlabelled and len(missing) == len(request.tasks)
    if bare and request.source.skips_unlabelled:
        raise UnlabelledError(where, f"{split}/{sample.key} {UNLABELLED}.", UNLABELLED_REMEDY)
    if request.strict and missing:
        raise SampleError(
            where,
            f"{split}/{sample.key} should have every label; it has no {', '.join(missing)}.",
            "Add the label, or build without --strict: a missing label is then no error.",
        )
    if bare:
        raise SampleError(
            where,
            f"{split}/{sample.key} should have at least one label of {', '.join(missing)}; "
            "it has none, or none with a valid pixel.",
            UNLABELLED_REMEDY,
        )


def _check_lost(request: Request, split: str, sample: Sample, lost: tuple[str, ...]) -> None:
    if request.strict and lost:
        height, width = sample.image.shape[:2]
        raise SampleError(
            request.source.locate(split, sample.key, lost[0]),
            f"label `{lost[0]}` of {split}/{sample.key} should have a valid pixel at "
            f"{height}x{width}; it has them in the source only.",
            "Give a larger --size, or build without --strict: the label then counts as missing.",
        )


def _has(sample: Sample, name: str) -> bool:
    return name in sample.labels and bool(sample.valid[name].any())


def _resize(request: Request, split: str, sample: Sample, size: tuple[int, int]) -> Sample:
    for task in request.tasks:
        if task.kind.interpolation == "linear" and _has(sample, task.name):
            # Interpolation makes unit vectors of anything: look at what was given.
            _encode(request, split, sample, task)
    return resize_sample(sample, size, {task.name: task.kind for task in request.tasks})


def _label_cell(request: Request, split: str, sample: Sample, task: Task) -> Cell:
    if not _has(sample, task.name):
        return Cell()
    stored = _encode(request, split, sample, task)
    count = int(np.count_nonzero(sample.valid[task.name]))
    return cell(stored, count, request, image=False)


def _encode(request: Request, split: str, sample: Sample, task: Task) -> NDArray[Any]:
    try:
        return task.kind.encode(sample.labels[task.name], sample.valid[task.name])
    except (ValueError, IndexError) as error:
        raise SampleError(
            request.source.locate(split, sample.key, task.name),
            f"label `{task.name}` of {split}/{sample.key}: {error}",
            "Correct or remove this label.",
        ) from error


def _camera(camera: Camera | None) -> tuple[float, float, float, float]:
    return NO_CAMERA if camera is None else (camera.fx, camera.fy, camera.cx, camera.cy)
