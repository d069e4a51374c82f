"""A training step of XTasC-Net: `--precision auto`, in the layout that goes with it, against fp32.

Both do the same work (forward, all four losses, backward, Adam) on the same batch, in turn, in one
run: A B A B ... The figure is the ratio of the medians.

    python -m benchmarks.training.step [--smoke]
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.machine import describe, versions
from mtdata import SOURCES
from mtdata.reading.batch import Batch, collate
from mtdata.reading.memory import STEPS, keep_freed
from mtmodels.fabric import Fabric
from mtmodels.methods import METHODS
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from mtmodels.training.loop.precision import FabricPrecision, resolve
from mtmodels.weightings import WEIGHTINGS

TASKS = ("semantic", "depth")


def make_batch(size: int, image_size: tuple[int, int]) -> Batch:
    """A batch of rooms with both labels."""
    source = SOURCES["rooms"](None, images=(size, 1), size=image_size)
    keys = source.splits()["train"]
    return collate([source.read("train", key, TASKS) for key in keys])


def make_step(
    batch: Batch,
    name: str,
    precision: FabricPrecision,
    *,
    channels_last: bool,
    method: str = "xtc",
    width: float = 1.0,
    **options: Any,
) -> Callable[[], None]:
    """Build networks and optimiser; returns a function that trains one step."""
    keep_freed(STEPS)  # as the trainer does
    torch.manual_seed(0)
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    tasks = [task for task in SOURCES["rooms"].tasks() if task.name in TASKS]
    made: nn.Module = METHODS[method](NETWORKS[name](tasks, width=width, **options))
    layout = torch.channels_last if channels_last else torch.contiguous_format
    made = made.to(memory_format=layout)
    weighting = WEIGHTINGS["uncertainty"](TASKS)
    adam = torch.optim.Adam([*made.parameters(), *weighting.parameters()], lr=1e-4, fused=True)
    optimizer: Any = fabric.setup_optimizers(adam)
    views = Views(batch.to("cpu", channels_last=channels_last))
    rng = torch.Generator().manual_seed(0)

    def step() -> None:
        with fabric.autocast():
            terms = made(views, progress=0.0, rng=rng)
        weighting.backward(terms, [], fabric.backward)
        optimizer.step()
        optimizer.zero_grad()

    return step


def seconds(step: Callable[[], None]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a small network, two steps")
    parser.add_argument("--steps", type=int, default=7)
    arguments = parser.parse_args()
    name = "xtasc-resnet18" if arguments.smoke else "xtasc-resnet34"
    batch = make_batch(2 if arguments.smoke else 8, (96, 128))
    auto, reason = resolve("auto")
    steps = {
        f"auto ({auto})": make_step(batch, name, auto, channels_last=auto != "32-true"),
        "fp32, contiguous": make_step(batch, name, "32-true", channels_last=False),
    }
    times: dict[str, list[float]] = {label: [] for label in steps}
    for round_ in range(1 if arguments.smoke else arguments.steps + 1):
        for label, step in steps.items():
            elapsed = seconds(step)
            if round_ or arguments.smoke:  # the first round warms up
                times[label].append(elapsed)
    print(describe())
    print(versions())
    print(f"{name}, batch {len(batch)}, 96x128; auto is {auto}: {reason}")
    medians = {label: statistics.median(values) for label, values in times.items()}
    for label, median in medians.items():
        print(f"{median:8.3f} s a step (median of {len(times[label])})   {label}")
    first, second = medians.values()
    print(f"ratio {second / first:.2f}")


if __name__ == "__main__":
    main()
