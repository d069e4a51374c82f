"""The `.npy` trees that MTAN distributes, of NYU Depth v2 and of Cityscapes.

    {train,val}/{image,label,depth,normal}/{0, 1, ...}.npy

An image is a float array of [0, 1]; a class is -1 where void, depth is 0, a normal is the zero
vector. The integer file name is no official index: which frame it was is not documented.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.sources.base import UNLABELLED_REMEDY
from mtdata.sources.files.files import check_files, read_file
from mtdata.sources.files.imagefile import check_size
from mtdata.sources.mtan.arrays import DECODERS, read_image, rounding
from mtdata.sources.reader import Reader
from mtdata.tasks.kinds import Kind
from mtdata.tasks.sample import Sample

FOLDERS = ("train", "val")
DIGITS = 4
"""Keys are filled with zeros to so many digits: their order is then that of the numbers."""

Files = Mapping[str, Mapping[str, Path]]
"""Folder -> key -> file."""


def is_tree(root: Path) -> bool:
    """Whether a folder looks like one of MTAN's."""
    return any((root / folder / "image").is_dir() for folder in FOLDERS)


class MtanTree(Reader):
    """A tree of `.npy` files.

    Args:
        root: The folder that holds `train/` and `val/`.
        labels: Folder and kind of each task.
        splits: Folder of each split.
        options: Options of the source; they are part of the fingerprints.
    """

    def __init__(
        self,
        root: Path,
        labels: Mapping[str, tuple[str, Kind]],
        *,
        splits: Mapping[str, str],
        options: Mapping[str, Any],
    ) -> None:
        self.root = root
        self.labels = dict(labels)
        self.folders = dict(splits)
        self.options = dict(options)

    @cached_property
    def arrays(self) -> Mapping[str, Files]:
        """The files of each split, listed on first use."""
        names = ["image", *(folder for folder, _ in self.labels.values())]
        found = {
            split: {name: _arrays(self.root / folder / name) for name in names}
            for split, folder in self.folders.items()
        }
        if not any(files["image"] for files in found.values()):
            raise SourceNotFoundError(
                f"{self.root} should hold train/image/0.npy and so on; found no such file. "
                "Unpack the archive that MTAN distributes and give the folder with train/ and val/."
            )
        for split, files in found.items():
            for arrays in files.values():
                check_files(arrays.values(), self.root)
            _check_images(self.root / self.folders[split], files)
            if self.options.get("unlabelled") != "keep":
                _check_labels(files)
        return found

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The splits that hold images; a key is the number of a file, 0012 for 12.npy."""
        return {s: tuple(files["image"]) for s, files in self.arrays.items() if files["image"]}

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read the arrays of one image; the camera of these frames is not known."""
        image = read_image(self.arrays[split]["image"][key])
        labels: dict[str, NDArray[Any]] = {}
        valid: dict[str, NDArray[np.bool_]] = {}
        for task in tasks:
            folder, kind = self.labels[task]
            path = self.arrays[split][folder].get(key)
            if path is None:
                continue
            labels[task], valid[task] = DECODERS[kind.name](path, kind)
            check_size(valid[task], path, image.shape[:2])
        return Sample(key, image, labels, valid)

    def fingerprint(self, split: str, key: str) -> bytes:
        """SHA-256 over the options and the bytes of all files of an image."""
        digest = sha256(repr(sorted(self.options.items())).encode())
        for folder, found in self.arrays[split].items():
            if key in found:
                content = read_file(found[key])
                digest.update(f"{folder} {len(content)} ".encode() + content)
        return digest.digest()

    def files(self, split: str, key: str) -> list[Path]:
        """The arrays of an image."""
        return [found[key] for found in self.arrays[split].values() if key in found]

    def locate(self, split: str, key: str, task: str | None) -> Path:
        """The file of an image or a label."""
        folder = "image" if task is None else self.labels[task][0]
        default = self.root / self.folders[split] / folder / f"{int(key)}.npy"
        return self.arrays[split][folder].get(key, default)

    def remarks(self) -> tuple[str, ...]:
        """Which frames these are is unknown; and what rounding costs, seen at the first image."""
        remarks = [
            f"There is no file of `{task}`, in {folder}/: no image has that label."
            for task, (folder, _) in self.labels.items()
            if not any(files[folder] for files in self.arrays.values())
        ]
        remarks.append(
            "Which official image a file number of MTAN's arrays stands for, how it was cropped "
            "and with which camera it was taken is not documented: the store does not say it."
        )
        first = next(path for f in self.arrays.values() for path in f["image"].values())
        lost = rounding(first)
        if lost:
            remarks.append(
                f"Images are floats that 8 bits do not hold exactly ({lost:.2g} of 255 off at most "
                "in the first one): they are rounded, by half a step at most."
            )
        return tuple(remarks)


def _arrays(folder: Path) -> dict[str, Path]:
    """File by key, in the order of the numbers; what is not named by a number is none of ours."""
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.npy")) if folder.is_dir() else ():
        if not re.fullmatch(r"[0-9]+", path.stem):
            continue
        key = str(int(path.stem)).zfill(DIGITS)
        if key in found:
            raise SampleError(
                path,
                f"is a second file of number {int(key)}, beside {found[key].name}.",
                "Keep one of them.",
            )
        found[key] = path
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def _check_images(folder: Path, files: Files) -> None:
    """Every label has an image."""
    labels = {name: found for name, found in files.items() if name != "image"}
    for found in labels.values():
        for key, path in found.items():
            if key not in files["image"]:
                raise SampleError(
                    path,
                    f"this label has no image; {folder.name}/image/{int(key)}.npy is missing.",
                    "Add the image or remove the label.",
                )


def _check_labels(files: Files) -> None:
    """Every image has a label."""
    labels = {name: found for name, found in files.items() if name != "image"}
    for key, path in files["image"].items():
        if not any(key in found for found in labels.values()):
            raise SampleError(
                path,
                "this image has no label in any of " + ", ".join(labels) + ".",
                UNLABELLED_REMEDY,
            )
