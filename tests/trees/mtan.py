"""Made-up arrays in the layout of the `.npy` trees that MTAN distributes."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = (32, 48)
TRAIN, VAL = 11, 2


def write_cityscapes_mtan(root: Path) -> Path:
    """Write `{train,val}/{image,label_7,label_19,depth}/N.npy`; returns the folder."""
    rng = np.random.default_rng(0)
    for folder, count in (("train", TRAIN), ("val", VAL)):
        for name in ("image", "label_7", "label_19", "depth"):
            (root / folder / name).mkdir(parents=True)
        for index in range(count):
            arrays: dict[str, NDArray[Any]] = {
                "image": rng.integers(0, 256, (*SIZE, 3)) / 255,
                "label_7": rng.integers(-1, 7, SIZE),
                "label_19": rng.integers(-1, 19, SIZE),
                "depth": (rng.integers(0, 32258, (*SIZE, 1)) / 65535).astype(np.float32),
            }
            for name, array in arrays.items():
                np.save(root / folder / name / f"{index}.npy", array)
    return root


def write_nyu_mtan(root: Path) -> Path:
    """Write `{train,val}/{image,label,depth,normal}/N.npy`; returns the folder."""
    for folder, count in (("train", TRAIN), ("val", VAL)):
        for name in ("image", "label", "depth", "normal"):
            (root / folder / name).mkdir(parents=True)
        rng = np.random.default_rng(count)
        for index in range(count):
            label = rng.integers(-1, 13, SIZE).astype(np.float32)
            label[0, 0] = -1
            depth = rng.uniform(0.7, 9.9, (*SIZE, 1)).astype(np.float32)
            depth[0, 1] = 0
            normal = rng.normal(size=(*SIZE, 3)).astype(np.float32)
            normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
            normal[0, 2] = 0
            image = rng.integers(0, 256, (*SIZE, 3)) / 255
            arrays: dict[str, NDArray[Any]] = {
                "image": image,
                "label": label,
                "depth": depth,
                "normal": normal,
            }
            for name, array in arrays.items():
                np.save(root / folder / name / f"{index}.npy", array)
    return root
