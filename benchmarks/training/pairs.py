"""A training step of MTPSL: all pairs in one pass against image by image and pair by pair.

The loop does the same work as the released training script: each prediction and each label of each
pair goes through the mapping network alone, in fp32 with contiguous tensors. Both trains SegNet on
three tasks under the regime `one`, batch 2 with two views, at 128x256; in turn, in one run.
Then the growth with the number of tasks, and the memory against `sl` with the same two views.

    python -m benchmarks.training.pairs [--smoke] [--part step|growth|memory] [--plot FILE.png]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import describe, versions
from mtdata import SOURCES
from mtdata.reading.batch import Batch, collate
from mtdata.reading.geometry import Crop
from mtdata.reading.memory import STEPS, keep_freed
from mtmodels.fabric import Fabric
from mtmodels.methods import METHODS
from mtmodels.methods.mtpsl import MTPSL
from mtmodels.methods.parts.joint_space import JointSpace, Point
from mtmodels.methods.views import Views, changed
from mtmodels.networks import NETWORKS
from mtmodels.training.loop.precision import FabricPrecision, resolve

ORDER = ("semantic", "depth", "normals", "parts", "saliency", "edges")
SIZE = (128, 256)
GROWTH_SIZE = (64, 64)
"""Smaller where six images have up to thirty pairs."""
Step = Callable[[], None]


class LoopSpace(JointSpace):
    """The same numbers, one point at a time."""

    def forward(
        self,
        points: Sequence[Point],
        batch: Batch,
        predictions: Any,
        rng: torch.Generator,
        **options: Any,
    ) -> Tensor:
        """Map each point on its own, also one that comes twice."""
        one = super().forward
        return torch.cat([one([p], batch, predictions, rng, **options) for p in points])


def make_views(tasks: int, size: tuple[int, int], *, images: int, channels_last: bool) -> Views:
    """A batch of rooms in which each image shows one task, and a crop of it."""
    source = SOURCES["rooms"](None, images=(images, 1), size=size)
    names = ORDER[:tasks]
    keys = source.splits()["train"]
    samples = [source.read("train", key, (names[i % tasks],)) for i, key in enumerate(keys)]
    batch = collate(samples).to("cpu", channels_last=channels_last)
    kinds = [task for task in source.tasks() if task.name in names]
    steps = [[Crop(1.2, 0.3, 0.6)] * images]
    return Views(batch, changed(batch, kinds, steps), steps=[steps], supervised=[True, False])


def make_step(
    method: str,
    views: Views,
    tasks: int,
    *,
    width: float = 1.0,
    precision: FabricPrecision = "32-true",
    channels_last: bool = False,
    loop: bool = False,
    **options: Any,
) -> Step:
    """Build network, method and optimiser; returns a function that trains one step."""
    keep_freed(STEPS)  # as the trainer does
    torch.manual_seed(0)
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    there = {task.name: task for task in SOURCES["rooms"].tasks()}
    network = NETWORKS["segnet"]([there[name] for name in ORDER[:tasks]], width=width)
    made = METHODS[method](network, **options)
    if loop:
        assert isinstance(made, MTPSL)
        made.joint.__class__ = LoopSpace
    layout = torch.channels_last if channels_last else torch.contiguous_format
    made = made.to(memory_format=layout)
    adam = torch.optim.Adam(made.parameters(), lr=1e-4, fused=True)
    optimizer: Any = fabric.setup_optimizers(adam)
    rng = torch.Generator().manual_seed(0)

    def step() -> None:
        with fabric.autocast():
            terms = made(views, progress=0.0, rng=rng)
        fabric.backward(torch.stack([*terms.tasks.values(), *terms.auxiliary.values()]).sum())
        optimizer.step()
        optimizer.zero_grad()

    return step


def medians(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """The median time of each, taken in turn; one round warms up."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if round_:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def compare_steps(*, smoke: bool, rounds: int) -> None:
    """The loop against one pass."""
    size, width = ((64, 64), 0.125) if smoke else (SIZE, 1.0)
    auto, reason = resolve("auto")
    fast = auto == "bf16-mixed"
    plain = make_views(3, size, images=2, channels_last=False)
    last = make_views(3, size, images=2, channels_last=fast)
    steps = {
        "loop, fp32": make_step("mtpsl", plain, 3, width=width, loop=True),
        "one pass, fp32": make_step("mtpsl", plain, 3, width=width),
        "one pass, auto": make_step(
            "mtpsl", last, 3, width=width, precision=auto, channels_last=fast
        ),
    }
    print(f"segnet, three tasks, `one`, {size[0]}x{size[1]}, batch 2, two views")
    print(f"auto is {auto}: {reason}")
    for name in ("loop, fp32", "one pass, fp32"):
        with FlopCounterMode(display=False) as count:
            steps[name]()
        print(f"{count.get_total_flops() / 1e12:8.3f} TFLOP a step   {name}")
    found = medians(steps, rounds)
    loop = found["loop, fp32"]
    for name, seconds in found.items():
        print(f"{seconds:8.3f} s a step   {name:<16} ratio {loop / seconds:.2f}")


