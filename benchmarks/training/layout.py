"""The memory layout of a training step: channels last against contiguous.

The same step of `sl` with each network, in turn, in one run: A B A B ... The figure is the ratio
of the medians. `mtmodels/training/loop/precision.py` follows what is said of fp32. The last case is
`unet` on EfficientNet-Lite0, whose depthwise convolutions are in fp32 whatever the rest is in
(`mtmodels/networks/encoders/depthwise.py`); with `--precision bf16`, `all bf16` is the step with
them in bf16 too.

    python -m benchmarks.training.layout [--precision bf16] [--smoke]
"""

import argparse
import statistics
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.machine import describe, versions
from benchmarks.training.step import make_batch, make_step, seconds
from mtmodels.networks.encoders import timm_encoder
from mtmodels.training.loop.precision import FabricPrecision

ENCODER = "unet on EfficientNet-Lite0"
CASES: dict[str, dict[str, Any]] = {
    "unet-resnet18": {},
    "xtasc-resnet18": {"width": 0.25},
    "segnet": {"width": 0.5},
    "xtasc-resnet34": {},
    ENCODER: {"encoder": "tf_efficientnet_lite0"},
}


def steps_of(
    name: str, options: dict[str, Any], *, precision: FabricPrecision, size: int
) -> dict[str, Callable[[], None]]:
    """The steps of a case by what is compared."""
    batch, network = make_batch(size, (96, 128)), name.split()[0]

    def make(*, last: bool) -> Callable[[], None]:
        return make_step(batch, network, precision, channels_last=last, method="sl", **options)

    steps = {"contiguous": make(last=False), "channels last": make(last=True)}
    if name == ENCODER and precision != "32-true":
        with patch.object(timm_encoder, "in_single_precision"):
            steps["all bf16"] = make(last=True)
    return steps


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="narrow networks, one round")
    parser.add_argument("--precision", choices=["32", "bf16"], default="32")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rounds = 1 if arguments.smoke else arguments.rounds
    precision: FabricPrecision = "32-true" if arguments.precision == "32" else "bf16-mixed"
    print(describe())
    print(f"{versions()}, {precision}")
    for name, options in CASES.items():
        narrow = {**options, "width": 0.125} if arguments.smoke else options
        steps = steps_of(name, narrow, precision=precision, size=2 if arguments.smoke else 8)
        times: dict[str, list[float]] = {label: [] for label in steps}
        for round_ in range(rounds + 1):
            for label, step in steps.items():
                elapsed = seconds(step)
                if round_:  # the first round warms up
                    times[label].append(elapsed)
        medians = {label: statistics.median(values) for label, values in times.items()}
        told = ", ".join(f"{label} {median:.3f} s" for label, median in medians.items())
        ratio = medians["contiguous"] / medians["channels last"]
        print(f"{name:<27} {told} a step, ratio {ratio:.2f}", flush=True)


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
