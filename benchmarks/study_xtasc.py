"""The ablation of XTasC-Net (its tables I and III) on real NYUv2, small enough for a laptop.

Two tasks, full labels, one network, one budget for all cells: single-task networks, one multi-task
network, alignment, cross-task consistency. Each cell is the `mttrain` command that is printed; a
cell that is done is not run again, and one that was interrupted resumes. The scores are kept in one
small JSON file.

    python -m benchmarks.study_xtasc --data data/nyu-96x128.h5 --out docs/results/xtasc-nyu
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.machine import describe

CELLS = ("single-semantic", "single-depth", "multi", "align", "xtc")


def run_cell(name: str, data: Path, runs: Path, seed: int, threads: int) -> Path:
    """Train one cell unless it is done; returns its run folder."""
    out = runs / f"{name}-s{seed}"
    command = (
        f"mttrain --recipe nyu-laptop-{name} --regime full --data {data} --seed {seed} --workers 0 "
        f"--out {out} --checkpoint-every 50 --resume"
    )
    print(command, flush=True)
    code = f"import sys; sys.argv = {shlex.split(command)!r}; from cli.mttrain import main; main()"
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    with (runs / f"{name}-s{seed}.log").open("ab") as log:
        subprocess.run([sys.executable, "-c", code], check=True, env=environment, stderr=log)
    return out


def compare(folders: list[Path]) -> dict[str, object]:
    """What `mtmodels compare --json` says of the runs, delta against the single-task runs."""
    singles = [
        arg for f in folders if f.name.startswith("single-") for arg in ("--baseline", str(f))
    ]
    arguments = ["mtmodels", "compare", *map(str, folders), *singles, "--json"]
    code = f"import sys; sys.argv = {arguments!r}; from cli.mtmodels import main; main()"
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE)
    result: dict[str, object] = json.loads(done.stdout)
    return result


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
    arguments.runs.mkdir(parents=True, exist_ok=True)
    threads = max(1, (os.cpu_count() or 1) // arguments.jobs)
    cells = [(name, seed) for seed in arguments.seeds for name in arguments.cells]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        futures = [
            pool.submit(run_cell, name, arguments.data, arguments.runs, seed, threads)
            for name, seed in cells
        ]
        folders = [future.result() for future in futures]
    result = {"machine": describe(), **compare(folders)}
    arguments.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    print(f"{arguments.out}.json")


if __name__ == "__main__":
    main()
