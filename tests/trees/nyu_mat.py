"""Made-up frames in the layout of `nyu_depth_v2_labeled.mat`: axes as MATLAB 7.3 leaves them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from mtdata.sources.nyu.classes import FILE as MAPPING
from mtdata.sources.nyu.frame import FRAME, VALID_BOX
from mtdata.sources.nyu.matfile import FILE

TRAIN, TEST = (1, 3), (2,)
FRAMES = 3
MAP_CLASS = np.arange(894) * 7 % 40 + 1
"""A made-up class, from 1, of each raw id."""


def image_of(index: int) -> NDArray[np.uint8]:
    """[480, 640, 3]: red grows to the right, green downwards, blue is the index."""
    rows, columns = np.mgrid[: FRAME[0], : FRAME[1]]
    blue = np.full(FRAME, index)
    return np.stack([columns * 255 // 639, rows * 255 // 479, blue], -1).astype(np.uint8)


def labels_of(index: int) -> NDArray[np.uint16]:
    """[480, 640]: raw ids in blocks of 20 pixels, some of them 0."""
    rows, columns = np.mgrid[: FRAME[0], : FRAME[1]] // 20
    return np.asarray((rows * 37 + columns * 11 + index) % 895, np.uint16)


def depth_of(index: int) -> NDArray[np.float32]:
    """[480, 640]: a wall that faces the camera."""
    return np.full(FRAME, 2 + index / 10, np.float32)


def raw_of(index: int) -> NDArray[np.float32]:
    """[480, 640]: nothing measured outside of the valid box, nor in a hole of it."""
    raw = np.zeros_like(depth_of(index))
    top, left, height, width = VALID_BOX
    inside = np.s_[top : top + height, left : left + width]
    raw[inside] = depth_of(index)[inside]
    raw[200:220, 300:340] = 0
    return raw


def arrays(frames: int = FRAMES) -> dict[str, NDArray[Any]]:
    """What the file holds, in the order of axes that h5py shows."""
    made: dict[str, Callable[[int], NDArray[Any]]] = {
        "images": image_of,
        "depths": depth_of,
        "rawDepths": raw_of,
        "labels": labels_of,
    }
    return {
        name: np.stack([np.ascontiguousarray(make(i).T) for i in range(1, frames + 1)])
        for name, make in made.items()
    }


def write_mat(root: Path, changed: Mapping[str, NDArray[Any] | None] | None = None) -> Path:
    """Write file, splits and a made-up mapping; returns the folder.

    Args:
        root: The folder.
        changed: Arrays to write instead; None to leave one out.
    """
    root.mkdir(parents=True, exist_ok=True)
    with h5py.File(root / FILE, "w", userblock_size=512) as file:
        for name, array in (arrays() | dict(changed or {})).items():
            if array is not None:
                chunks = (1, *array.shape[1:])
                file.create_dataset(name, data=array, chunks=chunks, compression="gzip")
    write_splits(root, TRAIN, TEST)
    savemat(root / MAPPING, {"mapClass": MAP_CLASS.astype(np.uint8)[None]})
    return root


def write_splits(root: Path, train: tuple[int, ...], test: tuple[int, ...]) -> None:
    """Write `splits.mat` with indices from 1."""
    columns = {"trainNdxs": train, "testNdxs": test}
    savemat(root / "splits.mat", {k: np.array(v, np.uint16)[:, None] for k, v in columns.items()})
