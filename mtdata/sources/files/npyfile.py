"""Read `.npy` files strictly: plain numbers only, whole files only, nothing is ever unpickled."""

import math
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.files import REMEDY, read_file

PLAIN = "biuf"
"""Kinds of numbers: bool, integers, floats."""


def read_npy(path: Path) -> NDArray[Any]:
    """The array of a `.npy` file.

    Raises:
        SampleError: where the file is missing, no `.npy`, cut off, or holds anything but numbers
            (Python objects in it are a pickle, which could run code).
    """
    content = read_file(path)
    stream = BytesIO(content)
    shape, fortran, dtype = _header(path, stream)
    if dtype.hasobject or dtype.kind not in PLAIN:
        what = "Python objects, which are never loaded" if dtype.hasobject else str(dtype)
        raise SampleError(
            path, f"should hold numbers; found {what}.", "Save a plain array of numbers."
        )
    wanted, found = math.prod(shape) * dtype.itemsize, len(content) - stream.tell()
    if wanted != found:
        raise SampleError(
            path,
            f"should hold {wanted} bytes of {dtype} {list(shape)}; found {found} (damaged).",
            REMEDY,
        )
    flat = np.frombuffer(content, dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def _header(path: Path, stream: BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it is in Fortran order, and type; leaves the stream at the numbers."""
    known = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran, dtype = known[version](stream)
    except Exception as error:  # numpy raises whatever its parser stumbles over
        raise SampleError(
            path,
            f"should be a .npy file of numbers; its head cannot be read ({error}).",
            REMEDY,
        ) from error
    return tuple(map(int, shape)), bool(fortran), dtype
