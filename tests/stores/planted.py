"""Rooms without faults and with some, as stores: `python -m tests.stores.planted DIR` builds both.

It is a process of its own, as drawing scenes takes three times as long where types are checked.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.data.faults import PlantedRooms
from mtdata.building.build import RegimeSpec, build

CLEAN, PLANTED = "clean.h5", "planted.h5"
FAULTS: Mapping[tuple[str, str], str | tuple[str, str]] = {
    ("train", "000001"): "depth 100 times",
    ("train", "000002"): "normals -z",
    ("train", "000003"): "semantic shifted",
    ("train", "000004"): "image dark",
    ("test", "000001"): "depth constant",
    ("test", "000002"): ("duplicate across, mirrored", "000010"),
}
"""What is wrong in the second: 24 images to train and 6 to test."""


def main(folder: Path) -> None:
    """Build both."""
    build(PlantedRooms(faults={}, images=(40, 8), seed=5), folder / CLEAN)
    tasks = ["semantic", "depth", "normals"]
    source = PlantedRooms(faults=FAULTS, images=(24, 6), size=(48, 64), seed=6)
    build(source, folder / PLANTED, tasks=tasks, regimes=[RegimeSpec("one")])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
