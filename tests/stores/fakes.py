"""Small made-up things that several tests share. They are picklable: workers import them here."""

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.base import Source
from mtdata.tasks.kinds import Binary, Classes, Depth, Kind, Normals
from mtdata.tasks.role import Role
from mtdata.tasks.sample import Camera, Sample
from mtdata.tasks.task import Task

COLOURS = ((0, 0, 0), (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 0))
TASKS = (
    Task("semantic", Classes(("bed", "floor", "sofa", "table", "wall"), COLOURS)),
    Task("depth", Depth(dtype="uint16", scale=0.001)),
    Task("normals", Normals()),
    Task("saliency", Binary()),
    Task("disparity", Depth(unit="1/m")),
)


def random_label(
    kind: Kind, size: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """A label of a kind with some void pixels, at least one valid, and its validity."""
    valid = rng.random(size) < 0.8
    valid[0, 0] = True
    label: NDArray[Any]
    if isinstance(kind, Normals):
        vector = rng.normal(size=(*size, 3))
        label = (vector / np.linalg.norm(vector, axis=-1, keepdims=True)).astype(np.float32)
    elif isinstance(kind, Depth):
        label = (rng.integers(1, 9000, size) * 0.001).astype(np.float32)
    else:
        classes = kind.channels if isinstance(kind, Classes) else 2
        label = rng.integers(0, classes, size).astype(np.uint8)
    label[~valid] = 0
    return label, valid


class FakeSource(Source):
    """Made-up samples of all kinds: a function of seed, split and key.

    Options: `images` (train, test), `seed`; `missing` is how many images in ten lack some labels;
    `sizes`, heights and widths that take turns; `salt` changes fingerprint and content.
    """

    name: ClassVar[str] = "fake"
    summary: ClassVar[str] = "Noise with labels."
    download: ClassVar[str] = "Nothing to download."
    licence: ClassVar[str] = "none"
    default_size: ClassVar[tuple[int, int] | None] = (12, 16)
    needs_root: ClassVar[bool] = False

    def __init__(self, root: Path | None = None, **options: Any) -> None:
        super().__init__(root, **options)
        self.images = options.get("images", (6, 3))
        self.missing = options.get("missing", 5)
        self.sizes = options.get("sizes", ((24, 32),))

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        return TASKS

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        train, test = self.images
        return {
            "train": tuple(f"{i:04d}" for i in range(1, train + 1)),
            "test": tuple(f"té{i}" for i in range(test)),
        }

    def roles(self) -> Mapping[str, Role]:
        return {"train": "train", "test": "test"}

    def rng(self, split: str, key: str) -> np.random.Generator:
        text = f"{self.options.get('seed', 0)} {self.options.get('salt', '')} {split} {key}"
        return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        rng = self.rng(split, key)
        size = tuple(self.sizes[int(rng.integers(len(self.sizes)))])
        image = rng.integers(0, 256, (*size, 3), np.uint8)
        lacks = rng.random() < self.missing / 10
        shown = rng.permutation(len(TASKS))[: 2 if lacks else None]
        labels, valid = {}, {}
        for column, task in enumerate(TASKS):
            label, mask = random_label(task.kind, size, rng)
            if column in shown and task.name in tasks:
                labels[task.name], valid[task.name] = label, mask
        camera = Camera(20.0, 21.0, 16.0, 12.0) if rng.random() < 0.5 else None
        return Sample(key, image, labels, valid, camera)

    def fingerprint(self, split: str, key: str) -> bytes:
        return hashlib.sha256(f"{self.options} {split} {key}".encode()).digest()


class PaddedSource(FakeSource):
    """Images of several sizes on one canvas; a pixel of an image is never black."""

    padded_size = (128, 128)

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        sample = super().read(split, key, tasks)
        return replace(sample, image=np.maximum(sample.image, 1))


def fake_store(folder: Path, *, regimes: Sequence[str] = ("one",), **options: Any) -> Path:
    """Build a store from a `FakeSource` with these options, in this process."""
    from mtdata.building.build import RegimeSpec, build

    path = folder / "fake.h5"
    build(FakeSource(**options), path, regimes=[RegimeSpec(kind) for kind in regimes])
    return path


class Interrupted(BaseException):
    """What a test raises to end a build half-way, as Ctrl-C would."""


def stop_after(samples: int) -> Any:
    """A progress callback that ends a build when so many samples are done."""

    def progress(done: int, total: int, what: str) -> None:
        if done >= samples:
            raise Interrupted

    return progress


class SlowSource(FakeSource):
    """A `FakeSource` that takes its time, so that a build can be killed in the middle."""

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        time.sleep(self.options.get("pause", 0.01))
        return super().read(split, key, tasks)


class BrokenSource(FakeSource):
    """A `FakeSource` whose image `bad` has the fault `fault`."""

    def locate(self, split: str, key: str, task: str | None) -> Path | str:
        return f"/data/{task or 'rgb'}/{key}.png"

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        sample = super().read(split, key, tasks)
        if key != self.options.get("bad", "0003"):
            return sample
        fault = self.options["fault"]
        if fault == "exit":
            os._exit(1)
        if fault == "unreadable":
            raise PermissionError(13, "Permission denied")
        if fault == "bare":
            return replace(sample, labels={}, valid={})
        if fault == "void":
            return replace(sample, valid={n: np.zeros_like(v) for n, v in sample.valid.items()})
        bad = {
            "class": ("semantic", np.uint8(5)),
            "depth": ("depth", np.float32(99.0)),
            "NaN": ("disparity", np.float32("nan")),
            "length": ("normals", np.float32(0.3)),
            "binary": ("saliency", np.uint8(7)),
        }
        if fault == "size":
            labels = {**sample.labels, "semantic": np.zeros((3, 3), np.uint8)}
            return replace(sample, labels=labels)
        name, value = bad[fault]
        return replace(
            sample, labels={**sample.labels, name: np.full_like(sample.labels[name], value)}
        )
