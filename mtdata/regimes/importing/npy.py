"""The `.npy` files released with MTPSL: a pickled dictionary of image ids for each task."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from mtdata.errors import DataError
from mtdata.regimes.importing.assignment import Assignment
from mtdata.regimes.importing.json_file import assignment_of
from mtdata.regimes.importing.unpickling import Call, Names, load

WHAT = "a dictionary of task and image ids, pickled by numpy as MTPSL does"


class _Type:
    """Stands for a numpy type; only texts are read by it."""

    def __init__(self, name: str, *flags: Any) -> None:
        self.name = name
        self.order = "<"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]


class _Array:
    """Stands for a numpy array of objects; `content` are its elements."""

    content: Any = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.content = state[4]


def _array(kind: str, shape: tuple[int, ...], code: bytes) -> _Array:
    return _Array()


def _text(kind: _Type, data: bytes) -> str:
    """A numpy text: four bytes a character, zeros behind its end."""
    if not kind.name.startswith("U"):
        raise ValueError(f"it holds numpy values of type {kind.name}")
    return data.decode("utf-32-be" if kind.order == ">" else "utf-32-le").rstrip("\0")


NAMES: Names = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): Call(_Type),
    **{
        (f"numpy.{core}.multiarray", name): Call(function)
        for core in ("core", "_core")
        for name, function in (("_reconstruct", _array), ("scalar", _text))
    },
}


def read_npy(path: Path) -> Assignment:
    """Read which labels of which images a file names.

    Raises:
        DataError: where it holds anything else; nothing in it is run.
    """
    file = BytesIO(path.read_bytes())
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        _, _, dtype = read_header(file)
    except (ValueError, KeyError) as error:
        raise DataError(
            f"{path} should be a file of numpy.save; it is none ({error}). Get it again."
        ) from error
    if dtype != np.dtype(object):
        raise DataError(
            f"{path} should hold {WHAT}; found an array of {dtype}. A table of zeros and ones, "
            "images x tasks, is read as a tensor saved by torch (.pth), or as CSV of key and task."
        )
    found = load(file, path, NAMES, what=WHAT)
    content = found.content if isinstance(found, _Array) else None
    if not isinstance(content, list) or len(content) != 1:
        raise DataError(f"{path} should hold {WHAT}; found something else.")
    return assignment_of(content[0], path, what=WHAT, by_task=True)
