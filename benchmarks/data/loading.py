"""Samples a second as the trainer gets them: reading processes against what is kept on the device.

The two take turns, an epoch each, in one run, and give the same batches. Printed are medians of the
epochs: samples a second by the clock, and seconds of processor that a sample takes in all
processes, which does not depend on what else the machine does.

    python -m benchmarks.data.loading --source data/nyu.h5 [--workers 1] [--device cpu] [--smoke]
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch

from benchmarks.machine import describe, versions
from mtdata import SOURCES, open_store
from mtdata.building.build import build
from mtdata.reading.augment import Augmentation
from mtdata.reading.cache import share_memory
from mtdata.reading.dataset import Dataset
from mtdata.reading.loader import Loader
from mtdata.reading.memory import cores
from mtdata.reading.resident import Resident

BATCH = 8
WANTED = 3.0


def spent() -> float:
    """Processor seconds of this process and of its children that are alive."""
    total = time.process_time()
    for child in multiprocessing.active_children():
        stat = Path(f"/proc/{child.pid}/stat")
        if stat.is_file():
            # Behind the name, which may have spaces: fields 14 and 15 of the whole line.
            user, system = stat.read_text().rpartition(")")[2].split()[11:13]
            total += (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return total


def kept_on(device: torch.device, data: Dataset) -> Loader:
    """What `--cache device` loads with."""
    how = {"batch": BATCH, "shuffle": True, "drop_last": True}
    if device.type == "cpu":
        cache, (data,) = share_memory(data)
        cache.fill()
        return Loader(data, **how)  # type: ignore[arg-type]
    resident = Resident(data, device)
    resident.fill()
    return Loader(data, **how, resident=resident)  # type: ignore[arg-type]


def epoch(loader: Loader, number: int, device: torch.device) -> tuple[float, float]:
    """Seconds a sample by the clock and of processor, until the batches are on the device."""
    since, before, samples = time.perf_counter(), spent(), 0
    for batch in loader.epoch(number):
        # On a processor it is there; how a network wants it laid out is no matter of loading.
        samples += len(batch if device.type == "cpu" else batch.to(device))
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - since) / samples, (spent() - before) / samples


def compare(data: Dataset, device: torch.device, *, workers: int, rounds: int) -> list[str]:
    """Lines of the table, and the ratios."""
    loaders = {
        f"--workers {workers}": Loader(
            data, BATCH, shuffle=True, drop_last=True, workers=workers,
            pin_memory=device.type == "cuda",
        ),
        f"--cache device ({device.type})": kept_on(device, data),
    }  # fmt: skip
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in loaders}
    for number in range(rounds + 1):
        for name, loader in loaders.items():
            found[name].append(epoch(loader, number, device))
    # The first epoch starts the workers, and makes room.
    medians = {
        name: [statistics.median(column) for column in zip(*times[1:], strict=True)]
        for name, times in found.items()
    }
    lines = [
        f"{name:24} {1 / clock:8.0f} samples a second; {1e3 * busy:.2f} ms of processor a sample"
        for name, (clock, busy) in medians.items()
    ]
    ours, theirs = medians.values()
    return [
        *lines,
        f"--cache device: {ours[0] / theirs[0]:.2f} times the samples a second (wanted "
        f"{WANTED:.0f}), {ours[1] / theirs[1]:.2f} times less of the processor",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, help="a store; made-up rooms without it")
    parser.add_argument("--regime", default="full")
    parser.add_argument("--workers", type=int, default=min(4, max(1, cores() // 2)))
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--smoke", action="store_true", help="a few frames, one round")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.source or Path(folder) / "rooms.h5"
        frames, rounds = (16, 1) if arguments.smoke else (arguments.frames, arguments.rounds)
        if arguments.source is None:
            size = {"size": (48, 64)} if arguments.smoke else {}
            build(SOURCES["rooms"](None, images=(frames, 1), **size), path, jobs=1)
        tasks = ("semantic", "depth", "normals")
        data = open_store(path).dataset("train", tasks, arguments.regime, transform=Augmentation())
        data = data.subset(torch.arange(len(data)).numpy() < frames)
        print(describe())
        print(versions())
        print(f"{path.name}, {len(data)} samples of {data.size[0]}x{data.size[1]}, {rounds} rounds")
        device = torch.device(arguments.device)
        for line in compare(data, device, workers=arguments.workers, rounds=rounds):
            print(line)


if __name__ == "__main__":
    main()
