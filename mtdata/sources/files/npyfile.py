"""Read `.npy` and `.npz` strictly: plain numbers, whole files, nothing is ever unpickled."""

import math
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.files import REMEDY, read_file

ARRAYS = (".npy", ".npz")
"""How the names of such files end."""
LIMIT = 2**30
"""Bytes that the array of a `.npz` may inflate to."""
PLAIN = "biuf"
"""Kinds of numbers: bool, integers, floats."""


def read_array(path: Path) -> NDArray[Any]:
    """The array of a `.npy` file, or the only one of a `.npz`.

    Raises:
        SampleError: where the file is missing, of neither form, cut off, holds several arrays, or
            anything but numbers (Python objects in it are a pickle, which could run code).
    """
    return read_npy(path) if path.suffix.lower() != ".npz" else _read_npz(path)


def read_npy(path: Path) -> NDArray[Any]:
    """The array of a `.npy` file.

    Raises:
        SampleError: as `read_array`.
    """
    return _parse(read_file(path), path)


def _read_npz(path: Path) -> NDArray[Any]:
    content = read_file(path)
    try:
        with ZipFile(BytesIO(content)) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise SampleError(
                    path,
                    f"should hold one array; found {', '.join(names[:8]) or 'none'}.",
                    "Save the label alone: numpy.savez_compressed(path, label=array).",
                )
            size = archive.getinfo(names[0]).file_size
            if size > LIMIT:
                raise SampleError(
                    path, f"should inflate to {LIMIT} bytes at most; it says {size}.", REMEDY
                )
            with archive.open(names[0]) as member:
                # No more than it declares, whatever follows.
                inflated = member.read(size + 1)
    except (BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise SampleError(path, f"should be a whole .npz; it is none ({error}).", REMEDY) from error
    return _parse(inflated, path)


def _parse(content: bytes, path: Path) -> NDArray[Any]:
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
