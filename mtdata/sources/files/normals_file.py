"""Surface normals in files: integers are (n + 1) / 2 (PNG, TIFF), floats the vectors."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray as Array
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.imagefile import check_size, read_label
from mtdata.sources.files.npyfile import read_array

SUFFIXES = (".png", ".npy", ".npz", ".tif", ".tiff", ".exr")
OFF_UNIT = 0.1
"""How far from 1 a length may be: 8 bits a channel and resizing round."""
NO_DIRECTION = 0.02
"""Length below which a PNG is mid-grey: the zero vector in (n + 1) / 2."""


def read_normals(
    path: Path, mask: Path | None = None
) -> tuple[Float[Array, "h w 3"], Bool[Array, "h w"]]:
    """Unit vectors and where there are any, as they lie in the file: so are images beside them.

    Args:
        path: PNG or TIFF of 8 or 16 bits a channel (black or mid-grey is void), or floats in
            `.npy`, `.npz`, TIFF or EXR, `[h, w, 3]` (the zero vector is void).
        mask: PNG of 8 bits, zero where there is no normal; None for no more void than that.

    Raises:
        SampleError: where a file is broken or a vector is not unit.
    """
    vector, valid = read_vectors(path, turn=False)
    if mask is not None:
        kept = read_label(mask, "uint8", turn=False) != 0
        check_size(kept, mask, valid.shape)
        valid = valid & kept
    return unit(path, vector, valid), valid


def unit(path: Path, vector: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The vectors at exactly unit length as float32, zero where not valid.

    Raises:
        SampleError: where a valid one is longer or shorter than rounding explains.
    """
    vector = vector.astype(np.float32, copy=False)
    length = np.sqrt(np.einsum("...c,...c->...", vector, vector))
    # Written so that NaN is refused as well.
    if not (np.abs(length[valid] - 1) < OFF_UNIT).all():
        raise SampleError(
            path,
            f"normals should have unit length to {OFF_UNIT}; found "
            f"{length[valid].min():.2f}..{length[valid].max():.2f}.",
            "In a PNG each channel should hold (n + 1) / 2, and black where there is no normal; "
            "in a .npy the vector itself, and zero where there is none.",
        )
    scale = np.divide(1, length, out=np.zeros_like(length), where=valid)
    straight: NDArray[np.float32] = np.where(valid[..., None], vector, 0) * scale[..., None]
    return straight


def read_vectors(path: Path, *, turn: bool = True) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Vectors as they lie in the file, of any length, and where there are any.

    Args:
        path: The file.
        turn: Whether it is turned as its own header says.
    """
    suffix = path.suffix.lower()
    if suffix not in (".png", ".tif", ".tiff"):
        is_exr = suffix == ".exr"
        vector = read_label(path, "float32", channels=3, turn=turn) if is_exr else read_array(path)
        if vector.ndim != 3 or vector.shape[-1] != 3 or vector.dtype.kind != "f":
            raise SampleError(
                path,
                "normals should be floats of the shape [height, width, 3]; "
                f"found {vector.dtype} {list(vector.shape)}.",
                "Put x, y and z last.",
            )
        return vector, np.asarray(vector.any(-1))
    stored = read_label(path, "uint8|uint16|float32", channels=3, turn=turn)
    if stored.dtype.kind == "f":
        return stored, np.asarray(stored.any(-1))
    vector = stored.astype(np.float32) * np.float32(2 / np.iinfo(stored.dtype).max) - 1
    directed = np.einsum("...c,...c->...", vector, vector) > NO_DIRECTION**2
    return vector, np.asarray(stored.any(-1) & directed)
