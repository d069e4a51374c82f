"""The memory layout of a training step in fp32: channels last against contiguous.

The same step of `sl` with each network, in turn, in one run: A B A B ... The figure is the ratio
of the medians. `mtmodels/training/loop/layout.py` follows it where a processor has no bf16
instructions.

    python -m benchmarks.layout [--smoke]
"""

import argparse
import statistics

import torch

from benchmarks.machine import describe, versions
from benchmarks.step import make_batch, make_step, seconds

CASES = {"unet-resnet18": 1.0, "xtasc-resnet18": 0.25, "segnet": 0.5, "xtasc-resnet34": 1.0}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="narrow networks, one round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    rounds = 1 if arguments.smoke else arguments.rounds
    print(describe())
    print(versions())
    batch = make_batch(2 if arguments.smoke else 8, (96, 128))
    for name, width in CASES.items():
        steps = {
            last: make_step(
                batch,
                name,
                "32-true",
                channels_last=last,
                method="sl",
                width=0.125 if arguments.smoke else width,
            )
            for last in (False, True)
        }
        times: dict[bool, list[float]] = {last: [] for last in steps}
        for round_ in range(rounds + 1):
            for last, step in steps.items():
                elapsed = seconds(step)
                if round_:
                    times[last].append(elapsed)
        contiguous, last_ = (statistics.median(times[last]) for last in (False, True))
        print(
            f"{name:<16} width {width:<5} contiguous {contiguous:.3f} s, channels last "
            f"{last_:.3f} s a step, ratio {contiguous / last_:.2f}"
        )


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
