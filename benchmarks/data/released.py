"""Reading as the code released with the papers does it, for comparison.

Four float32 `.npy` files a sample, every label loaded, crops magnified by
`torch.nn.functional.interpolate`. Written anew, from what that code does (the loader of NYUv2 of
MTAN, which MTPSL and XTasC-Net took over).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from mtdata.store import Split

SCALES = (1.0, 1.2, 1.5)
FILES = ("image", "semantic", "depth", "normals")


def write_files(split: Split, frames: Sequence[int], folder: Path) -> int:
    """Write the files of some frames; returns their bytes."""
    for frame in frames:
        sample = split.read(frame, FILES[1:])
        arrays = {
            "image": sample.image / 255,
            "semantic": np.where(
                sample.valid["semantic"], sample.labels["semantic"].astype(int), -1
            ),
            "depth": sample.labels["depth"][..., None],
            "normals": sample.labels["normals"],
        }
        for name, array in arrays.items():
            np.save(folder / f"{frame}-{name}.npy", array.astype(np.float32))
    return sum(path.stat().st_size for path in folder.iterdir())


def read_sample(folder: Path, frame: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
    """Load four files, crop and mirror them alike."""
    image, semantic, depth, normals = (_load(folder / f"{frame}-{name}.npy") for name in FILES)
    height, width = image.shape[-2:]
    scale = SCALES[rng.integers(3)]
    h, w = int(height / scale), int(width / scale)
    top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)

    def crop(array: Tensor, mode: str) -> Tensor:
        part = array[None, :, top : top + h, left : left + w]
        corners = True if mode == "bilinear" else None
        return interpolate(part, (height, width), mode=mode, align_corners=corners)[0]

    image, normals = crop(image, "bilinear"), crop(normals, "bilinear")
    semantic, depth = crop(semantic, "nearest")[0], crop(depth, "nearest") / scale
    if rng.random() < 0.5:
        image, depth, normals = (torch.flip(x, [2]) for x in (image, depth, normals))
        semantic = torch.flip(semantic, [1])
        normals[0] = -normals[0]
    return image, semantic, depth, normals


def _load(path: Path) -> Tensor:
    array: NDArray[np.float32] = np.load(path)
    array = array[..., None] if array.ndim == 2 else array
    return torch.from_numpy(np.moveaxis(array, -1, 0))
