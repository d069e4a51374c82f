"""Building the store of NYUv2 frames with one and two jobs, against the bare work.

That is the loop of benchmarks/data/bare.py; two of them side by side show what the machine allows.
All with one thread a process; without starting Python, but with starting the workers of a build.

python -m benchmarks.data.build --source ~/data/nyuv2 [--size 240x320] [--limit 100] [--smoke]
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.machine import describe

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLOSC_NTHREADS", "OPENCV_FOR_THREADS_NUM")


def frames(source: Path, limit: int | None) -> list[str]:
    """Keys of the frames that a build with this limit takes."""
    from mtdata.sources import SOURCES

    return [key for keys in SOURCES["nyu"](source).splits().values() for key in keys[:limit]]


def bare_alone(
    source: Path, keys: list[str], size: tuple[int, int], processes: int
) -> list[dict[str, float]]:
    """The bare work in fresh processes that share it."""
    from benchmarks.data.bare import bare

    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(bare, *zip(*[(source, keys[:2], size)] * processes, strict=True)))
        shares = [keys[i::processes] for i in range(processes)]
        return list(pool.map(bare, [source] * processes, shares, [size] * processes))


def build(source: Path, size: str, limit: int | None, jobs: int) -> dict[str, Any]:
    """What `mtdata build --json` says."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "from cli.mtdata import main; main()", "build", "--json"]
        command += ["--dataset", "nyu", "--source", str(source), "--size", size]
        command += ["--out", f"{folder}/nyu.h5", "--jobs", str(jobs)]
        command += [] if limit is None else ["--limit", str(limit)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def compare(a: list[float], b: list[float]) -> str:
    """Ratio of times that were measured in turns."""
    median = statistics.median(x / y for x, y in zip(a, b, strict=True))
    return f"{median:.2f} (median of rounds; of the best times {min(a) / min(b):.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--size", default="288x384")
    parser.add_argument("--limit", type=int, help="only so many frames of each split")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="two frames of each split, once")
    arguments = parser.parse_args()
    limit, rounds = (2, 1) if arguments.smoke else (arguments.limit, arguments.rounds)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    height, width = map(int, arguments.size.split("x"))
    keys = frames(arguments.source, limit)
    print(describe())
    print(f"{len(keys)} frames at {arguments.size}, {rounds} rounds")
    loops, pairs, ones, twos = [], [], [], []
    for _ in range(rounds):
        (stages,) = bare_alone(arguments.source, keys, (height, width), 1)
        halves = bare_alone(arguments.source, keys, (height, width), 2)
        one, two = (
            build(arguments.source, arguments.size, limit, jobs)["seconds"] for jobs in (1, 2)
        )
        loops.append(sum(stages.values()))
        pairs.append(max(sum(half.values()) for half in halves))
        ones.append(one)
        twos.append(two)
        parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in stages.items())
        print(f"bare {loops[-1]:.2f} s ({parts}), in two processes {pairs[-1]:.2f} s; ", end="")
        print(f"one job {one:.2f} s, two jobs {two:.2f} s")
    print(f"one job takes {compare(ones, loops)} times the bare work")
    print(f"two jobs are {compare(ones, twos)} times as fast as one")
    print(f"two bare loops are {compare(loops, pairs)} times as fast as one")


if __name__ == "__main__":
    main()
