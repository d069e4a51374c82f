"""The work on NYUv2 frames that no builder can avoid, as a plain loop in one process.

Decode the files, compute normals from depth, resize, compress what a store holds. It reads no file
twice, checks nothing, computes no digest and writes nothing.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.sources.nyu.frame import camera_of
from mtdata.store.codec import filters
from mtdata.tasks.kinds import Normals
from mtdata.tasks.normals_from_depth import normals_from_depth

STAGES = ("decoding", "normals", "resizing", "compressing")
Arrays = dict[str, NDArray[Any]]


def bare(source: Path, keys: list[str], size: tuple[int, int]) -> dict[str, float]:
    """Seconds that each stage takes for all these frames, on one core."""
    cv2.setNumThreads(1)
    compress = Compressor()
    spent = dict.fromkeys(STAGES, 0.0)
    for key in keys:
        at = time.perf_counter()
        for stage in _frame(source, key, size, compress):
            now = time.perf_counter()
            spent[stage] += now - at
            at = now
    return spent


class Compressor:
    """Compresses as a store does: by HDF5's filters, in a file that lies in memory."""

    def __init__(self) -> None:
        # Without a cache of chunks, what is assigned is compressed at once.
        self.file = h5py.File("bare", "w", driver="core", backing_store=False, rdcc_nbytes=0)

    def __call__(self, name: str, array: NDArray[Any]) -> None:
        """Compress an array; it takes the place of the last one of that name."""
        if name not in self.file:
            options = filters("blosc", array.dtype, image=name == "image")
            shape = (1, *array.shape)
            self.file.create_dataset(name, shape, array.dtype, chunks=shape, **options)
        self.file[name][0] = array


def _frame(source: Path, key: str, size: tuple[int, int], compress: Compressor) -> Iterator[str]:
    """Do the stages of one frame, and tell which one is done."""
    image = cv2.cvtColor(_read(source / f"rgb/{key}.jpg", cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    depth = _read(source / f"depth/{key}.png", cv2.IMREAD_UNCHANGED)
    arrays = {"image": image, "depth": depth}
    arrays["semantic"] = _read(source / f"semantic13/{key}.png", cv2.IMREAD_UNCHANGED)
    yield "decoding"
    normals, seen = normals_from_depth(
        depth * np.float32(0.001), depth > 0, camera_of(*depth.shape[:2])
    )
    yield "normals"
    if depth.shape != size:
        arrays = {name: _resize(name, array, size) for name, array in arrays.items()}
        normals = np.asarray(cv2.resize(normals, size[::-1]))
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
        seen = _resize("seen", seen.view(np.uint8), size) > 0
    yield "resizing"
    arrays["normals"] = Normals().encode(normals, seen)
    for name, array in arrays.items():
        compress(name, array)
    yield "compressing"


def _resize(name: str, array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    rule = cv2.INTER_AREA if name == "image" else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(array, size[::-1], interpolation=rule))


def _read(path: Path, how: int) -> NDArray[Any]:
    found = cv2.imread(str(path), how)
    assert found is not None, path
    return np.asarray(found)
