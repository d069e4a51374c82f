"""The arrays of one image of MTAN's trees, decoded and checked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.normals_file import read_normals
from mtdata.sources.files.npyfile import read_npy
from mtdata.tasks.kinds import Kind
from mtdata.tasks.sample import Decoded

VOID = -1
OVERSHOOT = 1e-3
"""How far interpolation may have left [0, 1]."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image as uint8 `[h, w, 3]`: floats of [0, 1] are rounded to 255ths.

    Raises:
        SampleError: where it is no image.
    """
    image = read_npy(path)
    if image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise _wrong(path, "an image should have the shape [height, width, 3]", list(image.shape))
    if image.dtype == np.uint8:
        return image.copy()
    if image.dtype.kind != "f":
        raise _wrong(path, "an image should be floats in [0, 1], or uint8", image.dtype)
    low, high = float(image.min()), float(image.max())
    # NaN fails the comparison too.
    if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):
        raise _wrong(path, "an image of floats should lie in [0, 1]", f"{low:g}..{high:g}")
    steps: NDArray[Any] = np.rint(np.clip(image, 0, 1) * 255)
    return steps.astype(np.uint8)


def rounding(path: Path) -> float:
    """By how much rounding to 8 bits changes an image at most, in 255ths; 0 where it is exact."""
    image = read_npy(path)
    if image.dtype == np.uint8:
        return 0.0
    exact = np.clip(image, 0, 1).astype(np.float64) * 255
    lost = float(np.abs(exact - np.rint(exact)).max())
    # 255ths themselves are not exact as float32.
    return lost if lost > 1e-4 else 0.0


def classes(path: Path, kind: Kind) -> Decoded:
    """Class ids from integers or whole floats; -1 is void.

    Raises:
        SampleError: for any other value.
    """
    label = _plane(path)
    whole = np.isfinite(label) & (label == np.rint(label))
    if not (whole & (label >= VOID) & (label < kind.channels)).all():
        values = np.unique(label[~whole | (label < VOID) | (label >= kind.channels)])
        wanted = f"class ids should be whole numbers 0..{kind.channels - 1}, or -1 for void"
        raise _wrong(path, wanted, f"{values[0]:g}")
    valid = label != VOID
    return np.where(valid, label, 0).astype(np.uint8), valid


def depth(path: Path, kind: Kind) -> Decoded:
    """Depth or disparity as float32; 0 is void.

    Raises:
        SampleError: for negative values, NaN and infinity.
    """
    label = _plane(path)
    if not (np.isfinite(label) & (label >= 0)).all():
        wrong = label[~(np.isfinite(label) & (label >= 0))]
        raise _wrong(path, "depth should be finite, and 0 where void", f"{wrong[0]:g}")
    label = label.astype(np.float32)
    return label, label > 0


def normals(path: Path, kind: Kind) -> Decoded:
    """Unit vectors; the zero vector is void."""
    return read_normals(path)


DECODERS: dict[str, Callable[[Path, Kind], Decoded]] = {
    "classes": classes,
    "depth": depth,
    "normals": normals,
}
"""How the array of each kind of label is read."""


def _plane(path: Path) -> NDArray[Any]:
    """The array of a file, without a last axis of one."""
    array = read_npy(path)
    plane = array[..., 0] if array.ndim == 3 and array.shape[-1] == 1 else array
    if plane.ndim != 2:
        wanted = "a label should have the shape [height, width] or [height, width, 1]"
        raise _wrong(path, wanted, list(array.shape))
    return plane


def _wrong(path: Path, wanted: str, found: object) -> SampleError:
    return SampleError(path, f"{wanted}; found {found}.", "Correct or remove this file.")
