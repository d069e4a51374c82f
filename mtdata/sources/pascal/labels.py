"""The labels of one image of `PASCAL_MT`, decoded and checked."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.imagefile import check_size, read_indices, read_label
from mtdata.sources.pascal.classes import SHARED_WITH_NYU
from mtdata.sources.thinning import thin
from mtdata.tasks.facts import PASCAL21
from mtdata.tasks.kinds import Normals
from mtdata.tasks.sample import Decoded

OFF_UNIT = 0.1
ZERO = 0.02
"""A vector shorter than this is the grey of no vector: 127 or 128 in every channel."""


def read_semantic(path: Path) -> Decoded:
    """Ids of `PASCAL21`; raises SampleError for one that does not exist."""
    stored = read_indices(path, turn=False)
    label, valid = PASCAL21.decode(stored)
    highest = stored[valid].max(initial=0)
    if highest >= PASCAL21.channels:
        raise SampleError(
            path,
            f"class ids should be 0..{PASCAL21.channels - 1}, or 255 for void; found {highest}.",
            "Take the labels of the 21 classes of PASCAL VOC.",
        )
    return label, valid


def read_saliency(path: Path) -> Decoded:
    """1 where the grey of the file is above one half; void nowhere."""
    label = (read_label(path, "uint8", turn=False) > 127).astype(np.uint8)
    return label, np.ones(label.shape, bool)


def read_normals(path: Path, label_map: NDArray[Any]) -> Decoded:
    """Unit vectors 2 v / 255 - 1, valid where the class of the pixel is one that has normals.

    Grey and black mean no vector.

    Raises:
        SampleError: where the file is broken or its vectors are not unit on the whole.
    """
    stored = read_label(path, "uint8", channels=3, turn=False)
    check_size(stored, path, label_map.shape)
    vector = stored.astype(np.float32) * np.float32(2 / 255) - 1
    x, y, z = (vector[..., channel] for channel in range(3))
    length = np.sqrt(x * x + y * y + z * z)
    valid = _has_normals(label_map) & stored.any(-1) & (length > ZERO)
    # Between two directions a smoothed vector is short, which is no error; most are unit.
    off = valid & (np.abs(length - 1) > OFF_UNIT)
    if 2 * np.count_nonzero(off) > np.count_nonzero(valid):
        raise SampleError(
            path,
            f"normals should have unit length to {OFF_UNIT}; more than half of them have not, "
            f"found {length[off].min():.2f}..{length[off].max():.2f}.",
            "Each channel should hold (n + 1) / 2 in 8 bits.",
        )
    vector[~valid] = 0
    return Normals().settle(vector), valid


def _has_normals(label_map: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the class is one that has normals."""
    table = np.zeros(max(SHARED_WITH_NYU) + 1, bool)
    table[list(SHARED_WITH_NYU)] = True
    # Class 0 is none of them, so it stands for all that come after the last.
    return table[np.where(label_map < len(table), label_map, 0)]


def edge_target(label_map: NDArray[Any]) -> Decoded:
    """What edges are learnt from: where the Laplacian of the class map is not zero, thinned."""
    import cv2

    laplacian = cv2.Laplacian(label_map.astype(np.float64), cv2.CV_64F)
    return thin(laplacian != 0).astype(np.uint8), np.ones(label_map.shape, bool)


def edge_boundaries(label_map: NDArray[Any]) -> Decoded:
    """What edges are scored against: where the class changes to the right or below, thinned.

    Reference: Martin et al. 2001, `seg2bmap` of the Berkeley segmentation benchmark.
    """
    change = np.zeros(label_map.shape, bool)
    change[:, :-1] |= label_map[:, :-1] != label_map[:, 1:]
    change[:-1] |= label_map[:-1] != label_map[1:]
    change[:-1, :-1] |= label_map[:-1, :-1] != label_map[1:, 1:]
    return thin(change).astype(np.uint8), np.ones(label_map.shape, bool)
