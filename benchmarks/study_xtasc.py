"""The ablation of XTasC-Net (its tables I and III) on real NYUv2, small enough for a laptop.

Two tasks, full labels, one network, one budget for all cells: single-task networks, one multi-task
network, alignment, cross-task consistency. Each cell is the `mttrain` command that is printed; a
cell that is done is not run again, and one that was interrupted resumes. The scores are kept in one
small JSON file.

    python -m benchmarks.study_xtasc --data data/nyu-96x128.h5 --out docs/results/xtasc-nyu
"""

import argparse
from pathlib import Path

from benchmarks.cells import Cell, compare, run_all, write_results

CELLS = ("single-semantic", "single-depth", "multi", "align", "xtc")


def main() -> None:
    """Run what is missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/study-xtasc"))
    parser.add_argument("--out", type=Path, required=True, help="results, without a suffix")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time")
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=CELLS)
    arguments = parser.parse_args()
    cells = [
        Cell(name, f"--recipe nyu-laptop-{name} --regime full", seed)
        for seed in arguments.seeds
        for name in arguments.cells
    ]

    def note(folders: list[Path]) -> None:
        singles = [folder for folder in folders if folder.name.startswith("single-")]
        if len(folders) == len(cells):
            write_results(arguments.out, compare(folders, singles))

    run_all(cells, data=arguments.data, runs=arguments.runs, jobs=arguments.jobs, done=note)


if __name__ == "__main__":
    main()
