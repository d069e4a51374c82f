"""Reading, scale-crop and flip of samples with three labels, against the released way.

Every contender has a process and a thread of its own and reads the same frames, in turn, in one
run: A B A B ... The figures are ratios of medians. The files are in the page cache.

    python -m benchmarks.data.read --source data/nyu.h5 [--frames 120] [--rounds 9] [--smoke]
"""

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.data.counting import bytes_of_an_epoch
from benchmarks.data.released import read_sample, write_files
from benchmarks.machine import describe, versions
from mtdata import SOURCES, open_store
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.reading.augment import Augmentation
from mtdata.reading.cache import share_memory
from mtdata.reading.dataset import Dataset
from mtdata.reading.loader import Loader

TASKS = ("semantic", "depth", "normals")
RELEASED = "four .npy files a sample"
WANTED = {
    "store, all labels": 1.5,
    "--cache memory, all labels": 3.0,
    "store, `one`": 3.0,
    "--cache memory, `one`": 5.0,
}
Round = Callable[[int], None]


def released_way(folder: Path, frames: int) -> Round:
    """A round of reading files."""

    def round_(number: int) -> None:
        rng = np.random.default_rng(number)
        for frame in range(frames):
            read_sample(folder, frame, rng)

    return round_


def dataset(path: Path, frames: int, regime: str, *, cached: bool) -> Dataset:
    """The first frames of the training split."""
    data = open_store(path).dataset("train", TASKS, regime, transform=Augmentation())
    data = data.subset(np.arange(len(data)) < frames)
    if cached:
        cache, (data,) = share_memory(data)
        cache.fill()
    return data


def our_way(path: Path, frames: int, regime: str, *, cached: bool) -> Round:
    """A round of reading a store."""
    data = dataset(path, frames, regime, cached=cached)

    def round_(number: int) -> None:
        for frame in range(frames):
            data.read(frame, number)

    return round_


def by_workers(path: Path, frames: int, workers: int) -> Round:
    """A round of reading ahead in several processes, which stay."""
    loader = Loader(dataset(path, frames, "full", cached=False), 4, workers=workers)

    def round_(number: int) -> None:
        for _ in loader.epoch(number):
            pass

    return round_


def serve(make: Callable[[], Round], pipe: Connection) -> None:
    """Run in a process of its own: time a round whenever a number comes, until None does."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    round_ = make()
    pipe.send(0.0)
    for number in iter(pipe.recv, None):
        start = time.perf_counter()
        round_(number)
        pipe.send(time.perf_counter() - start)


def race(contenders: Mapping[str, Callable[[], Round]], rounds: int) -> dict[str, float]:
    """Let them take turns; returns the median seconds of a round of each."""
    context = multiprocessing.get_context("fork")
    pipes: dict[str, Connection] = {}
    processes = []
    for name, make in contenders.items():
        pipes[name], far = context.Pipe()
        processes.append(context.Process(target=serve, args=(make, far)))
        processes[-1].start()
        pipes[name].recv()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, pipe in pipes.items():
            pipe.send(number)
            times[name].append(pipe.recv())
    for pipe, process in zip(pipes.values(), processes, strict=True):
        pipe.send(None)
        process.join()
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def compare(path: Path, folder: Path, frames: int, rounds: int) -> Iterator[str]:
    """Lines of the table."""
    contenders: dict[str, Callable[[], Round]] = {RELEASED: partial(released_way, folder, frames)}
    for name in WANTED:
        regime = "one" if "one" in name else "full"
        cached = name.startswith("--cache")
        contenders[name] = partial(our_way, path, frames, regime, cached=cached)
    medians = race(contenders, rounds)
    slow = medians[RELEASED]
    for name, seconds in medians.items():
        wanted = f"  (wanted {WANTED[name]:.1f})" if name in WANTED else ""
        ratio = f"{slow / seconds:5.2f} times as fast{wanted}"
        yield f"{name:28} {1e3 * seconds / frames:6.2f} ms a sample  {ratio}"
    loaders = {f"{n} workers": partial(by_workers, path, frames, n) for n in (1, 2)}
    one, two = race(loaders, rounds).values()
    yield f"two workers: {one / two:.2f} times the samples of one (wanted 1.7)"


def rooms(folder: Path) -> Path:
    """A small store, where no other is given."""
    path = folder / "rooms.h5"
    build(SOURCES["rooms"](None, images=(8, 1)), path, regimes=[RegimeSpec("one")], jobs=1)
    return path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, help="a store; made-up rooms without it")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--smoke", action="store_true", help="a few frames, one round")
    arguments = parser.parse_args()
    frames, rounds = (8, 1) if arguments.smoke else (arguments.frames, arguments.rounds)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.source or rooms(Path(folder))
        files = Path(folder) / "npy"
        files.mkdir()
        with open_store(path) as store:
            written = write_files(store.splits["train"], range(frames), files)
        print(describe())
        print(versions())
        print(f"{path.name}, {frames} frames, {rounds} rounds; as .npy {written / 1e6:.0f} MB")
        for line in compare(path, files, frames, rounds):
            print(line)
        read, shown = bytes_of_an_epoch(path, "one", TASKS)
        print(f"an epoch under `one` read {read:,} bytes; its images and labels have {shown:,}")


if __name__ == "__main__":
    main()
