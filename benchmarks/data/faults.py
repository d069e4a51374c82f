"""Faults that labels have in practice, planted into samples on purpose.

The benchmark `deep` and the tests of `mtdata verify --deep` share them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np

from mtdata.sources.rooms.source import Rooms
from mtdata.tasks.kinds import Depth
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task

LEAST, MOST = 4, 8
"""Pixels that a label is shifted by."""


class Fault(NamedTuple):
    """A fault: what it does to a sample, and the task of which it is to be told."""

    task: str
    kind: str
    change: Callable[[Sample, np.random.Generator], Sample]


def shift(task: str) -> Callable[[Sample, np.random.Generator], Sample]:
    """Move a label, or the image, by 4 to 8 pixels; what comes in repeats the border."""

    def change(sample: Sample, rng: np.random.Generator) -> Sample:
        far, angle = rng.uniform(LEAST, MOST), rng.uniform(0, 2 * np.pi)
        down, right = round(far * np.sin(angle)), round(far * np.cos(angle))
        values = sample.image if task == "image" else sample.labels[task]
        height, width = values.shape[:2]
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        return put(sample, task, values[rows[:, None], columns])

    return change


def swap(sample: Sample, rng: np.random.Generator) -> Sample:
    """Exchange two classes that cover a fiftieth of the image each."""
    label = sample.labels["semantic"]
    shares = np.bincount(label.ravel(), minlength=13) / label.size
    one, other = rng.permutation(np.flatnonzero(shares > 0.02))[:2]
    table = np.arange(256)
    table[[one, other]] = other, one
    return put(sample, "semantic", table[label].astype(label.dtype))


def scale(times: float) -> Callable[[Sample, np.random.Generator], Sample]:
    """Depth in another unit."""
    return lambda sample, rng: put(sample, "depth", sample.labels["depth"] * np.float32(times))


def inverse(sample: Sample, rng: np.random.Generator) -> Sample:
    """1/depth where depth should be."""
    return put(sample, "depth", 1 / sample.labels["depth"])


def turn(*axes: int) -> Callable[[Sample, np.random.Generator], Sample]:
    """Other axes of normals: each counted from 1, negative where its sign is wrong."""

    def change(sample: Sample, rng: np.random.Generator) -> Sample:
        normals = sample.labels["normals"]
        turned = [np.sign(axis) * normals[..., abs(axis) - 1] for axis in axes]
        return put(sample, "normals", np.stack(turned, -1).astype(np.float32))

    return change


def expose(times: float, base: float = 0) -> Callable[[Sample, np.random.Generator], Sample]:
    """Grey levels times something, from a base."""

    def change(sample: Sample, rng: np.random.Generator) -> Sample:
        return put(
            sample, "image", np.clip(sample.image * float(times) + base, 0, 255).astype(np.uint8)
        )

    return change


def same(task: str, value: Any) -> Callable[[Sample, np.random.Generator], Sample]:
    """One value everywhere."""

    def change(sample: Sample, rng: np.random.Generator) -> Sample:
        label = np.empty_like(sample.labels[task])
        label[:] = value
        return put(sample, task, label)

    return change


def put(sample: Sample, task: str, values: Any) -> Sample:
    """The sample with another image or label."""
    if task == "image":
        return replace(sample, image=values)
    return replace(sample, labels={**sample.labels, task: values})


def copied(image: Any, rng: np.random.Generator, *, mirrored: bool) -> Any:
    """The image as it comes out of another JPEG: not the same bytes."""
    image = image[:, ::-1] if mirrored else image
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 95))]
    return cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_UNCHANGED)


FAULTS: Mapping[str, Fault] = {
    "semantic shifted": Fault("semantic", "label shifted", shift("semantic")),
    "depth shifted": Fault("depth", "label shifted", shift("depth")),
    "normals shifted": Fault("normals", "label shifted", shift("normals")),
    "image shifted": Fault("image", "image shifted", shift("image")),
    "classes swapped": Fault("semantic", "classes swapped", swap),
    "depth 10 times": Fault("depth", "depth unit", scale(10)),
    "depth 100 times": Fault("depth", "depth unit", scale(100)),
    "depth 1000 times": Fault("depth", "depth unit", scale(1000)),
    "depth a tenth": Fault("depth", "depth unit", scale(0.1)),
    "depth inverse": Fault("depth", "inverse depth", inverse),
    "normals -x": Fault("normals", "axes of normals", turn(-1, 2, 3)),
    "normals -y": Fault("normals", "axes of normals", turn(1, -2, 3)),
    "normals -z": Fault("normals", "axes of normals", turn(1, 2, -3)),
    "normals y, x": Fault("normals", "axes of normals", turn(2, 1, 3)),
    "normals x, z, -y": Fault("normals", "axes of normals", turn(1, 3, -2)),
    "image dark": Fault("image", "image dark", expose(0.12)),
    "image bright": Fault("image", "image bright", expose(3, 60)),
    "image empty": Fault("image", "image empty", expose(0.03, 120)),
    "semantic constant": Fault("semantic", "label constant", same("semantic", 11)),
    "depth constant": Fault("depth", "label constant", same("depth", 2.5)),
    "normals constant": Fault("normals", "label constant", same("normals", (0, 0, 1))),
}
"""Faults of one image."""
DOUBLES: Mapping[str, tuple[str, bool]] = {
    "duplicate": ("duplicate within a split", False),
    "duplicate mirrored": ("duplicate within a split", True),
    "duplicate across": ("duplicate across splits", False),
    "duplicate across, mirrored": ("duplicate across splits", True),
}
"""Faults that copy the image of another: the kind, and whether it is mirrored."""


class PlantedRooms(Rooms):
    """Rooms of which some have faults; depth is stored as it is, in floats.

    Args:
        faults: By split and key, the fault; or the fault and the key of the training image that is
            copied.
        options: Those of `Rooms`.
    """

    name: ClassVar[str] = "rooms"

    def __init__(
        self, *, faults: Mapping[tuple[str, str], str | tuple[str, str]], **options: Any
    ) -> None:
        super().__init__(**options)
        self.faults = dict(faults)

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """Those of rooms, with depth that may be anything."""
        return tuple(
            replace(task, kind=Depth()) if task.name == "depth" else task
            for task in super().tasks(**options)
        )

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """A room, with its fault."""
        sample = super().read(split, key, tasks)
        fault = self.faults.get((split, key))
        rng = np.random.default_rng([self.seed, int(key)])
        if isinstance(fault, str):
            return FAULTS[fault].change(sample, rng)
        if fault is not None:
            name, other = fault
            image = super().read("train", other, []).image
            return put(sample, "image", copied(image, rng, mirrored=DOUBLES[name][1]))
        return sample
