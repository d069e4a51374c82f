"""A data set in 30 lines: `mtdata build --plugin source.py --dataset squares --out squares.h5`."""

from hashlib import sha256

import numpy as np

from mtdata import Classes, Depth, Sample, Source, Task

SIZE = (64, 64)


class Squares(Source):
    """A red square on grey ground, which is nearer than that."""

    name = "squares"
    summary = "Squares with classes and depth."
    download = "Nothing to download."
    licence = "CC0"
    default_size = SIZE  # of a store unless --size says otherwise; None: each image keeps its own
    needs_root = False  # else `self.root` is the folder behind --source
    takes = ("count",)  # --set count=20

    @classmethod
    def tasks(cls, **options):
        classes = Classes(names=("ground", "square"), palette=((128, 128, 128), (255, 0, 0)))
        return (Task("semantic", classes), Task("depth", Depth("m")))

    def splits(self):
        count = int(self.options.get("count", 12))
        return {"train": tuple(f"{i:03}" for i in range(count)), "test": ("a", "b", "c")}

    def roles(self):
        return {"train": "train", "test": "test"}

    def fingerprint(self, split, key):
        return sha256(f"first version of squares, {key}".encode()).digest()

    def read(self, split, key, tasks):
        rng = np.random.default_rng(list(self.fingerprint(split, key)))
        square, (y, x) = np.zeros(SIZE, np.uint8), rng.integers(0, 40, 2)
        square[y : y + 24, x : x + 24] = 1
        image = np.stack([128 + 127 * square, 128 - 128 * square, 128 - 128 * square], axis=-1)
        labels = {"semantic": square, "depth": np.where(square, 1.0, 3.0).astype(np.float32)}
        shown = {task: labels[task] for task in tasks if task in labels}
        return Sample(key, image, shown, {task: np.ones(SIZE, bool) for task in shown})


SOURCES = {"squares": Squares}
