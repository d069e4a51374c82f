"""From the 894 raw ids of NYU Depth v2 to 40 and 13 classes.

The 13 are a table here. The 40 come from `classMapping40.mat`, which is published apart from the
data and is read where it lies: names alone would leave most raw ids without a class.
"""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray as Array

from mtdata.errors import SampleError
from mtdata.sources.files.files import check_files
from mtdata.sources.files.matfile import load_mat
from mtdata.tasks.kinds.classes import VOID

RAW = 894
FILE = "classMapping40.mat"
GET_IT = (
    f"Put {FILE} into that folder (it is in https://github.com/ankurhanda/nyuv2-meta-data), or "
    "leave the classes out with --tasks depth,normals."
)
TO_13 = (
    12, 5, 6, 1, 4, 9, 10, 12, 13, 6, 8, 6, 13, 10, 6, 13, 6, 7, 7, 5,
    7, 3, 2, 6, 11, 7, 7, 7, 7, 7, 7, 6, 7, 7, 7, 7, 7, 7, 6, 7,
)  # fmt: skip
"""The one of 13 classes, from 1, of each of the 40 (`class13Mapping.mat`)."""


def find_mapping(root: Path) -> Path | None:
    """The mapping in the folder, else in one beside it, by the order of their names."""
    inside = root / FILE
    if inside.is_file():
        check_files([inside], root)
        return inside
    beside = sorted(root.resolve().parent.glob(f"*/{FILE}"))
    return beside[0] if beside else None


def lookup_table(path: Path, classes: int) -> UInt8[Array, " 895"]:
    """Class id, from 0, of each raw id 0..894; 255 for void.

    Raises:
        SampleError: where the file is not the published one.
    """
    to_40 = load_mat(path, "mapClass", remedy=GET_IT)["mapClass"].ravel()
    if to_40.shape != (RAW,) or not np.isin(to_40, range(1, 41)).all():
        wrong = f"found {to_40.size} values of {to_40.dtype}" if to_40.shape != (RAW,) else (
            f"found {to_40[~np.isin(to_40, range(1, 41))][0]}")  # fmt: skip
        raise SampleError(path, f"`mapClass` should be {RAW} classes of 1..40; {wrong}.", GET_IT)
    to_40 = to_40.astype(np.int64)
    chosen = to_40 if classes == 40 else np.array(TO_13)[to_40 - 1]
    return np.concatenate([[VOID], chosen - 1]).astype(np.uint8)
