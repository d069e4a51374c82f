"""What the checks of rows cost: a sample is read with them and without, in turn, in one process.

A block is read once in each of the two ways, one right after the other and in changing order; its
figure is by how much the processor time with the checks is above that without. Blocks are a few
samples of a process that has read them before, or its first epoch: then the file is closed before,
opened again within the time, and each sample is read once. Printed are the median of all blocks and
95 % of the medians of resampled blocks.

    python -m benchmarks.data.checking [--source data/nyu.h5] [--frames 120] [--rounds 40] [--smoke]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.machine import describe, versions
from mtdata import SOURCES, open_store
from mtdata.building.build import build
from mtdata.reading.augment import Augmentation
from mtdata.reading.dataset import Dataset
from mtdata.store.handle import Rows
from mtdata.store.split import Split

BLOCK = 8
RESAMPLED = 2_000
Read = Callable[[range], object]


def _no(*_: object) -> bool:
    """In the place of a check."""
    return False


@contextmanager
def unchecked() -> Iterator[None]:
    """No row is doubted, so that none is compared with its digest, and no chunk measured."""
    # Plain functions: to call a mock takes longer than what it stands for.
    with (
        mock.patch.object(Rows, "doubtful", _no),
        mock.patch.object(Rows, "check", _no),
    ):
        yield


def seconds(read: Read, block: range) -> float:
    """Processor time of reading some samples."""
    since = time.process_time()
    read(block)
    return time.process_time() - since


def pairs(read: Read, frames: int, rounds: int, size: int) -> NDArray[np.float64]:
    """Seconds a sample with the checks and without, [blocks, 2], of so many samples a block."""
    blocks = [range(start, min(start + size, frames)) for start in range(0, frames, size)]
    found = []
    for number in range(-1, rounds):  # one more for the caches, which is not counted
        for block in blocks:
            times: dict[bool, float] = {}
            for checked in (True, False) if number % 2 else (False, True):
                if checked:
                    times[checked] = seconds(read, block)
                else:
                    with unchecked():
                        times[checked] = seconds(read, block)
            if number >= 0:
                found.append([times[True] / len(block), times[False] / len(block)])
    return np.array(found)


def interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Median of some values, and between what 95 % of the medians of resampled ones lie."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(values), size=(RESAMPLED, len(values)))
    low, high = np.quantile(np.median(values[drawn], axis=1), [0.025, 0.975])
    return float(np.median(values)), float(low), float(high)


def ways(data: Dataset) -> dict[str, tuple[Read, int]]:
    """The ways of reading that are measured, and the samples of a block."""
    names = [task.name for task in data.tasks]
    augmented = replace(data, transform=Augmentation())
    split = data.split
    assert isinstance(split, Split)

    def raw(block: range) -> None:
        for index in block:
            split.fetch(index, names)

    def training(block: range) -> None:
        for index in block:
            augmented.read(index)

    def anew(read: Read) -> Read:
        def opened(block: range) -> None:
            split.handle.close()
            read(block)

        return opened

    return {
        "raw, first epoch": (anew(raw), len(data)),
        "raw, later": (raw, BLOCK),
        "augmented, first epoch": (anew(training), len(data)),
        "augmented, later": (training, BLOCK),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, help="a store; made-up rooms without it")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--smoke", action="store_true", help="a few frames, two rounds")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.source or Path(folder) / "rooms.h5"
        if arguments.source is None:
            images = (8, 1) if arguments.smoke else (arguments.frames, 1)
            build(SOURCES["rooms"](None, images=images), path, jobs=1)
        data = open_store(path).dataset("train", regime="full")
        frames = min(len(data), 8 if arguments.smoke else arguments.frames)
        rounds = 2 if arguments.smoke else arguments.rounds
        print(describe())
        print(versions())
        print(f"{path.name}, {frames} samples, {rounds} rounds")
        for name, (read, size) in ways(data).items():
            found = pairs(read, frames, rounds, size)
            added, low, high = interval(100 * (found[:, 0] / found[:, 1] - 1))
            once = 1e3 * np.median(found[:, 1])
            print(
                f"{name:22} {once:.3f} ms a sample without; the checks add {added:.2f} % "
                f"(95 %: {low:.2f} to {high:.2f})"
            )


if __name__ == "__main__":
    main()
