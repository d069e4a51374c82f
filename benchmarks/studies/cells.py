"""Cells of a study: `mttrain` commands that are run once, resumed where they were interrupted."""

import argparse
import json
import math
import os
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import describe
from cli.mtmodels.sweep import PROGRAM
from mtmodels.sweeping import Job, Outcome
from mtmodels.sweeping import run_all as sweep
from mtmodels.sweeping.schedulers import Here


@dataclass(frozen=True)
class Cell:
    """One training.

    Args:
        name: Of its run folder, with the seed behind it.
        options: Of `mttrain`, without the ones that all cells share.
        seed: The seed of the run.
    """

    name: str
    options: str
    seed: int

    @property
    def folder(self) -> str:
        """The name of its run folder."""
        return f"{self.name}-s{self.seed}"

    def job(self, data: Path, runs: Path, threads: int) -> Job:
        """What trains it."""
        words = f"{self.options} --data {data} --seed {self.seed} --workers 0 --checkpoint-every 50"
        return Job(
            self.folder, PROGRAM, tuple(shlex.split(words)), str(runs / self.folder), threads
        )


def study_parser(doc: str | None, *, runs: str) -> argparse.ArgumentParser:
    """The options that every study has."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path(runs))
    parser.add_argument("--out", type=Path, required=True, help="results, without a suffix")
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time")
    parser.add_argument(
        "--threads", type=int, help="of each cell; the cores shared out unless given"
    )
    parser.add_argument(
        "--limit-time", type=float, default=math.inf, help="minutes after which no cell is begun"
    )
    return parser


def told(arguments: argparse.Namespace) -> dict[str, Any]:
    """What `run_all` takes of these options."""
    names = ("data", "runs", "jobs", "threads")
    found = {name: getattr(arguments, name) for name in names}
    return found | {"limit": 60 * arguments.limit_time}


def run_all(
    cells: Sequence[Cell],
    *,
    data: Path,
    runs: Path,
    jobs: int,
    done: Callable[[list[Path]], None],
    threads: int | None = None,
    limit: float = math.inf,
) -> None:
    """Train all cells, some at a time, in order; of none, say that there is nothing to do.

    Args:
        cells: What to train.
        data: The store.
        runs: Where the run folders go.
        jobs: Cells at a time; they share the cores.
        done: Told all finished run folders, in the order of `cells`, whenever one finishes.
        threads: Of each cell; None to share the cores out.
        limit: Seconds after which no other cell is begun.

    Raises:
        SystemExit: at the end, naming the cells whose command failed; the others are trained.
    """
    if not cells:
        print("Nothing to train: the results file holds all that was asked for.", flush=True)
        return
    runs.mkdir(parents=True, exist_ok=True)
    threads = threads or max(1, (os.cpu_count() or 1) // jobs)
    whole: set[str] = set()

    def began(job: Job) -> None:
        print(shlex.join(["mttrain", *job.command, "--resume"]), flush=True)

    def tell() -> None:
        done([runs / cell.folder for cell in cells if cell.folder in whole])

    def ended(job: Job, outcome: Outcome) -> None:
        if outcome.state == "done":
            whole.add(job.name)
            if outcome.seconds:
                tell()

    outcomes = sweep(
        [cell.job(data, runs, threads) for cell in cells],
        Here(jobs),
        begin_until=time.monotonic() + limit,
        began=began,
        ended=ended,
    )
    if whole and not any(one.seconds for one in outcomes.values() if one.state == "done"):
        tell()  # all that is done was done before
    if failed := [name for name, one in outcomes.items() if one.state == "failed"]:
        logs = ", ".join(str(runs / f"{name}.log") for name in failed)
        raise SystemExit(f"Failed, as these say at their end: {logs}.")


def write_results(out: Path, result: dict[str, object]) -> None:
    """Write a small JSON file beside which a command stands; replaced in one go."""
    path = out.with_suffix(".json")
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"machine": describe(), **result}, indent=1) + "\n")
    partial.replace(path)
    print(path, flush=True)
