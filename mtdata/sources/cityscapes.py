"""Cityscapes: street scenes with semantic classes and depth from stereo."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mtdata.errors import SourceNotFoundError, UsageError
from mtdata.sample import Sample
from mtdata.sources.base import Role, Source, check_options
from mtdata.sources.cityscapes_frame import DEPTHS
from mtdata.sources.cityscapes_ids import CLASSES
from mtdata.sources.cityscapes_scan import scan
from mtdata.sources.reader import Reader
from mtdata.task import Task


class Cityscapes(Source):
    """`leftImg8bit gtFine disparity camera`, each as a folder or as the zip file of the download.

    A key is the official id, aachen_000000_000019. An image has the labels whose files are there.

    Options:
        classes: 7 or 19.
        depth: "disparity" (p / 65535, as the papers have it), "px" (disparity in pixels of the
            official 1024x2048 images, at whatever size they are stored) or "m" (metres).
    """

    name = "cityscapes"
    summary = "Cityscapes: street scenes with stereo depth, 2975 to train and 500 (val) to test."
    download = (
        "Register at https://www.cityscapes-dataset.com and download "
        "leftImg8bit_trainvaltest.zip (11 GB), gtFine_trainvaltest.zip (241 MB), "
        "disparity_trainvaltest.zip (3.5 GB) and camera_trainvaltest.zip (2 MB) to one folder: "
        "data/raw/cityscapes, or any other that --source names. They need not be unpacked."
    )
    licence = (
        "Own terms: research and teaching, no commercial use, no redistribution. "
        "Cite Cordts et al., CVPR 2016."
    )
    default_size = (128, 256)
    takes = ("classes", "depth")

    def __init__(self, root: Path | None, **options: Any) -> None:
        if root is None:
            raise SourceNotFoundError(
                f"`cityscapes` should be given a folder; found none. {self.download}"
            )
        self.classes, self.depth = _parse(options)
        super().__init__(Path(root), classes=self.classes, depth=self.depth)
        self._root = Path(root)

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """Semantic classes and depth."""
        classes, depth = _parse(options)
        return Task("semantic", CLASSES[classes]), Task("depth", DEPTHS[depth])

    @cached_property
    def reader(self) -> Reader:
        """What lies in the folder, recognised and listed on first use."""
        return recognise(self._root, classes=self.classes, depth=self.depth, download=self.download)

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The official train and val, as far as their images are there."""
        return self.reader.splits()

    def roles(self) -> Mapping[str, Role]:
        """Everybody tests on val: the labels of the official test split are not public."""
        return {split: "train" if split == "train" else "test" for split in self.splits()}

    def remarks(self) -> tuple[str, ...]:
        """What this copy lacks."""
        return self.reader.remarks()

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read an image with those of these labels that it has."""
        return self.reader.read(split, key, tasks)

    def fingerprint(self, split: str, key: str) -> bytes:
        """Over the options and the bytes of all files of an image, zipped or not."""
        return self.reader.fingerprint(split, key)

    def locate(self, split: str, key: str, task: str | None) -> Path | str:
        """The file of an image or of a label."""
        return self.reader.locate(split, key, task)


def recognise(root: Path, *, classes: int, depth: str, download: str) -> Reader:
    """What reads the layout that lies in a folder.

    Raises:
        SourceNotFoundError: where it is none that is known.
    """
    return scan(root, classes=classes, depth=depth, download=download)


def _parse(options: Mapping[str, Any]) -> tuple[int, str]:
    """Classes and depth, checked."""
    check_options(Cityscapes, options)
    classes, depth = options.get("classes", 7), options.get("depth", "disparity")
    if classes not in CLASSES:
        raise UsageError(f"`classes` should be 7 or 19 for cityscapes; found {classes}.")
    if depth not in DEPTHS:
        raise UsageError(f"`depth` should be disparity, px or m for cityscapes; found {depth}.")
    return int(classes), str(depth)