def measure_alone(arguments: Sequence[str]) -> dict[str, float]:
    """Measure in a process of its own, whose peak memory is that of the step."""
    command = [sys.executable, "-m", "benchmarks.training.pairs", "--alone", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def alone(
    method: str, tasks: int, *, growth: bool, smoke: bool, rounds: int, **options: Any
) -> None:
    """Print what one method takes, as JSON."""
    size, width = (GROWTH_SIZE if growth else SIZE), 1.0
    if smoke:
        size, width = (64, 64), 0.125
    views = make_views(tasks, size, images=6 if growth else 2, channels_last=False)
    before = forget_peak()
    step = make_step(method, views, tasks, width=width, **options)
    seconds = medians({method: step}, rounds)[method]
    print(json.dumps({"seconds": seconds, "mb": max(1.0, peak_mb() - before)}))


def forget_peak() -> float:
    """Let the peak of this process begin anew; returns the memory it has now, in MB."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_mb()


def peak_mb() -> float:
    """The most memory that this process had since its peak began (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(x.split()[1]) for x in lines if x.startswith("VmHWM")) / 1024


def compare_memory(*, smoke: bool) -> None:
    """Peak memory and time of `mtpsl` over those of `sl` with two views."""
    extra = ["--smoke"] if smoke else []
    base = measure_alone(["sl", "3", *extra])
    print(f"{base['mb']:8.0f} MB, {base['seconds']:.2f} s a step   sl with two views")
    for name, options in {"mtpsl": [], "mtpsl --checkpoint-mapping": ["--checkpoint"]}.items():
        found = measure_alone(["mtpsl", "3", *options, *extra])
        print(
            f"{found['mb']:8.0f} MB, {found['seconds']:.2f} s a step   {name}: "
            f"{found['mb'] / base['mb']:.2f} times the memory, "
            f"{found['seconds'] / base['seconds']:.2f} times the time"
        )


def compare_growth(*, smoke: bool, plot: Path | None) -> None:
    """Time and memory for 2 to 6 tasks under `one`, with six images a step."""
    extra = ["--part", "growth", "--rounds", "1", *(["--smoke"] if smoke else [])]
    rows = []
    for tasks in range(2, 4 if smoke else 7):
        each = {m: measure_alone([m, str(tasks), *extra]) for m in ("sl", "mtpsl")}
        rows.append((tasks, each))
        sl, mtpsl = each["sl"], each["mtpsl"]
        print(
            f"{tasks} tasks, {tasks - 1} pairs an image of {tasks * (tasks - 1):2d}: "
            f"sl {sl['seconds']:.2f} s, {sl['mb']:.0f} MB; mtpsl {mtpsl['seconds']:.2f} s, "
            f"{mtpsl['mb']:.0f} MB; mapping {mtpsl['seconds'] - sl['seconds']:.2f} s",
            flush=True,
        )
    if plot is not None:
        draw(rows, plot)


def draw(rows: Sequence[tuple[int, dict[str, dict[str, float]]]], path: Path) -> None:
    """Time and memory over the number of tasks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    for axis, key, label in zip(
        figure.subplots(1, 2), ("seconds", "mb"), ("seconds a step", "MB"), strict=True
    ):
        for method in ("sl", "mtpsl"):
            axis.plot([t for t, _ in rows], [e[method][key] for _, e in rows], "o-", label=method)
        axis.set(xlabel="tasks", ylabel=label, ylim=(0, None), xticks=[t for t, _ in rows])
        axis.legend()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="small networks, one round")
    parser.add_argument("--part", choices=["step", "growth", "memory"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path, help="a picture of the growth")
    parser.add_argument("--alone", nargs=2, metavar=("METHOD", "TASKS"), help=argparse.SUPPRESS)
    parser.add_argument("--checkpoint", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    rounds = 1 if arguments.smoke else arguments.rounds
    if arguments.alone:
        method, tasks = arguments.alone
        options = {"checkpoint_mapping": True} if arguments.checkpoint else {}
        growth = arguments.part == "growth"
        alone(method, int(tasks), growth=growth, smoke=arguments.smoke, rounds=rounds, **options)
        return
    print(describe())
    print(versions())
    if arguments.part in (None, "step"):
        compare_steps(smoke=arguments.smoke, rounds=rounds)
    if arguments.part in (None, "memory"):
        compare_memory(smoke=arguments.smoke)
    if arguments.part in (None, "growth"):
        compare_growth(smoke=arguments.smoke, plot=arguments.plot)


if __name__ == "__main__":
    main()
