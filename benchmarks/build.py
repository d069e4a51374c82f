"""Building the store of all NYUv2 frames: wall time and peak memory of all its processes.

python -m benchmarks.build --source ../shared/data/nyuv2 [--jobs 2] [--smoke]
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.machine import describe


def resident(pid: int) -> int:
    """Proportional memory in bytes of a process and all its descendants (Linux)."""
    total, waiting = 0, [pid]
    while waiting:
        process = waiting.pop()
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
            tasks = list(Path(f"/proc/{process}/task").iterdir())
            waiting += [int(c) for t in tasks for c in (t / "children").read_text().split()]
        except OSError:
            continue  # it ended while we looked
        total += sum(int(line.split()[1]) for line in rollup.splitlines() if line[:4] == "Pss:")
    return total * 1024


def watch(process: subprocess.Popen[bytes]) -> int:
    """Peak of `resident` while the process runs, looked at ten times a second."""
    peak = 0
    done = threading.Event()
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        done.wait(0.1)
    return peak


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--smoke", action="store_true", help="only 24 frames of each split")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "nyu.h5"
        command = [sys.executable, "-c", "from cli.mtdata import main; main()", "build"]
        command += ["--dataset", "nyu", "--source", str(arguments.source), "--out", str(out)]
        command += ["--jobs", str(arguments.jobs), "--regime", "one", "--regime", "random"]
        if arguments.smoke:
            command += ["--limit", "24"]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        peak = watch(process)
        elapsed = time.perf_counter() - start
        if process.returncode:
            sys.exit(process.returncode)
        print(describe())
        print(f"{elapsed:.1f} s, peak memory {peak / 2**20:.0f} MiB with {arguments.jobs} jobs")
        print(f"store {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
