"""Rendering rooms with all six labels: images a second with one and with two processes.

python -m benchmarks.data.rooms [--size 96x128] [--images 200] [--smoke]
"""

import argparse
import statistics
import time
from concurrent.futures import ProcessPoolExecutor

from benchmarks.machine import describe
from mtdata.sources.rooms.source import Rooms

TASKS = [task.name for task in Rooms.tasks()]


def render(source: Rooms, keys: list[str]) -> tuple[int, float]:
    """Render with all labels; returns how many images, and the seconds of processor time."""
    start = time.process_time()
    for key in keys:
        source.read("train", key, TASKS)
    return len(keys), time.process_time() - start


def rate(source: Rooms, processes: int) -> tuple[float, float]:
    """Images a second of `processes` that share the work, and processor seconds an image.

    Starting the processes is not counted.
    """
    keys = list(source.splits()["train"])
    shares = [keys[i::processes] for i in range(processes)]
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(render, [source] * processes, [share[:3] for share in shares]))
        start = time.perf_counter()
        done = list(pool.map(render, [source] * processes, shares))
        elapsed = time.perf_counter() - start
    return len(keys) / elapsed, sum(busy for _, busy in done) / len(keys)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", default="96x128")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--smoke", action="store_true", help="eight images, once")
    arguments = parser.parse_args()
    h, w = map(int, arguments.size.split("x"))
    images, rounds = (8, 1) if arguments.smoke else (arguments.images, 5)
    source = Rooms(images=(images, 1), size=(h, w))
    print(describe())
    print(f"{images} images of {arguments.size} with all labels, {rounds} rounds")
    for processes in (1, 2):
        rates, busy = zip(*(rate(source, processes) for _ in range(rounds)), strict=True)
        print(
            f"{processes} processes: {statistics.median(rates):.0f} images/s (median), "
            f"{max(rates):.0f} (best); {1000 * min(busy):.1f} ms of processor an image (best)"
        )


if __name__ == "__main__":
    main()
