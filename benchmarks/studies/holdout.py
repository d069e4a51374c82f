"""A copy of NYUv2 to choose on: training frames alone, of which a quarter is the test split.

Frames that follow each other show one room, so the quarter is every fourth block of 16 training
frames; the official test split is in neither part. Images and labels are links to those of the
source.

    python -m benchmarks.studies.holdout --source ~/data/nyuv2 --out data/nyuv2-holdout
    mtdata build --dataset nyu --source data/nyuv2-holdout --follow-links --size 96x128 \
        -o data/nyu-holdout.h5
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.io import loadmat, savemat

BLOCK = 16
FILE = "splits.mat"


def main() -> None:
    """Make the folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="The folder of NYUv2.")
    parser.add_argument("--out", type=Path, required=True, help="The folder to make.")
    options = parser.parse_args()
    frames = loadmat(options.source / FILE)["trainNdxs"][:, 0]
    held = np.arange(len(frames)) // BLOCK % 4 == 1
    options.out.mkdir(parents=True)
    for path in options.source.resolve().iterdir():
        if path.name != FILE:
            (options.out / path.name).symlink_to(path)
    parts = {"trainNdxs": frames[~held][:, None], "testNdxs": frames[held][:, None]}
    savemat(options.out / FILE, parts)
    print(f"{options.out}: {(~held).sum()} frames to train on, {held.sum()} to choose on")


if __name__ == "__main__":
    main()
