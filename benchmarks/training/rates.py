"""What share of the rate of matrix products training and prediction reach, on this machine.

The rate is that of the best of some products of 2048x2048 in the same format, in the same run and
between the steps. A step is of rooms of 96x128 (`mtpsl`: 128x256, two views, each image with one
label of three); its operations are those of its convolutions and matrix products, as PyTorch counts
them. `auto` is what `--precision auto` is here.

    python -m benchmarks.training.rates [--rounds 3] [--smoke]
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import describe, versions
from benchmarks.training.pairs import SIZE, make_views, medians
from benchmarks.training.pairs import make_step as make_pair_step
from benchmarks.training.step import make_batch, make_step
from mtdata import SOURCES
from mtmodels.fabric import Fabric
from mtmodels.networks import NETWORKS
from mtmodels.training.loop.precision import FabricPrecision, resolve

Step = Callable[[], None]
SIDE = 2048
CASES = {
    "segnet, sl": ("segnet", "sl"),
    "xtasc-resnet34, xtc": ("xtasc-resnet34", "xtc"),
    "unet-resnet18, sl": ("unet-resnet18", "sl"),
}
FORMATS: dict[FabricPrecision, torch.dtype] = {
    "32-true": torch.float32,
    "bf16-mixed": torch.bfloat16,
}


def matrix_rate(
    dtype: torch.dtype, *, side: int, rounds: int = 5, wait: Step = lambda: None
) -> float:
    """The best of some matrix products, in operations a second.

    Args:
        dtype: Of both factors.
        side: Their rows and columns.
        rounds: How many products.
        wait: Until the device is done; a processor is when it returns.
    """
    a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
    best = 0.0
    for _ in range(rounds):
        wait()
        start = time.perf_counter()
        torch.mm(a, b)
        wait()
        best = max(best, 2 * side**3 / (time.perf_counter() - start))
    return best


def make_steps(precision: FabricPrecision, *, smoke: bool) -> dict[str, Step]:
    """The steps to measure: of training, and of predicting eight images."""
    last, width = precision != "32-true", 0.125 if smoke else 1.0
    batch = make_batch(2 if smoke else 8, (96, 128))
    steps = {
        label: make_step(batch, name, precision, channels_last=last, method=method, width=width)
        for label, (name, method) in CASES.items()
    }
    views = make_views(3, (64, 64) if smoke else SIZE, images=2, channels_last=last)
    steps["segnet, mtpsl"] = make_pair_step(
        "mtpsl", views, 3, width=width, precision=precision, channels_last=last
    )
    steps["segnet, predicting"] = _predicting(precision, width=width, last=last)
    return steps


def _predicting(precision: FabricPrecision, *, width: float, last: bool) -> Step:
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    tasks = [task for task in SOURCES["rooms"].tasks() if task.channels]
    layout = torch.channels_last if last else torch.contiguous_format
    network = NETWORKS["segnet"](tasks, width=width).eval()
    network.to(memory_format=layout)
    image = torch.rand(8, 3, 96, 128).to(memory_format=layout)

    def step() -> None:
        with torch.no_grad(), fabric.autocast():
            network.predict(image)

    return step


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--smoke", action="store_true", help="narrow networks, one round")
    arguments = parser.parse_args()
    rounds, side = (1, 256) if arguments.smoke else (arguments.rounds, SIDE)
    auto, reason = resolve("auto")
    print(f"{describe()}; {versions()}")
    print(f"auto is {auto}: {reason}\n")
    print("| what | format | operations, G | seconds | G/s | of the matrix rate |")
    print("|---|---|--:|--:|--:|--:|")
    for precision in dict.fromkeys([auto, "32-true"]):
        dtype = FORMATS[precision]
        steps = make_steps(precision, smoke=arguments.smoke)
        counts = {}
        for label, step in steps.items():
            with FlopCounterMode(display=False) as count:
                step()
            counts[label] = float(count.get_total_flops())
        rate = matrix_rate(dtype, side=side)
        found = medians(steps, rounds)
        rate = max(rate, matrix_rate(dtype, side=side))
        name = str(dtype).removeprefix("torch.")
        product = f"product of {side}x{side} | {name} | {2 * side**3 / 1e9:.3g}"
        print(f"| {product} | | {rate / 1e9:.0f} | |")
        for label, seconds in found.items():
            reached = counts[label] / seconds
            print(
                f"| {label} | {name} | {counts[label] / 1e9:.3g} | {seconds:.3f} "
                f"| {reached / 1e9:.0f} | {reached / rate:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
