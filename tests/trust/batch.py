"""Many trials in one process: it is begun anew behind a trial that ended or stopped it."""

import json
import os
import resource
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tests.processes.forked import start
from tests.trust.trial import CRASH, HANG, HANGING, MEMORY, Trial, limit_time

BATCH = 50
"""Trials of a process; what it gathers in memory goes with it."""


def batches(module: str, folder: Path, count: int, seed: int) -> Iterator[Trial]:
    """The trials of a module, by its function `one(folder, number, seed, note)`.

    Args:
        module: Its name in this package.
        folder: What it works in.
        count: How many trials.
        seed: For all of them; each is a function of it and of its number.
    """
    done, results = 0, folder / "results"
    while done < count:
        results.write_text("")
        last = min(done + BATCH, count)
        work = start(
            _work, (module, folder, results, done, last, seed), folder=folder, told=folder / "told"
        )
        work.process.join()
        rows = [json.loads(line) for line in results.read_text().splitlines()]
        begun = ""
        for row in rows:
            if len(row) == 1:
                begun = row[0]
            else:
                yield Trial(*row)
                done, begun = done + 1, ""
        if work.process.exitcode:
            hung = work.process.exitcode in [-number for number in HANGING]
            ended = HANG if hung else CRASH
            told = (folder / "told").read_text(errors="replace")[-2000:]
            yield Trial(begun, ended, f"exit code {work.process.exitcode} {told}")
            done += 1


def _work(module: str, folder: Path, results: Path, first: int, last: int, seed: int) -> None:
    """Do some of the trials; each is noted before and behind, and ended after some seconds."""
    one = import_module(f"tests.trust.{module}").one
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    with results.open("a") as file:

        def note(*row: str) -> None:
            file.write(json.dumps(row) + "\n")
            file.flush()

        for number in range(first, last):
            limit_time()
            trial = one(folder, number, seed, note)
            limit_time(0)
            note(trial.what, trial.outcome, trial.told)
