"""What lies in the prepared folders of NYU Depth v2, and which split each frame belongs to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.sources.base import UNLABELLED_REMEDY
from mtdata.sources.files.files import check_files, list_root, shown
from mtdata.sources.files.matfile import load_mat
from mtdata.sources.files.normals_file import SUFFIXES

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
SPLITS_FILE = "splits.mat"
SPLITS = {"train": "trainNdxs", "test": "testNdxs"}
FRAMES = range(1, 1450)
AGAIN = "Download the official splits.mat again."


@dataclass(frozen=True)
class Layout:
    """The frames that are there.

    `images` and `labels[folder]` say which file belongs to a key; `splits` holds the keys of each
    split that have an image, sorted; `absent` counts those of the official split that have none.
    """

    images: Mapping[str, Path]
    labels: Mapping[str, Mapping[str, Path]]
    splits: Mapping[str, tuple[str, ...]]
    absent: Mapping[str, int]


def scan(
    root: Path, folders: Mapping[str, str], download: str, *, keep_unlabelled: bool = False
) -> Layout:
    """List the folders once.

    Args:
        root: The folder that holds `rgb/`, `splits.mat` and the label folders.
        folders: The folder of each task; one that is missing holds no labels.
        download: What to say to somebody who has none of this.
        keep_unlabelled: Whether frames without any label are no error.

    Raises:
        SourceNotFoundError: where `root` is missing, empty, or not of this layout.
        SampleError: where a label has no image, or an image no label at all.
    """
    _check_root(root, download)
    _check_folders(root, folders)
    images = numbered_files(root / "rgb", IMAGE_SUFFIXES)
    if not images:
        raise SourceNotFoundError(
            f"{root / 'rgb'} should hold frames named 0001.jpg to 1449.jpg; found none. {download}"
        )
    labels = {
        folder: numbered_files(root / folder, SUFFIXES if folder == "normals" else (".png",))
        for folder in folders.values()
    }
    for files in (images, *labels.values()):
        check_files(files.values(), root)
    check_files([root / SPLITS_FILE], root)
    official = official_splits(root / SPLITS_FILE)
    splits = {name: tuple(k for k in keys if k in images) for name, keys in official.items()}
    absent = {name: len(keys) - len(splits[name]) for name, keys in official.items()}
    layout = Layout(images, labels, splits, absent)
    _check_images(layout)
    if not keep_unlabelled:
        _check_labels(layout)
    return layout


def _check_root(root: Path, download: str) -> None:
    names = list_root(root, download)
    missing = [name for name in ("rgb", SPLITS_FILE) if name not in names]
    if missing:
        raise SourceNotFoundError(
            f"{root} should hold nyu_depth_v2_labeled.mat, or train/image/ with .npy files, or "
            f"rgb/, {SPLITS_FILE} and folders of labels; "
            f"no {' and no '.join(missing)} is there, found {shown(names)}. {download}"
        )


def _check_folders(root: Path, folders: Mapping[str, str]) -> None:
    """Refuse an option that asks for a folder which is not there."""
    semantic = folders["semantic"]
    others = [p.name for p in root.glob("semantic[14][03]") if p.name != semantic]
    if others and not (root / semantic).is_dir():
        raise SourceNotFoundError(
            f"{root} should hold {semantic}/; found {others[0]}/. "
            f"Use --classes {others[0].removeprefix('semantic')}, or add the folder."
        )
    if "normals" in folders and not (root / "normals").is_dir():
        raise SourceNotFoundError(
            f"{root} should hold normals/ for --normals given; it does not. "
            "Use --normals computed, or add the folder."
        )
    if not any((root / folder).is_dir() for folder in folders.values()):
        wanted = ", ".join(f"{folder}/" for folder in folders.values())
        raise SourceNotFoundError(
            f"{root} should hold labels in one of {wanted} at least; found none. Add a folder."
        )


def numbered_files(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """File by key, sorted; what is not named by four digits is none of ours.

    Raises:
        SampleError: where two files have one key.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() not in suffixes or not re.fullmatch(r"[0-9]{4}", path.stem):
            continue
        if path.stem in found:
            raise SampleError(
                path,
                f"is a second file of frame {path.stem}, beside {found[path.stem].name}.",
                "Keep one of them.",
            )
        found[path.stem] = path
    return found


def official_splits(path: Path) -> dict[str, tuple[str, ...]]:
    """The keys of the official split, from its 1-based indices.

    Raises:
        SampleError: where the file is not the official one.
    """
    content = load_mat(path, *SPLITS.values(), remedy=AGAIN)
    indices = {name: np.unique(content[field]) for name, field in SPLITS.items()}
    for found in indices.values():
        _check_indices(path, found)
    both = np.intersect1d(indices["train"], indices["test"])
    if both.size:
        raise SampleError(
            path,
            f"should give each frame to one split; frame {int(both[0])} is in both.",
            AGAIN,
        )
    return {name: tuple(f"{int(i):04d}" for i in found) for name, found in indices.items()}


def _check_indices(path: Path, indices: NDArray[Any]) -> None:
    """Whole numbers of frames that there are."""
    numbers = indices.dtype.kind in "buif"
    wrong = [i for i in indices.tolist() if i not in FRAMES] if numbers else indices[:1].tolist()
    if wrong:
        raise SampleError(
            path,
            f"should name frames 1 to {len(FRAMES)} of NYU Depth v2; found {wrong[0]}"
            + (f" and {len(wrong) - 1} more that are none." if len(wrong) > 1 else "."),
            AGAIN,
        )


def _check_images(layout: Layout) -> None:
    for files in layout.labels.values():
        for key, path in files.items():
            if key not in layout.images:
                raise SampleError(
                    path,
                    f"this label has no image; rgb/{key}.jpg is missing.",
                    "Add the image or remove the label.",
                )


def _check_labels(layout: Layout) -> None:
    for keys in layout.splits.values():
        for key in keys:
            if not any(key in files for files in layout.labels.values()):
                raise SampleError(
                    layout.images[key],
                    "this image has no label in any of " + ", ".join(layout.labels) + ".",
                    UNLABELLED_REMEDY,
                )
