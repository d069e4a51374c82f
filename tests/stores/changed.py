"""Stores that differ from a made-up one in what a test says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mtdata.building.build import RegimeSpec, build
from mtdata.tasks.role import Role
from mtdata.tasks.sample import Sample
from tests.stores.fakes import FakeSource

Change = Callable[[str, Sample], Sample]


class ChangedSource(FakeSource):
    """A `FakeSource` of which every sample goes through a function."""

    def __init__(
        self,
        change: Change = lambda split, sample: sample,
        *,
        keys: Mapping[str, tuple[str, ...]] | None = None,
        test: str = "test",
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.change, self.keys, self.test = change, keys, test

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        return self.keys or super().splits()

    def roles(self) -> Mapping[str, Role]:
        return {name: "test" if name == self.test else "train" for name in self.splits()}

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        return self.change(split, super().read(split, key, tasks))


def relabel(key: str, task: str, pixels: Any, value: Any) -> Change:
    """Another value of one label at some pixels, which are valid then."""

    def change(split: str, sample: Sample) -> Sample:
        if sample.key != key or task not in sample.labels:
            return sample
        label, valid = sample.labels[task].copy(), sample.valid[task].copy()
        label[pixels], valid[pixels] = value, True
        labels, masks = {**sample.labels, task: label}, {**sample.valid, task: valid}
        return replace(sample, labels=labels, valid=masks)

    return change


def drop(key: str, task: str) -> Change:
    """One label less."""

    def change(split: str, sample: Sample) -> Sample:
        if sample.key != key:
            return sample
        labels = {name: label for name, label in sample.labels.items() if name != task}
        valid = {name: sample.valid[name] for name in labels}
        return replace(sample, labels=labels, valid=valid)

    return change


def repaint(key: str) -> Change:
    """Another image under the same key: one pixel brighter by 3 at most."""

    def change(split: str, sample: Sample) -> Sample:
        if sample.key != key:
            return sample
        image = sample.image.copy()
        image[2, 3] = np.where(image[2, 3] < 252, image[2, 3] + 3, image[2, 3] - 3)
        return replace(sample, image=image)

    return change


def changed_store(
    path: Path,
    change: Change = lambda split, sample: sample,
    *,
    tasks: Sequence[str] | None = None,
    regimes: Sequence[RegimeSpec] = (),
    seed: int = 0,
    compression: str = "blosc",
    limit: int | None = None,
    **options: Any,
) -> Path:
    """Build a store of a `ChangedSource` at the size of its images."""
    build(
        ChangedSource(change, **options), path, size=None, tasks=tasks, regimes=regimes, seed=seed,
        compression=compression, limit=limit,
    )  # fmt: skip
    return path
