"""Cells of a study: `mttrain` commands that are run once, resumed where they were interrupted."""

import json
import math
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import describe


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

    def command(self, data: Path, runs: Path) -> str:
        """What a user would type."""
        return (
            f"mttrain {self.options} --data {data} --seed {self.seed} --workers 0 "
            f"--out {runs / self.folder} --checkpoint-every 50 --resume"
        )


def finished(runs: Path, name: str) -> list[Path]:
    """The run folders of a cell that are whole, seed by seed."""
    reports = runs.glob(f"{name}-s*/report.html")  # what a training writes last
    folders = [r.parent for r in reports if r.parent.name.removeprefix(f"{name}-s").isdigit()]
    return sorted(folders, key=lambda folder: int(folder.name.rpartition("-s")[2]))


def train(cell: Cell, data: Path, runs: Path, threads: int) -> Path:
    """Train a cell unless it is done; returns its run folder."""
    if runs / cell.folder in finished(runs, cell.name):
        return runs / cell.folder
    command = cell.command(data, runs)
    print(command, flush=True)
    code = f"import sys; sys.argv = {shlex.split(command)!r}; from cli.mttrain import main; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with (runs / f"{cell.folder}.log").open("ab") as log:
        subprocess.run([sys.executable, "-c", code], check=True, env=environment, stderr=log)
    return runs / cell.folder


def compare(folders: Sequence[Path], baselines: Sequence[Path]) -> dict[str, object]:
    """What `mtmodels compare --json` says of the runs."""
    against = [argument for folder in baselines for argument in ("--baseline", str(folder))]
    arguments = ["mtmodels", "compare", *map(str, folders), *against, "--json"]
    code = f"import sys; sys.argv = {arguments!r}; from cli.mtmodels import main; main()"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    result: dict[str, object] = json.loads(done.stdout)
    return result


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
    """Train all cells, some at a time, in order.

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
    runs.mkdir(parents=True, exist_ok=True)
    threads = threads or max(1, (os.cpu_count() or 1) // jobs)
    last = time.monotonic() + limit

    def in_time(cell: Cell) -> Path | None:
        begun = runs / cell.folder in finished(runs, cell.name) or time.monotonic() < last
        return train(cell, data, runs, threads) if begun else None

    whole: set[Path] = set()
    failed: list[str] = []
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(in_time, cell): cell for cell in cells}
        for future in as_completed(futures):
            try:
                folder = future.result()
            except subprocess.CalledProcessError:
                failed.append(str(runs / f"{futures[future].folder}.log"))
                continue
            if folder is None:
                continue
            whole.add(folder)
            done([runs / cell.folder for cell in cells if runs / cell.folder in whole])
    if failed:
        raise SystemExit(f"Failed, as these say at their end: {', '.join(failed)}.")


def write_results(out: Path, result: dict[str, object]) -> None:
    """Write a small JSON file beside which a command stands; replaced in one go."""
    path = out.with_suffix(".json")
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({"machine": describe(), **result}, indent=1) + "\n")
    partial.replace(path)
    print(path, flush=True)
