"""How long a comparison of ten runs with intervals takes, on made-up counts of 654 images.

python -m benchmarks.metrics.intervals [--smoke]
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import describe
from mtmodels.metrics import METRICS
from mtmodels.scoring.compare import Request, compare
from mtmodels.scoring.samples import Samples

KINDS = {"semantic": "classes", "depth": "depth", "normals": "normals"}


def made_up(folder: Path, number: int, images: int) -> dict[str, Any]:
    """A run of three tasks, of which each image added what may be."""
    rng = np.random.default_rng(number)
    matrix = rng.integers(0, 900, (images, 13, 13))
    matrix[:, range(13), range(13)] += 4000
    states: dict[str, dict[str, Any]] = {
        "semantic": {"matrix": matrix},
        "depth": {"sums": rng.uniform(1e4, 2e4, (images, 4))},
        "normals": {
            "sums": rng.uniform(1e6, 2e6, (images, 2)),
            "within": rng.integers(0, 9000, (images, 3)),
            "quarters": rng.multinomial(12000, np.full(720, 1 / 720), images),
        },
    }
    keys = tuple(f"{i:04d}" for i in range(images))
    path = folder / f"{number}.npz"
    path.write_bytes(Samples("mtpsl", keys, KINDS, states).to_bytes())
    scores = {}
    for task, of_task in states.items():
        sums = {name: torch.tensor(array.sum(0, dtype=float)) for name, array in of_task.items()}
        found = METRICS["mtpsl"].find(KINDS[task], task).scores(sums)
        scores[task] = {name: value.tolist() for name, value in found.items()}
    return {
        "name": f"run-{number}", "method": "a" if number < 5 else "b", "seed": number % 5,
        "protocol": "mtpsl", "dataset": "nyu", "images": images, "size": [288, 384],
        "samples": [str(path)], "scores": scores,
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="few images and draws")
    smoke = parser.parse_args().smoke
    images, resamples = (20, 50) if smoke else (654, 2000)
    torch.set_num_threads(1)
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        runs = [made_up(Path(folder), number, images) for number in range(10)]
        size = max(file.stat().st_size for file in Path(folder).iterdir())
        print(f"{size / 1e6:.3f} MB for each run of {images} images")
        asked: list[tuple[str, list[dict[str, Any]], Request]] = [
            ("ten runs, five pairs of seeds", runs, Request(runs[:5], resamples=resamples)),
            ("a test of two", [runs[0], runs[5]], Request(paired=True, resamples=resamples)),
        ]
        for what, some, request in asked:
            wall, own = time.perf_counter(), time.process_time()
            compare(some, request)
            wall, own = time.perf_counter() - wall, time.process_time() - own
            print(f"{what}: {own:.2f} s of processor time, {wall:.2f} s in all")


if __name__ == "__main__":
    main()
