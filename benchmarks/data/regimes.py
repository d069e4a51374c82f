"""Bytes and seconds that adding a regime takes, in place and by a copy as in earlier versions.

The bytes are those that the process hands to the system (`wchar` of Linux).

    python -m benchmarks.data.regimes [--source data/nyu.h5] [--smoke]
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py

from benchmarks.machine import describe
from mtdata import SOURCES, open_store
from mtdata.atomic import swapping
from mtdata.building.build import build
from mtdata.regimes.drawing import draw
from mtdata.regimes.table import RegimeTable
from mtdata.store import add_regime
from mtdata.store import format as layout
from mtdata.store.edit import placed
from mtdata.store.regime import write_regime


def drawn(path: Path) -> RegimeTable:
    """A regime for a store."""
    with open_store(path) as store:
        split = store.split("train")
        return draw("random", split.keys, [t.name for t in split.tasks], split.labelled, seed=0)


def by_copy(path: Path, name: str, table: RegimeTable) -> None:
    """As earlier versions did: a changed copy takes the place of the store."""
    with open_store(path) as store:
        info = placed(name, table, store.split("train"))
    with swapping(path) as temporary:
        with path.open("rb") as source, temporary.open("wb") as target:
            # By reading and writing: some file systems copy without a byte that anybody counts.
            shutil.copyfileobj(source, target, 2**20)
        with h5py.File(temporary, "r+", libver=layout.LIBRARY) as file:
            write_regime(file["train"], info)


def cost(work: Callable[[], None]) -> tuple[int, float]:
    """Bytes written, and seconds."""
    before, since = _written(), time.perf_counter()
    work()
    return _written() - before, time.perf_counter() - since


def _written() -> int:
    text = Path("/proc/self/io").read_text(encoding="ascii")
    return int(dict(line.split(": ") for line in text.splitlines())["wchar"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, help="a store; made-up rooms without it")
    parser.add_argument("--smoke", action="store_true", help="a small store")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.h5"
        if arguments.source:
            shutil.copyfile(arguments.source, path)
        else:
            size, images = ((48, 64), (8, 1)) if arguments.smoke else ((288, 384), (48, 1))
            build(SOURCES["rooms"](None, images=images), path, size=size, jobs=1)
        table = drawn(path)
        os.sync()
        print(describe())
        print(f"a store of {path.stat().st_size:,} bytes, a regime of {table.labels.size:,}")
        for name, add in (("in place", add_regime), ("by a copy", by_copy)):
            written, seconds = cost(partial(add, path, name, table))
            print(f"{name:10} {written:13,} bytes written in {1e3 * seconds:7.1f} ms")


if __name__ == "__main__":
    main()
