"""Learning from partial labels (tables 2 and 6 of MTPSL) on real NYUv2, small enough for a laptop.

Three tasks, one network, one budget for all cells; see the recipes `nyu-partial-*`. Each cell is
the `mttrain` command that is printed; a cell that is done is not run again, and one that was
interrupted resumes. What is done is kept in one small JSON file, written anew after each cell.

    python -m benchmarks.study_mtpsl --data data/nyu-study.h5 --out docs/results/mtpsl-nyu
"""

import argparse
from pathlib import Path

from benchmarks.cells import Cell, compare, run_all, write_results
from benchmarks.curves import draw
from mtmodels.recipes import all_recipes

METHODS = tuple(name for name in all_recipes() if name.startswith("nyu-partial-"))
PREFIX = "nyu-partial-"
BASELINE = "sl"


def cell(method: str, regime: str, seed: int) -> Cell:
    """One method under one regime."""
    return Cell(f"{method}-{regime}", f"--recipe {PREFIX}{method} --regime {regime}", seed)


def tables(folders: list[Path], regimes: list[str]) -> dict[str, object]:
    """For each regime, its runs against the supervised ones of the same regime."""
    found: dict[str, object] = {}
    for regime in regimes:
        there = [
            folder for folder in folders if folder.name.rpartition("-")[0].endswith(f"-{regime}")
        ]
        baselines = [f for f in there if f.name.startswith(f"{BASELINE}-{regime}-")]
        if there:
            found[regime] = compare(there, baselines)
    return found


def main() -> None:
    """Run what is missing and write the tables."""
    names = [name.removeprefix(PREFIX) for name in METHODS]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/study-mtpsl"))
    parser.add_argument("--out", type=Path, required=True, help="results, without a suffix")
    parser.add_argument("--plot", type=Path, help="a picture of the training losses")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time")
    parser.add_argument("--regimes", nargs="+", default=["one"])
    parser.add_argument("--methods", nargs="+", choices=names, default=["sl", "ssl", "mtpsl"])
    arguments = parser.parse_args()
    cells = [
        cell(method, regime, seed)
        for regime in arguments.regimes
        for seed in arguments.seeds
        for method in arguments.methods
    ]

    def note(folders: list[Path]) -> None:
        write_results(arguments.out, {"regimes": tables(folders, arguments.regimes)})
        if arguments.plot is not None:
            draw(folders, arguments.plot)

    run_all(cells, data=arguments.data, runs=arguments.runs, jobs=arguments.jobs, done=note)


if __name__ == "__main__":
    main()
