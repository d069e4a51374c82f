"""What lies in a `PASCAL_MT` folder, and which split each image belongs to."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.sources.files.files import check_files, check_links, list_root, read_text, shown

ARCHIVE = "PASCAL_MT"
"""The folder that the archive unpacks to; the one above it will do as well."""
IMAGES, LISTS = "JPEGImages", "ImageSets/Context"
OFFICIAL = {"train": 4998, "val": 5105}
CONTEXT, PARTS = "pascal-context/trainval", "human_parts"
FOLDERS = {
    "semseg/VOC12": (".png",),
    "semseg/pascal-context": (".png",),
    "normals_distill": (".png",),
    PARTS: (".mat",),
    "sal_distill": (".png",),
    CONTEXT: (".mat",),
}
"""The folders that labels are made from, and how their files end."""


@dataclass(frozen=True)
class Layout:
    """The images that are there.

    `images` and `labels[folder]` say which file belongs to a key; `splits` holds the keys of each
    split that have an image, sorted; `listed` counts the keys that its list names, with the others.
    """

    images: Mapping[str, Path]
    labels: Mapping[str, Mapping[str, Path]]
    splits: Mapping[str, tuple[str, ...]]
    listed: Mapping[str, int]


def scan(root: Path, download: str) -> Layout:
    """List the folders once.

    Args:
        root: The folder that holds `JPEGImages/`, or one with `PASCAL_MT/` in it.
        download: What to say to somebody who has none of this.

    Raises:
        SourceNotFoundError: where `root` is missing, empty, or not of this layout.
        SampleError: where a list is broken, or a key has two files or one spelt otherwise.
    """
    root = _home(root, download)
    check_files([root / LISTS / f"{split}.txt" for split in OFFICIAL], root)
    lists = {split: _keys(root / LISTS / f"{split}.txt") for split in OFFICIAL}
    _check_lists(root, lists)
    keys = [key for found in lists.values() for key in found]
    images = _files(root / IMAGES, (".jpg", ".jpeg"), keys)
    labels = {folder: _files(root / folder, ends, keys) for folder, ends in FOLDERS.items()}
    check_links([root / name for name in (IMAGES, *FOLDERS)], root)
    check_files([path for files in (images, *labels.values()) for path in files.values()], root)
    if not any(labels.values()):
        raise SourceNotFoundError(
            f"{root} should hold labels in one of {', '.join(f'{name}/' for name in FOLDERS)} at "
            f"least; found none for the images that {LISTS} lists. {download}"
        )
    splits = {name: tuple(sorted(images.keys() & found)) for name, found in lists.items()}
    return Layout(images, labels, splits, {name: len(found) for name, found in lists.items()})


def _home(root: Path, download: str) -> Path:
    """The folder with the images: `root` itself, or `PASCAL_MT` in it."""
    list_root(root, download)
    home = next((place for place in (root, root / ARCHIVE) if (place / IMAGES).is_dir()), root)
    missing = [f"{name}/" for name in (IMAGES, LISTS) if not (home / name).is_dir()]
    if missing:
        raise SourceNotFoundError(
            f"{root} should hold {IMAGES}/, {LISTS}/ and folders of labels; no "
            f"{' and no '.join(missing)} is there, found {shown(list_root(home, download))}. "
            f"{download}"
        )
    return home


def _keys(path: Path) -> tuple[str, ...]:
    """The image ids of a list, one on each line; none where there is no list."""
    if not os.path.lexists(path):
        return ()
    keys = tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
    for key in keys:
        if len(key.split()) > 1 or "/" in key or "\\" in key or key.startswith("."):
            raise _bad_list(path, f"found {key[:80]!r}")
    seen: dict[str, str] = {}
    for key in keys:
        other = seen.setdefault(key.casefold(), key)
        if other is not key:
            twice = "twice" if other == key else f"and {other}: they differ in case only"
            raise _bad_list(path, f"found {key} {twice}")
    return keys


def _bad_list(path: Path, found: str) -> SampleError:
    return SampleError(
        path,
        f"should name one image on each line, such as 2008_000008; {found}.",
        "Unpack the official list again.",
    )


def _check_lists(root: Path, lists: Mapping[str, tuple[str, ...]]) -> None:
    if not any(lists.values()):
        raise SourceNotFoundError(
            f"{root / LISTS} should hold train.txt and val.txt with image ids; found neither."
        )
    train = {key.casefold() for key in lists["train"]}
    both = [key for key in lists["val"] if key.casefold() in train]
    if both:
        raise SampleError(
            root / LISTS,
            f"should give each image to one split; {both[0]} is in train.txt and in val.txt.",
            "Unpack the official lists again.",
        )


def _files(folder: Path, ends: tuple[str, ...], keys: Iterable[str]) -> dict[str, Path]:
    """The file of each key that has one; what no list names is left alone."""
    found: dict[str, list[str]] = {}
    if folder.is_dir():
        for name in sorted(os.listdir(folder)):
            stem, end = os.path.splitext(name)
            if end.lower() in ends:
                found.setdefault(stem.casefold(), []).append(name)
    return {
        key: folder / _only(folder, key, found[key.casefold()])
        for key in keys
        if key.casefold() in found
    }


def _only(folder: Path, key: str, names: list[str]) -> str:
    if len(names) > 1:
        raise SampleError(
            folder / names[0],
            f"each image should have one file; {', '.join(names)} are all of {key}.",
            "Keep one of them.",
        )
    if Path(names[0]).stem != key:
        raise SampleError(
            folder / names[0],
            f"should be spelt as in the list, {key}; it differs in case.",
            "Rename the file or correct the list.",
        )
    return names[0]
