"""What each network costs: parameters, multiply-adds, time and memory of a training step.

The three tasks of NYUv2 with 13 classes, 128x256, batch 2, heads included. Time is the median over
rounds, all networks in turn in each; memory is the peak of a process of its own, less that before
the network was made. A step is forward and backward; Adam keeps 8 bytes a parameter beside it.

    python -m benchmarks.training.networks [--width 1] [--networks NAME ...] [--plot PNG]
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import describe, versions
from benchmarks.training.pairs import SIZE, forget_peak, medians, peak_mb
from mtdata import SOURCES
from mtmodels import NETWORKS
from mtmodels.networks.base import Network

BATCH = 2
SMALL = (32, 64)


@dataclass(frozen=True)
class Cost:
    """What a network takes: millions of parameters, billions of multiply-adds, seconds, MB."""

    parameters: float
    multiply_adds: float
    seconds: float
    memory: float


COLUMNS = {
    "parameters": "parameters, M",
    "multiply_adds": "multiply-adds an image, G",
    "seconds": "seconds a step",
    "memory": "memory of a step, MB",
}


def make(name: str, width: float) -> Network:
    """A network for the tasks of NYUv2."""
    torch.manual_seed(0)
    tasks = [task for task in SOURCES["nyu"].tasks(classes=13) if task.channels]
    return NETWORKS[name](tasks, width=width)


def make_step(network: Network, image: torch.Tensor) -> Callable[[], None]:
    """Forward and backward."""

    def step() -> None:
        predictions = network(image).predictions.values()
        torch.stack([p.square().mean() for p in predictions]).sum().backward()
        network.zero_grad()

    return step


def multiply_adds(network: Network, image: torch.Tensor) -> float:
    """Of predicting one image, in billions: two operations each."""
    network.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as count:
        network(image[:1])
    network.train()
    return int(count.get_total_flops()) / 2e9


def measure_alone(name: str, arguments: Sequence[str]) -> float:
    """The peak memory of a step in a process of its own, less that before it, in MB."""
    command = [sys.executable, "-m", "benchmarks.training.networks", "--alone", name, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return float(json.loads(done.stdout))


def table(costs: dict[str, Cost]) -> str:
    """In Markdown."""
    lines = [f"| network | {' | '.join(COLUMNS.values())} |", "|---|" + "--:|" * len(COLUMNS)]
    for name, cost in costs.items():
        lines.append(
            f"| `{name}` | {cost.parameters:.2f} | {cost.multiply_adds:.3f} | {cost.seconds:.3f} "
            f"| {cost.memory:.0f} |"
        )
    return "\n".join(lines)


def draw(costs: dict[str, Cost], path: Path) -> None:
    """A bar a network in each of four panels, the names once."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 0.32 * len(costs) + 1), layout="constrained")
    panels = figure.subplots(1, len(COLUMNS), sharey=True)
    for axis, (key, title) in zip(panels, COLUMNS.items(), strict=True):
        bars = axis.barh(list(costs), [getattr(cost, key) for cost in costs.values()], height=0.7)
        axis.bar_label(bars, fmt="{:,.3g}" if key != "memory" else "{:,.0f}", padding=3, fontsize=8)
        axis.set_title(title, fontsize=10)
        axis.margins(x=0.25)
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.tick_params(length=0, labelbottom=False)
    panels[0].invert_yaxis()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--plot", type=Path, help="a picture of the table")
    parser.add_argument("--smoke", action="store_true", help="one round, tiny: does it run?")
    parser.add_argument("--alone", choices=list(NETWORKS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    smoke = arguments.smoke
    width, rounds = (0.0625, 1) if smoke else (arguments.width, arguments.rounds)
    size = SMALL if smoke else SIZE
    image = torch.rand(BATCH, 3, *size)
    if arguments.alone:
        before = forget_peak()
        step = make_step(make(arguments.alone, width), image)
        step()
        print(json.dumps(max(1.0, peak_mb() - before)))
        return
    print(f"{describe()}; {versions()}")
    print(f"width {width}, {size[0]}x{size[1]}, batch {BATCH}, {rounds} rounds\n")
    extra = ["--width", str(width), *(["--smoke"] if smoke else [])]
    memory = {name: measure_alone(name, extra) for name in arguments.networks}
    networks = {name: make(name, width) for name in arguments.networks}
    operations = {name: multiply_adds(network, image) for name, network in networks.items()}
    seconds = medians({n: make_step(network, image) for n, network in networks.items()}, rounds)
    costs = {
        name: Cost(
            sum(p.numel() for p in network.parameters()) / 1e6,
            operations[name],
            seconds[name],
            memory[name],
        )
        for name, network in networks.items()
    }
    print(table(costs))
    if arguments.plot is not None:
        draw(costs, arguments.plot)


if __name__ == "__main__":
    main()
