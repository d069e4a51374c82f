"""Size of the store of NYUv2 frames against float32 `.npy` files, and what it keeps of labels.

Every label of the store is read again and compared with what the source gives: depth and classes
must be equal, the angle between normals at the worst pixel is printed. Files of `numpy.save` are
counted, not written. Exit code 1 where depth or classes differ.

python -m benchmarks.data.size --source ../shared/data/nyuv2 [--jobs 2] [--limit 100] [--smoke]
"""

import argparse
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import describe
from mtdata.building.build import build
from mtdata.sources import SOURCES
from mtdata.sources.base import Source
from mtdata.store import open_store
from mtdata.tasks.kinds import Normals

SIZE = (288, 384)


@dataclass(frozen=True)
class Compared:
    """One frame: bytes as `.npy`, pixels that differ in depth and classes, degrees at the worst."""

    bytes: int
    differing: int
    degrees: float


@cache
def source_of(root: Path) -> Source:
    """The source, once a process."""
    return SOURCES["nyu"](root)


def compare(job: tuple[Path, Path, str, int]) -> Compared:
    """Compare a frame of a store with its source."""
    root, path, split_name, index = job
    with open_store(path) as store:
        split, tasks = store.split(split_name), [task.name for task in store.tasks]
        found = split.read(index, tasks)
    wanted = source_of(root).read(split_name, found.key, tasks)
    total, differing, degrees = npy_bytes(wanted.image), 0, 0.0
    for name, label in wanted.labels.items():
        total += npy_bytes(label)
        valid = wanted.valid[name]
        differing += int(np.count_nonzero(valid != found.valid[name]))
        if name == "normals":
            angles = Normals().distance(found.labels[name], label)
            degrees = float(angles[valid].max(initial=0))
        else:
            differing += int(np.count_nonzero((found.labels[name] != label)[valid]))
    return Compared(total, differing, degrees)


def npy_bytes(array: NDArray[Any]) -> int:
    """Length of an array as a `.npy` file of float32."""
    file = BytesIO()
    np.save(file, array.astype(np.float32))
    return file.tell()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int, help="only so many frames of each split")
    parser.add_argument("--smoke", action="store_true", help="only 2 frames of each split")
    arguments = parser.parse_args()
    root, limit = arguments.source, 2 if arguments.smoke else arguments.limit
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "nyu.h5"
        summary = build(source_of(root), out, size=SIZE, limit=limit, jobs=arguments.jobs)
        jobs = [
            (root, out, name, index)
            for name, split in summary.splits.items()
            for index in range(split.images)
        ]
        with ProcessPoolExecutor(arguments.jobs, get_context("spawn")) as pool:
            found = list(pool.map(compare, jobs, chunksize=8))
    plain, differing = sum(frame.bytes for frame in found), sum(f.differing for f in found)
    print(describe())
    print(
        f"{len(found)} frames at {SIZE[0]}x{SIZE[1]}: store {summary.bytes / 1e6:.1f} MB, "
        f"float32 .npy {plain / 1e6:.1f} MB, ratio {summary.bytes / plain:.3f}"
    )
    print(f"pixels of depth and classes that differ, and of validity: {differing}")
    print(f"normals at the worst pixel: {max(frame.degrees for frame in found):.5f} degrees off")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
