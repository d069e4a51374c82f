"""From the 894 raw ids of NYU Depth v2 to 40 and 13 classes.

Both are tables here, as they are published: `mapClass` of `classMapping40.mat` (Gupta, Arbelaez and
Malik, CVPR 2013, "Perceptual organization and recognition of indoor scenes from RGB-D images"; the
file of https://github.com/ankurhanda/nyuv2-meta-data, MD5 e377c88729dd63af81205ac9a8634a19) and
`class13Mapping.mat`. Where the first lies in the folder, or in one beside it, that is read instead.
"""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray as Array
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.files import check_files
from mtdata.sources.files.matfile import load_mat
from mtdata.tasks.kinds.classes import VOID

RAW = 894
FILE = "classMapping40.mat"
GET_IT = (
    f"Remove it: the published table is known without it. Or put {FILE} there again, from "
    "https://github.com/ankurhanda/nyuv2-meta-data."
)
OWN = (
    21, 11, 3, 157, 5, 83, 19, 28, 59, 88, 64, 7, 80, 36, 42, 89, 169, 119, 122, 143, 141, 4,
    85, 17, 172, 15, 135, 123, 26, 45, 331, 158, 124, 24, 144, 136, 55,
)  # fmt: skip
"""The raw ids that are a class of their own: those of classes 1 to 37, in their order."""
STRUCTURE = (
    8, 25, 33, 38, 51, 53, 57, 58, 62, 65, 79, 94, 104, 112, 134, 153, 215, 216, 223, 225, 238,
    241, 242, 256, 295, 301, 339, 342, 354, 363, 372, 380, 392, 408, 412, 453, 456, 463, 477,
    497, 541, 550, 553, 567, 573, 582, 591, 609, 612, 615, 642, 645, 657, 658, 659, 663, 667,
    668, 686, 700, 702, 777, 778, 782, 850, 861, 868, 874,
)  # fmt: skip
"""Raw ids of class 38, other structure."""
FURNITURE = (
    12, 43, 48, 50, 87, 106, 111, 161, 163, 174, 183, 204, 214, 219, 221, 224, 236, 262, 278,
    291, 298, 313, 343, 344, 356, 359, 373, 393, 401, 414, 418, 419, 430, 443, 444, 447, 448,
    457, 458, 460, 462, 475, 479, 485, 486, 493, 494, 498, 499, 509, 510, 515, 521, 524, 540,
    549, 551, 554, 556, 558, 576, 580, 608, 625, 703, 734, 770, 772, 797, 800, 803, 804, 813,
    814, 815, 820, 829, 835, 858, 863, 882, 892,
)  # fmt: skip
"""Raw ids of class 39, other furniture; all that is left is class 40, other props."""
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


def published_40() -> NDArray[np.int64]:
    """The one of 40 classes, from 1, of each raw id 1..894."""
    to_40 = np.full(RAW + 1, 40)
    for number, raw in enumerate((*OWN, STRUCTURE, FURNITURE), start=1):
        to_40[np.array(raw)] = number
    return to_40[1:]


def lookup_table(path: Path | None, classes: int) -> UInt8[Array, " 895"]:
    """Class id, from 0, of each raw id 0..894; 255 for void.

    Args:
        path: A `classMapping40.mat`; None for the table that is known here.
        classes: 13 or 40.

    Raises:
        SampleError: where the file is not the published one.
    """
    to_40 = published_40() if path is None else _read(path)
    chosen = to_40 if classes == 40 else np.array(TO_13)[to_40 - 1]
    return np.concatenate([[VOID], chosen - 1]).astype(np.uint8)


def _read(path: Path) -> NDArray[np.int64]:
    to_40 = load_mat(path, "mapClass", remedy=GET_IT)["mapClass"].ravel()
    if to_40.shape != (RAW,) or not np.isin(to_40, range(1, 41)).all():
        wrong = f"found {to_40.size} values of {to_40.dtype}" if to_40.shape != (RAW,) else (
            f"found {to_40[~np.isin(to_40, range(1, 41))][0]}")  # fmt: skip
        raise SampleError(path, f"`mapClass` should be {RAW} classes of 1..40; {wrong}.", GET_IT)
    return to_40.astype(np.int64)
