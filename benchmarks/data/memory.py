"""Peak memory of a build in the number of images: 1,449 and 20,000 small made-up ones.

Of the process that builds and of each worker: the most that Linux ever counted as resident (VmHWM).

python -m benchmarks.data.memory [--images 1449,20000] [--jobs 2] [--smoke]
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from benchmarks.machine import describe
from mtdata.sources.base import Source
from mtdata.tasks.kinds import Classes, Depth, Normals
from mtdata.tasks.role import Role
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task

SIDE = 32
NAMES = tuple(f"class {i}" for i in range(13))


class Noise(Source):
    """Images of 32x32 with three labels, made from the number of the image."""

    name: ClassVar[str] = "noise"
    summary: ClassVar[str] = "Noise."
    download: ClassVar[str] = "Nothing to download."
    licence: ClassVar[str] = "none"
    default_size: ClassVar[tuple[int, int] | None] = (SIDE, SIDE)
    needs_root: ClassVar[bool] = False
    takes: ClassVar[tuple[str, ...]] = ("images",)

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """Classes, depth and normals, as NYUv2 has them."""
        palette = tuple((i, i, i) for i in range(len(NAMES)))
        depth = Depth(dtype="uint16", scale=0.001)
        return (
            Task("semantic", Classes(NAMES, palette)),
            Task("depth", depth),
            Task("normals", Normals()),
        )

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """Everything is for training."""
        return {"train": tuple(f"{i:06d}" for i in range(self.options["images"]))}

    def roles(self) -> Mapping[str, Role]:
        """Everything is for training."""
        return {"train": "train"}

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Draw an image and its labels."""
        rng = np.random.default_rng(int(key))
        image = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
        normals = rng.normal(size=(SIDE, SIDE, 3)).astype(np.float32)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        labels = {
            "semantic": rng.integers(0, len(NAMES), (SIDE, SIDE), np.uint8),
            "depth": rng.uniform(1, 9, (SIDE, SIDE)).astype(np.float32),
            "normals": normals,
        }
        valid = {name: np.ones((SIDE, SIDE), np.bool_) for name in labels}
        return Sample(key, image, labels, valid)

    def fingerprint(self, split: str, key: str) -> bytes:
        """Of the number."""
        return sha256(key.encode()).digest()


def work(images: int, jobs: int, folder: str) -> None:
    """Build a store of so many images, with a regime."""
    from mtdata.building.build import RegimeSpec, build

    source = Noise(None, images=images)
    build(source, Path(folder) / "noise.h5", jobs=jobs, regimes=[RegimeSpec("one")])


def peaks(images: int, jobs: int) -> tuple[float, float]:
    """Peak MiB of the process that builds, and of the largest of its workers."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(target=work, args=(images, jobs, folder))
        process.start()
        assert process.pid is not None
        main, workers = 0.0, 0.0
        while process.is_alive():
            main = max(main, resident(process.pid))
            workers = max(workers, *map(resident, children(process.pid)), 0.0)
            time.sleep(0.05)
        process.join()
        assert process.exitcode == 0
    return main, workers


def resident(pid: int) -> float:
    """The most that was ever resident of a process, in MiB; 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = [int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM:")]
    return found[0] / 1024 if found else 0.0


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    try:
        return [int(pid) for pid in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", default="1449,20000")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="20 and 60 images, one job")
    arguments = parser.parse_args()
    counts = [20, 60] if arguments.smoke else [int(n) for n in arguments.images.split(",")]
    jobs = 1 if arguments.smoke else arguments.jobs
    print(describe())
    found = []
    for count in counts:
        main, workers = peaks(count, jobs)
        found.append(main)
        print(f"{count} images, {jobs} jobs: {main:.0f} MiB, a worker {workers:.0f} MiB")
    grown = (found[-1] - found[0]) * 2**20 / (counts[-1] - counts[0])
    print(f"peak memory grows by {grown:.0f} bytes an image from {counts[0]} to {counts[-1]}")


if __name__ == "__main__":
    main()
