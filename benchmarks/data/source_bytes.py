"""How often a build opens the files of its source, the bytes of that, and seconds.

A folder of one's own with made-up images and two labels each; the notes before the build and the
build itself, in one process. Every opening of a file counts with all its bytes.

Measured with 150 images, on two cores that others used: each file was opened 3.33 times before
files were read once, and 1.17 times since; 0.17 are the headers of 75 images, for the notes.
A build of 300 frames of NYUv2 with one job took 10.2 s of the processor in place of 10.5 s.

python -m benchmarks.data.source_bytes [--images 300] [--code ../before] [--smoke]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import describe

SIZE = (288, 384)
FILE = """images: rgb/{stem}.jpg
tasks:
  semantic: {kind: classes, files: "semantic/{stem}.png", classes: [a, b, c, d]}
  depth: {kind: depth, files: "depth/{stem}.png", scale: 0.001}
"""
MEASURE = """
import json, os, sys, time
from pathlib import Path
from mtdata.building.build import build
from mtdata.sources.folder.source import Folder

root, out, opened = Path(sys.argv[1]), Path(sys.argv[2]), []

def hear(event, arguments):
    if event == "open" and str(arguments[0]).startswith(str(root)) and "tasks" not in arguments[0]:
        opened.append(os.stat(arguments[0]).st_size)

build(Folder(root), out, limit=2)  # whatever is imported late
sys.addaudithook(hear)
started = time.perf_counter()
source = Folder(root)
source.remarks()
build(source, out, mode="overwrite")
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "opened": len(opened), "bytes": sum(opened)}))
"""


def write(root: Path, images: int) -> int:
    """Write the folder; returns the bytes of its images and labels."""
    rng = np.random.default_rng(0)
    for folder in ("rgb", "semantic", "depth"):
        (root / folder).mkdir(parents=True)
    for number in range(images):
        small = rng.integers(0, 255, (36, 48, 3), np.uint8)
        image = cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
        noise = rng.integers(0, 9, image.shape, np.uint8)
        cv2.imwrite(str(root / "rgb" / f"{number:05d}.jpg"), cv2.add(image, noise))
        cv2.imwrite(str(root / "semantic" / f"{number:05d}.png"), image[..., 0] // 64)
        depth = 1 + image[..., 1].astype(np.uint16) * 20 + noise[..., 0]
        cv2.imwrite(str(root / "depth" / f"{number:05d}.png"), depth)
    (root / "tasks.yaml").write_text(FILE)
    return sum(path.stat().st_size for path in root.rglob("*.*g"))


def measure(code: Path, root: Path) -> dict[str, float]:
    """Build in a fresh process with the code of a checkout."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(root), f"{folder}/a.h5"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(code.resolve()), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--code", type=Path, action="append", help="another checkout to compare")
    parser.add_argument("--smoke", action="store_true", help="four images, once")
    arguments = parser.parse_args()
    images, rounds = (4, 1) if arguments.smoke else (arguments.images, arguments.rounds)
    codes = [*(arguments.code or ()), Path(__file__).parents[2]]
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        size = write(Path(folder) / "mine", images)
        print(f"{images} images of {SIZE[0]}x{SIZE[1]} with two labels, {size / 1e6:.1f} MB")
        found: dict[Path, list[dict[str, float]]] = {code: [] for code in codes}
        for _ in range(rounds):
            for code, each in found.items():
                each.append(measure(code, Path(folder) / "mine"))
    for code, each in found.items():
        seconds = min(one["seconds"] for one in each)
        opened, read = each[0]["opened"] / (3 * images), each[0]["bytes"]
        print(
            f"{code}: each file opened {opened:.2f} times, {read / 1e6:.1f} MB, which is "
            f"{read / size:.2f} times its bytes; {seconds:.2f} s"
        )


if __name__ == "__main__":
    main()
