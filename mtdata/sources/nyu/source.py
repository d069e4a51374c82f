"""NYU Depth v2: 1449 indoor frames with semantic classes, depth and normals."""

import os
from collections.abc import Mapping
from functools import cached_property
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
from mtdata.sources.reader import FromReader, Reader
from mtdata.tasks.kinds import Depth, Normals
from mtdata.tasks.role import Role
from mtdata.tasks.task import Task

MTAN_FOLDERS = {"semantic": "label", "depth": "depth", "normals": "normal"}


class Nyu(FromReader, Source):
    """The official MATLAB file, prepared folders, or the `.npy` tree that MTAN distributes.

    Keys are official indices, but for the file numbers of MTAN.

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
        self._root = Path(root)
        self._chosen = asked.on(asked.layout or _recognise(self._root))
        super().__init__(self._root, **self._chosen.to_dict())

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

    @cached_property
    def reader(self) -> Reader:
        """What reads the layout that was recognised or asked for."""
        root, options = self._root, self._chosen
        if options.layout == "mat":
            return NyuMat(root, options)
        if options.layout == "folders":
            return NyuFolders(root, options, self.download)
        kinds = {task.name: task.kind for task in self.tasks(**self.options)}
        labels = {task: (folder, kinds[task]) for task, folder in MTAN_FOLDERS.items()}
        splits = {"train": "train", "test": "val"}
        return MtanTree(root, labels, splits=splits, options=self.options)

    def roles(self) -> Mapping[str, Role]:
        """The 654 frames that everybody calls validation or test are for testing."""
        return {"train": "train", "test": "test"}


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
