"""What each weighting costs: backward passes and time of a step, against the plain sum.

One step of `segnet` with three tasks and full labels, its forward pass left out; the figures are
medians over rounds, all weightings in turn in each.

    python -m benchmarks.training.weightings [--rounds 5] [--weightings NAME ...] [--smoke]
"""

import argparse
import copy
import statistics
import time
from unittest import mock

import torch
from torch import Tensor

from benchmarks.machine import describe
from mtdata import SOURCES
from mtdata.errors import UsageError
from mtmodels import NETWORKS, WEIGHTINGS
from mtmodels.methods.terms import Terms
from mtmodels.networks.base import Network
from mtmodels.weightings.aggregation import AggregatorWeighting
from mtmodels.weightings.base import Weighting


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--rounds", type=int, default=5)
    names = list(WEIGHTINGS)
    parser.add_argument("--weightings", nargs="+", choices=names, default=names)
    parser.add_argument("--smoke", action="store_true", help="One round, tiny: does it run?")
    arguments = parser.parse_args()
    width, rounds = (0.0625, 1) if arguments.smoke else (arguments.width, arguments.rounds)
    size = (32, 32) if arguments.smoke else (96, 128)
    tasks = [t for t in SOURCES["nyu"].tasks(classes=13) if t.channels]
    torch.manual_seed(0)
    first = NETWORKS["segnet"](tasks, width=width)
    image = torch.rand(4, 3, *size)
    members: dict[str, tuple[Network, Weighting]] = {}
    for name in dict.fromkeys(["equal", *arguments.weightings]):
        for options in _variants(name, [t.name for t in tasks]):
            label = f"{name}, {options['gradients']}" if "gradients" in options else name
            try:
                weighting = WEIGHTINGS[name]([t.name for t in tasks], **options)
            except UsageError:
                print(f"(`{name}` is left out: its solver is not installed)")
                continue
            network = copy.deepcopy(first)
            weighting.watch(network, network.shared_parameters())
            members[label] = network, weighting
    seconds: dict[str, list[float]] = {label: [] for label in members}
    passes: dict[str, int] = {}
    for turn in range(rounds + 1):  # the first warms up
        for label, (network, weighting) in members.items():
            predictions = network(image).predictions
            losses = {name: (p - 1).square().mean() for name, p in predictions.items()}
            network.zero_grad()
            with _counted() as counted:
                started = time.perf_counter()
                weighting.backward(Terms(losses), network.shared_parameters(), Tensor.backward)
                taken = time.perf_counter() - started
            if turn:
                seconds[label].append(taken)
            passes[label] = counted.call_count
    plain = seconds["equal"]
    print(f"{describe()}; segnet at width {width}, {size[0]}x{size[1]}, batch 4, {rounds} rounds\n")
    print("| weighting | passes | time against `equal` |\n|---|--:|--:|")
    for label, measured in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(measured, plain, strict=True))
        print(f"| `{label}` | {passes[label]} | {ratio:.2f} |")


def _variants(name: str, tasks: list[str]) -> list[dict[str, object]]:
    """The options to measure a weighting with."""
    if name == "fixed":
        return [{"values": dict.fromkeys(tasks, 1.0)}]
    member = WEIGHTINGS[name]
    if not issubclass(member, AggregatorWeighting):
        return [{}]
    where = ("shared", "last", "features") if member.factors else ("shared",)
    return [{"gradients": each} for each in where]


def _counted() -> "mock._patch[mock.MagicMock]":
    """Count the passes through the graph: all of them end in one function of torch."""
    name = "_engine_run_backward"
    return mock.patch.object(torch.autograd, name, wraps=getattr(torch.autograd, name))


if __name__ == "__main__":
    main()
