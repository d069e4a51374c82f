"""NYU Depth v2: 1449 indoor frames with semantic classes, depth and normals."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mtdata.errors import SourceNotFoundError
from mtdata.sources.base import Source, check_options
from mtdata.sources.mtan.source import MtanTree, is_tree
from mtdata.sources.nyu.classes import FILE as MAPPING
from mtdata.sources.nyu.folders import NyuFolders
from mtdata.sources.nyu.frame import CLASSES, DEPTH
from mtdata.sources.nyu.layout import SPLITS_FILE
from mtdata.sources.nyu.mat import NyuMat
from mtdata.sources.nyu.matfile import FILE
from mtdata.sources.nyu.options import NyuOptions, parse
from mtdata.sources.published import Published
from mtdata.sources.reader import Box, Reader
from mtdata.tasks.kinds import Depth, Normals
from mtdata.tasks.role import Role
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task

MTAN_FOLDERS = {"semantic": "label", "depth": "depth", "normals": "normal"}


class Nyu(Source):
    """The official MATLAB file, prepared folders, or the `.npy` tree that MTAN distributes.

    Options:
        classes: 13 or 40.
        normals: "computed" from depth, or "given" in files (x right, y up, z towards the camera).
        depth: "filled" or "raw" (where the sensor saw nothing there is no label).
        crop: The part of the 480x640 frame that is kept: "default" (the area that image and depth
            share), "none", or top, left, height and width.
        layout: "folders", "mat" or "mtan"; what lies there, unless it is said.
        unlabelled: "refuse" frames without any label, or "keep" them.
    """

    name = "nyu"
    summary = "NYU Depth v2: 1449 indoor frames, 795 to train and 654 to test."
    download = (
        f"Download {FILE} (2.8 GB) and splits.mat from "
        "https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html into one folder: data/raw/nyu, or "
        "any other that --source names. Or put there the .npy tree that MTAN distributes (train/ "
        "and val/), or frames that are cropped and resized: rgb/0001.jpg, depth/0001.png (uint16, "
        "millimetres), semantic13/0001.png or semantic40/0001.png (classes from 0, void 255) and "
        "splits.mat."
    )
    licence = "None stated; published for research. Cite Silberman et al., ECCV 2012."
    space = "Download 3.0 GB; a store about 1 GB at 288x384, 56 MB at 96x128."
    official: ClassVar[Mapping[str, int]] = {"train": 795, "test": 654}
    published = (
        Published(
            FILE,
            "four loaders of it on GitHub agree, that of torch-uncertainty among them",
            "520609c519fba3ba5ac58c8fefcc3530",
            2_972_037_809,
        ),
        Published(
            SPLITS_FILE,
            "a loader on GitHub, and the copy that this is tested with",
            "08e3c3aea27130ac7c01ffd739a4535f",
            2626,
        ),
        Published(
            MAPPING,
            "the copy that this is tested with; its author gives none",
            "e377c88729dd63af81205ac9a8634a19",
            10_474,
        ),
    )
    default_size = (288, 384)
    takes = ("classes", "normals", "depth", "crop", "layout", "unlabelled")

    def __init__(self, root: Path | None, **options: Any) -> None:
        asked = _parse(options)
        if root is None:
            raise SourceNotFoundError(
                f"`nyu` should be given a folder; found none. {self.download}"
            )
        root = Path(root)
        chosen = asked.on(asked.layout or _recognise(root))
        super().__init__(root, **chosen.to_dict())
        self.reader = _reader(root, chosen, self.download)

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """Semantic classes, depth in metres, normals."""
        asked = _parse(options)
        # Prepared folders hold whole millimetres; the other layouts hold floats.
        depth = Depth(unit="m") if asked.layout in ("mat", "mtan") else DEPTH
        return (
            Task("semantic", CLASSES[asked.classes]),
            Task("depth", depth),
            Task("normals", Normals()),
        )

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The official split; the keys are official indices, but for MTAN's file numbers."""
        return self.reader.splits()

    def roles(self) -> Mapping[str, Role]:
        """The 654 frames that everybody calls validation or test are for testing."""
        return {"train": "train", "test": "test"}

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read a frame with those of its labels that are there."""
        return self.reader.read(split, key, tasks)

    def fingerprint(self, split: str, key: str) -> bytes:
        """SHA-256 over the options and all that a frame is read from."""
        return self.reader.fingerprint(split, key)

    def files(self, split: str, key: str) -> Sequence[Path]:
        """All that a frame is read from."""
        return self.reader.files(split, key)

    def box(self, split: str, key: str) -> tuple[tuple[int, int], Box] | None:
        """The official frame, and the part of it that is kept."""
        return self.reader.box(split, key)

    def locate(self, split: str, key: str, task: str | None) -> Path | str:
        """The file of an image or of what a label is made from."""
        return self.reader.locate(split, key, task)

    def remarks(self) -> tuple[str, ...]:
        """What this copy lacks, or does not say."""
        return self.reader.remarks()


def _parse(options: Mapping[str, Any]) -> NyuOptions:
    check_options(Nyu, options)
    return parse(options)


def _recognise(root: Path) -> str:
    """The layout by what lies there. Who prepared folders beside the official file wants those."""
    if (root / "rgb").is_dir():
        return "folders"
    if os.path.lexists(root / FILE):
        return "mat"
    return "mtan" if is_tree(root) else "folders"


def _reader(root: Path, options: NyuOptions, download: str) -> Reader:
    if options.layout == "mat":
        return NyuMat(root, options)
    if options.layout == "folders":
        return NyuFolders(root, options, download)
    kinds = {task.name: task.kind for task in Nyu.tasks(**options.to_dict())}
    labels = {task: (folder, kinds[task]) for task, folder in MTAN_FOLDERS.items()}
    splits = {"train": "train", "test": "val"}
    return MtanTree(root, labels, splits=splits, options=options.to_dict())
