"""Cityscapes: street scenes with semantic classes and depth from stereo."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from mtdata.errors import SourceNotFoundError, UsageError
from mtdata.sources.base import Source, check_options, unlabelled_option
from mtdata.sources.cityscapes.frame import DEPTHS
from mtdata.sources.cityscapes.ids import CLASSES
from mtdata.sources.cityscapes.scan import SPLITS, scan
from mtdata.sources.mtan.source import FOLDERS, MtanTree, is_tree
from mtdata.sources.published import Published
from mtdata.sources.reader import FromReader, Reader
from mtdata.tasks.kinds import Depth
from mtdata.tasks.role import Role
from mtdata.tasks.task import Task

PAGE = "as several guides and loaders quote the download page"


class Cityscapes(FromReader, Source):
    """`leftImg8bit gtFine disparity camera`, each as a folder or as the zip file of the download.

    Or the `.npy` tree that MTAN distributes. A key is the official id, aachen_000000_000019, or the
    number of a file of that tree. An image has the labels whose files are there.

    Options:
        classes: 7 or 19.
        depth: "disparity" (p / 65535, as the papers have it), "px" (disparity in pixels of the
            official 1024x2048 images, at whatever size they are stored) or "m" (metres).
        layout: "official" or "mtan"; what lies there, unless it is said.
        unlabelled: "refuse" images without any label, or "keep" them.
    """

    name = "cityscapes"
    summary = "Cityscapes: street scenes with stereo depth, 2975 to train and 500 (val) to test."
    download = (
        "Register at https://www.cityscapes-dataset.com and download "
        "leftImg8bit_trainvaltest.zip (11 GB), gtFine_trainvaltest.zip (241 MB), "
        "disparity_trainvaltest.zip (3.5 GB) and camera_trainvaltest.zip (2 MB) to one folder: "
        "data/raw/cityscapes, or any other that --source names. They need not be unpacked. Or put "
        "the .npy tree that MTAN distributes (train/ and val/) there."
    )
    licence = (
        "Own terms: research and teaching, no commercial use, no redistribution. "
        "Cite Cordts et al., CVPR 2016."
    )
    space = (
        "Download 15 GB; a store about 0.4 GB at 128x256 and 25 GB at its own size, both estimated "
        "from five images."
    )
    official: ClassVar[Mapping[str, int]] = SPLITS
    published = (
        Published("leftImg8bit_trainvaltest.zip", PAGE, "0a6e97e94b616a514066c9e2adb0c97f"),
        Published("gtFine_trainvaltest.zip", PAGE, "4237c19de34c8a376e9ba46b495d6f66"),
        Published(
            "disparity_trainvaltest.zip",
            "one loader on GitHub, confirmed by no other",
            "2c8272766993c983321f34c73daada5c",
        ),
        Published("camera_trainvaltest.zip", "no digest of it is known to us"),
    )
    default_size = (128, 256)
    takes = ("classes", "depth", "layout", "unlabelled")

    def __init__(self, root: Path | None, **options: Any) -> None:
        if root is None:
            raise SourceNotFoundError(
                f"`cityscapes` should be given a folder; found none. {self.download}"
            )
        self.classes, self.depth, layout = _parse(options)
        self._root = Path(root)
        if layout is None:
            layout = "mtan" if is_tree(self._root) else "official"
        _check_fit(layout, self.depth)
        chosen = {"classes": self.classes, "depth": self.depth, "layout": layout}
        super().__init__(self._root, **chosen, **unlabelled_option(options))

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """Semantic classes and depth."""
        classes, depth, layout = _parse(options)
        # MTAN's arrays hold floats, the official files integers.
        kind = Depth(unit="disparity") if layout == "mtan" else DEPTHS[depth]
        return Task("semantic", CLASSES[classes]), Task("depth", kind)

    @cached_property
    def reader(self) -> Reader:
        """What lies in the folder, listed on first use."""
        if self.options["layout"] == "mtan":
            return self._mtan()
        return scan(
            self._root,
            classes=self.classes,
            depth=self.depth,
            download=self.download,
            keep_unlabelled=self.keeps_unlabelled,
        )

    def roles(self) -> Mapping[str, Role]:
        """Everybody tests on val: the labels of the official test split are not public."""
        return {split: "train" if split == "train" else "test" for split in self.splits()}

    def _mtan(self) -> MtanTree:
        semantic = f"label_{self.classes}"
        # LibMTL passes the same arrays on with its 7 classes in `label`.
        if self.classes == 7 and not (self._root / "train" / semantic).is_dir():
            semantic = "label"
        kinds = {task.name: task.kind for task in self.tasks(**self.options)}
        labels = {"semantic": (semantic, kinds["semantic"]), "depth": ("depth", kinds["depth"])}
        splits = {folder: folder for folder in FOLDERS}
        return MtanTree(self._root, labels, splits=splits, options=self.options)


def _check_fit(layout: str, depth: str) -> None:
    if layout == "mtan" and depth != "disparity":
        raise UsageError(
            "`depth` should be disparity for the .npy tree that MTAN distributes; found "
            f"{depth}. Give the official files for that."
        )


def _parse(options: Mapping[str, Any]) -> tuple[int, str, str | None]:
    """Classes, depth and layout, checked."""
    check_options(Cityscapes, options)
    classes, depth = options.get("classes", 7), options.get("depth", "disparity")
    if classes not in CLASSES:
        raise UsageError(f"`classes` should be 7 or 19 for cityscapes; found {classes}.")
    if depth not in DEPTHS:
        raise UsageError(f"`depth` should be disparity, px or m for cityscapes; found {depth}.")
    layout = options.get("layout")
    if layout not in (None, "official", "mtan"):
        raise UsageError(f"`layout` should be official or mtan for cityscapes; found {layout}.")
    return int(classes), str(depth), layout
