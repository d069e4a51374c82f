"""Made-up rooms, ray-cast here, with exact labels for all six tasks."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mtdata.errors import UsageError
from mtdata.sources.base import Source
from mtdata.sources.rooms.rendering.draws import Draws
from mtdata.sources.rooms.rendering.scene import Scene
from mtdata.tasks.facts import PARTS7, SEMANTIC13
from mtdata.tasks.kinds import Binary, Depth, Normals
from mtdata.tasks.role import Role
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task

VERSION = 1
"""Grows whenever a scene or its picture changes."""


class Rooms(Source):
    """Rooms with furniture and people; nothing has to be downloaded.

    Scene `000012` of a split and seed is the same whatever number of images is asked for, at
    whatever size.

    Args:
        root: Not used.
        images: Number of training and of test images.
        seed: Another seed, other rooms.
        size: Height and width to render at.

    Raises:
        UsageError: where an option is out of range.
    """

    name: ClassVar[str] = "rooms"
    summary: ClassVar[str] = "Made-up rooms with exact labels for all six tasks, rendered here."
    download: ClassVar[str] = "Nothing to download: the images are made while the store is built."
    licence: ClassVar[str] = "As this software."
    default_size: ClassVar[tuple[int, int]] = (96, 128)
    needs_root: ClassVar[bool] = False
    takes: ClassVar[tuple[str, ...]] = ("images", "seed", "size")

    def __init__(
        self,
        root: Path | None = None,
        *,
        images: tuple[int, ...] = (400, 100),
        seed: int = 0,
        size: tuple[int, int] = default_size,
    ) -> None:
        super().__init__(root, images=images, seed=seed, size=size)
        if len(images) != 2 or min(images) < 0 or sum(images) == 0 or max(images) > 1_000_000:
            raise UsageError(
                "`images` should be the numbers of training and of test images, up to a million, "
                f"not both 0; found {images}."
            )
        if min(size) < 8:
            raise UsageError(f"`size` should be a height and a width of 8 or more; found {size}.")
        self.images, self.seed, self.size = tuple(images), int(seed), tuple(size)

    def stored_size(self) -> tuple[int, int]:
        """The size that rooms are rendered at: they are never resized."""
        return self.size[0], self.size[1]

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """All six."""
        return (
            Task("semantic", SEMANTIC13),
            Task("depth", Depth(unit="m", dtype="uint16", scale=0.001)),
            Task("normals", Normals()),
            Task("parts", PARTS7),
            Task("saliency", Binary()),
            Task("edges", Binary()),
        )

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """Keys are numbers from "000000" on."""
        counts = dict(zip(("train", "test"), self.images, strict=True))
        return {
            split: tuple(f"{i:06d}" for i in range(count))
            for split, count in counts.items()
            if count
        }

    def roles(self) -> Mapping[str, Role]:
        """The splits are named after their roles."""
        known: dict[str, Role] = {"train": "train", "test": "test"}
        return {split: known[split] for split in self.splits()}

    def scene(self, split: str, key: str) -> Scene:
        """The scene behind an image."""
        from mtdata.sources.rooms.rendering.furnishing.layout import draw_scene

        return draw_scene(Draws("rooms", VERSION, self.seed, split, key))

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Render an image with these labels, all pixels valid; without people no `parts`."""
        from mtdata.sources.rooms.rendering import render

        h, w = self.size
        picture = render(self.scene(split, key), (h, w), tasks)
        valid = {task: np.ones((h, w), bool) for task in picture.labels}
        return Sample(key, picture.image, picture.labels, valid, picture.camera)

    def fingerprint(self, split: str, key: str) -> bytes:
        """A digest of version, seed, split, key and size."""
        return sha256(repr((VERSION, self.seed, split, key, self.size)).encode()).digest()
