"""Tiny stores that look like those of the papers: their tasks and regimes, made-up labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mtdata import SOURCES
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.sources.base import Source
from mtdata.tasks.role import Role
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task
from tests.stores.fakes import random_label

SIZE = (32, 64)
SHARES = {"1-9": {"semantic": 0.25, "depth": 0.75}, "9-1": {"semantic": 0.75, "depth": 0.25}}
REGIMES = {
    "nyu": [RegimeSpec("one"), RegimeSpec("random")],
    "cityscapes": [
        RegimeSpec("one"),
        *(RegimeSpec("imbalanced", f"imbalanced-{n}", {"ratio": s}) for n, s in SHARES.items()),
    ],
    "pascal": [RegimeSpec("one"), RegimeSpec("random")],
}


class PaperSource(Source):
    """Noise with the labels of a data set, under its name.

    Options: `dataset`; all others are of that data set.
    """

    summary: ClassVar[str] = "Noise."
    download: ClassVar[str] = "Nothing to download."
    licence: ClassVar[str] = "none"
    default_size: ClassVar[tuple[int, int] | None] = SIZE
    needs_root: ClassVar[bool] = False

    def __init__(self, root: Path | None = None, *, dataset: str, **options: Any) -> None:
        self.name = dataset  # type: ignore[misc]  # that of the store
        super().__init__(root, **options)
        known = {k: v for k, v in options.items() if k in SOURCES[dataset].takes}
        self._tasks = SOURCES[dataset].tasks(**known)

    def tasks(self, **options: Any) -> tuple[Task, ...]:  # type: ignore[override]
        return self._tasks

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        return {"train": tuple(f"{i:04d}" for i in range(8)), "val": ("v0", "v1")}

    def roles(self) -> Mapping[str, Role]:
        return {"train": "train", "val": "test"}

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        rng = np.random.default_rng([len(split), *key.encode()])
        labels, valid = {}, {}
        for task in self._tasks:
            label, seen = random_label(task.kind, SIZE, rng)
            if task.name == "depth":
                label = np.minimum(label, np.float32(0.45))  # whatever the unit
            if task.name in tasks:
                labels[task.name], valid[task.name] = label, seen
        return Sample(key, rng.integers(0, 256, (*SIZE, 3), np.uint8), labels, valid)

    def fingerprint(self, split: str, key: str) -> bytes:
        return f"{self.name} {self.options} {split} {key}".encode().ljust(32)[:32]


def paper_store(folder: Path, dataset: str, *, classes: int | None = None, **options: Any) -> Path:
    """Build the tiny store of a data set."""
    if classes is not None and "classes" in SOURCES[dataset].takes:
        options["classes"] = classes
    path = folder / f"{dataset}-{classes}.h5"
    source = PaperSource(dataset=dataset, **options)
    build(source, path, size=SIZE, regimes=REGIMES[dataset])
    return path
