"""How long `--help` of each command takes, against starting Python alone.

python -m benchmarks.help [--smoke]
"""

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks.machine import describe


def seconds(code: str) -> float:
    """Wall time of a fresh interpreter that runs `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="one run of each")
    runs = 1 if parser.parse_args().smoke else 9
    codes = {"python alone": "pass"} | {
        f"{name} --help": f"import sys; sys.argv=['{name}','--help'];"
        f"from cli.{name} import main; main()"
        for name in ("mtdata", "mttrain", "mtmodels")
    }
    print(describe())
    for label, code in codes.items():
        times = [seconds(code) for _ in range(runs)]
        print(f"{statistics.median(times):.3f} s (median of {runs})   {label}")


if __name__ == "__main__":
    main()
