"""A copy of NYUv2 whose training frames lack labels, as collections from life do.

Annotators reach a share of the frames, a depth sensor fails in others, neither knows of the other:
a frame may have all labels, those of one kind, or none. Normals come from depth and are lacking
with it. The test split keeps all of its labels. Files are links to those of the source.

    python -m benchmarks.studies.lacking --source ~/data/nyuv2 --out data/nyuv2-lacking
    mtdata build --dataset nyu --source data/nyuv2-lacking --follow-links --unlabelled keep \
        --size 96x128 -o data/nyu-lacking.h5
"""

import argparse
from pathlib import Path

import numpy as np
from scipy.io import loadmat

LABELS = (("semantic13", "semantic40"), ("depth",))
"""Folders whose files are lacking together."""


def main() -> None:
    """Make the folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", type=Path, required=True, help="The folder of NYUv2.")
    parser.add_argument("--out", type=Path, required=True, help="The folder to make.")
    parser.add_argument(
        "--share", type=float, default=2 / 3, help="Of the labels of each kind that are lacking."
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    frames = loadmat(options.source / "splits.mat")["trainNdxs"][:, 0]
    rng = np.random.default_rng(options.seed)
    lacking: dict[str, set[int]] = {}
    for folders in LABELS:
        chosen = rng.permutation(frames)[: round(options.share * len(frames))]
        lacking |= {folder: {*chosen.tolist()} for folder in folders}
    options.out.mkdir(parents=True)
    for path in options.source.resolve().iterdir():
        target = options.out / path.name
        if path.name not in lacking:
            target.symlink_to(path)
            continue
        target.mkdir()
        for file in path.iterdir():
            if int(file.stem) not in lacking[path.name]:
                (target / file.name).symlink_to(file)
    without = len(set.intersection(*lacking.values()))
    shown = ", ".join(f"{len(frames) - len(lacking[each[0]])} of {each[0]}" for each in LABELS)
    print(f"{options.out}: {len(frames)} frames to train on, labels {shown}; {without} have none")


if __name__ == "__main__":
    main()
