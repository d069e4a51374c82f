"""From the 894 raw ids of NYU Depth v2 to 40 and 13 classes.

The 13 are a table here. The 40 come from `classMapping40.mat`, which is published apart from the
data and is read where it lies: names alone would leave most raw ids without a class.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray as Array
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.kinds.classes import VOID

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
        return inside
    beside = sorted(root.resolve().parent.glob(f"*/{FILE}"))
    return beside[0] if beside else None


def lookup_table(path: Path, classes: int) -> UInt8[Array, " 895"]:
    """Class id, from 0, of each raw id 0..894; 255 for void.

    Raises:
        SampleError: where the file is not the published one.
    """
    to_40 = _mapping(path)
    if to_40.shape != (RAW,) or to_40.min() < 1 or to_40.max() > 40:
        raise SampleError(
            path,
            f"`mapClass` should be {RAW} classes of 1..40; found {to_40.size} of "
            f"{to_40.min(initial=40)}..{to_40.max(initial=0)}.",
            GET_IT,
        )
    chosen = to_40 if classes == 40 else np.array(TO_13)[to_40 - 1]
    return np.concatenate([[VOID], chosen - 1]).astype(np.uint8)


def _mapping(path: Path) -> NDArray[np.int64]:
    from scipy.io import loadmat

    try:
        content: Mapping[str, Any] = loadmat(path, variable_names=["mapClass"])
        return np.asarray(content["mapClass"]).ravel().astype(np.int64)
    except Exception as error:  # scipy raises whatever its parser stumbles over
        raise SampleError(
            path,
            f"should be a MATLAB file with `mapClass`; it cannot be read ({error}).",
            GET_IT,
        ) from error
