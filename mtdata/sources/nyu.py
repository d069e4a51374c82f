"""NYU Depth v2: 1449 indoor frames with semantic classes and depth; normals come from depth."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from mtdata.errors import SampleError, SourceNotFoundError, UsageError
from mtdata.kinds import Normals
from mtdata.normals_from_depth import normals_from_depth
from mtdata.sample import Sample
from mtdata.sources.base import Role, Source, check_options
from mtdata.sources.imagefile import check_size, read_rgb
from mtdata.sources.nyu_frame import (
    CLASSES,
    DEPTH,
    FRAME,
    VALID_BOX,
    Decoded,
    camera_of,
    read_depth,
    read_normals,
    read_semantic,
)
from mtdata.sources.nyu_layout import Layout, scan
from mtdata.task import Task

NORMALS = ("computed", "given")


class Nyu(Source):
    """Prepared folders: `rgb/ depth/ semantic13/ semantic40/ splits.mat`, perhaps `normals/`.

    A file is named by the official index, 0001 to 1449. Frames are cropped to the valid area (rows
    44..470, columns 40..600 of 480x640) and then resized.

    Options:
        classes: 13 or 40.
        normals: "computed" from depth, or "given" in `normals/` (RGB = (n + 1) / 2 of 8 or 16 bits;
            x right, y up, z towards the camera; black is void).
    """

    name = "nyu"
    summary = "NYU Depth v2: 1449 indoor frames, 795 to train and 654 to test."
    download = (
        "Download nyu_depth_v2_labeled.mat and splits.mat from "
        "https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html and save the frames, cropped to "
        "rows 44..470 and columns 40..600, as rgb/0001.jpg, depth/0001.png (uint16, millimetres) "
        "and semantic13/0001.png or semantic40/0001.png (classes from 0, void 255) beside "
        "splits.mat in one folder: data/raw/nyu, or any other that --source names."
    )
    licence = "None stated; published for research. Cite Silberman et al., ECCV 2012."
    default_size = (288, 384)
    takes = ("classes", "normals")

    def __init__(self, root: Path | None, **options: Any) -> None:
        if root is None:
            raise SourceNotFoundError(
                f"`nyu` should be given a folder; found none. {self.download}"
            )
        self.classes, self.normals = _parse(options)
        super().__init__(Path(root), classes=self.classes, normals=self.normals)
        self._root = Path(root)
        self._folders = {"semantic": f"semantic{self.classes}", "depth": "depth"}
        if self.normals == "given":
            self._folders["normals"] = "normals"

    @classmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """Semantic classes, depth in metres, normals."""
        classes, _ = _parse(options)
        return (
            Task("semantic", CLASSES[classes]),
            Task("depth", DEPTH),
            Task("normals", Normals()),
        )

    @cached_property
    def layout(self) -> Layout:
        """The files, listed on first use."""
        return scan(self._root, self._folders, self.download)

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The official split, as far as its images are there."""
        return self.layout.splits

    def roles(self) -> Mapping[str, Role]:
        """The 654 frames that everybody calls validation or test are for testing."""
        return {"train": "train", "test": "test"}

    def remarks(self) -> tuple[str, ...]:
        """Frames of the official split that this copy does not hold."""
        return tuple(
            f"{absent} of the {absent + len(self.layout.splits[split])} official frames of {split} "
            "are not in this copy; scores do not compare with those on all of them."
            for split, absent in self.layout.absent.items()
            if absent
        )

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read a frame; its normals are computed from its depth unless they are given."""
        path = self.layout.images[key]
        image = read_rgb(path)
        size = image.shape[:2]
        if size == FRAME:
            raise SampleError(
                path,
                "should be cropped to the valid area; 480x640 is the size of a whole frame.",
                "Keep rows 44..470 and columns 40..600 of images and labels.",
            )
        decoded = {t: d for t in tasks if (d := self._label(t, key, size)) is not None}
        return Sample(
            key,
            image,
            {t: label for t, (label, _) in decoded.items()},
            {t: valid for t, (_, valid) in decoded.items()},
            camera_of(*size),
        )

    def fingerprint(self, split: str, key: str) -> bytes:
        """SHA-256 over the options and the bytes of all files of a frame."""
        labels = self.layout.labels.values()
        paths = [self.layout.images[key], *(files[key] for files in labels if key in files)]
        digest = sha256(repr(sorted(self.options.items())).encode())
        for path in paths:
            content = path.read_bytes()
            digest.update(f"{path.parent.name} {len(content)} ".encode() + content)
        return digest.digest()

    def box(self, split: str, key: str) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
        """The official frame, and the valid area of it."""
        return FRAME, VALID_BOX

    def locate(self, split: str, key: str, task: str | None) -> Path:
        """The file of an image or of what a label is made from."""
        if task is None:
            return self.layout.images[key]
        return self._root / self._folder(task) / f"{key}.png"

    def _folder(self, task: str) -> str:
        return self._folders.get(task, "depth")

    def _label(self, task: str, key: str, size: tuple[int, ...]) -> Decoded | None:
        """A label and its validity; None where there is no file for it."""
        computed = task == "normals" and self.normals == "computed"
        path = self.layout.labels[self._folder(task)].get(key)
        if path is None:
            return None
        if task == "semantic":
            label, valid = read_semantic(path, self.classes)
        elif task == "normals" and not computed:
            label, valid = read_normals(path)
        else:
            label, valid = read_depth(path)
        check_size(label, path, size)
        return normals_from_depth(label, valid, camera_of(*size)) if computed else (label, valid)


def _parse(options: Mapping[str, Any]) -> tuple[int, str]:
    """Classes and normals, checked."""
    check_options(Nyu, options)
    classes, normals = options.get("classes", 13), options.get("normals", "computed")
    if classes not in CLASSES:
        raise UsageError(f"`classes` should be 13 or 40 for nyu; found {classes}.")
    if normals not in NORMALS:
        raise UsageError(f"`normals` should be computed or given; found {normals}.")
    return int(classes), str(normals)
