"""Run a campaign and print what came of it: `python -m tests.trust checkpoints --trials 300`."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

from tests.processes.forked import prepare
from tests.trust.trial import GOOD

CAMPAIGNS = ("checkpoints", "stores", "texts", "hostile", "lines", "kills")


def main() -> None:
    """Parse, run, print; ends with 1 where something came of a trial that must not."""
    parser = argparse.ArgumentParser(prog="python -m tests.trust", description=__doc__)
    parser.add_argument("campaign", choices=CAMPAIGNS)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after these")
    parser.add_argument("--all", action="store_true", help="tell of each trial")
    arguments = parser.parse_args()
    prepare()
    since = time.monotonic()
    module = import_module(f"tests.trust.{arguments.campaign}")
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for each in module.trials(Path(folder), arguments.trials, arguments.seed):
            counts[each.outcome] += 1
            if arguments.all:
                told = each.told[:300]
                sys.stdout.write(
                    f"{time.monotonic() - since:.1f} {each.outcome}: {each.what}: {told}\n"
                )
            if each.outcome not in GOOD:
                sys.stdout.write(f"{each.outcome}: {each.what}\n    {each.told[-1000:]}\n")
                sys.stdout.flush()
            if time.monotonic() - since > arguments.seconds:
                break
    told = ", ".join(f"{number} {outcome}" for outcome, number in counts.most_common())
    took = time.monotonic() - since
    sys.stdout.write(
        f"{arguments.campaign}, seed {arguments.seed}: {counts.total()} trials in {took:.0f} s: "
        f"{told}\n"
    )
    sys.exit(not counts.keys() <= {*GOOD})


if __name__ == "__main__":
    main()
