"""What a folder says of its splits: folders, lists, or nothing."""

from collections.abc import Sequence
from pathlib import Path

from mtdata.errors import MtdataError
from mtdata.sources.folder.proposing.groups import Group
from mtdata.sources.folder.proposing.guesses import Line
from mtdata.sources.folder.proposing.words import split_of
from mtdata.sources.folder.splits import read_list

LIST_FOLDERS = ("", "splits", "lists", "ImageSets")


def split_lines(root: Path, images: Group, keys: set[str]) -> tuple[Line, ...]:
    """The lines under `splits`, with what they come from."""
    if "{split}" in images.folders:
        names = sorted({split for split, _, _ in images.files if split})
        counts = {name: sum(place[0] == name for place in images.files) for name in names}
        folders = tuple(
            Line(split_of(name) or name, name, f"{count} images") for name, count in counts.items()
        )
        return (Line("folders", folders, "the folder that stands for {split}"),)
    lists = _lists(root, keys)
    if lists:
        files = tuple(
            Line(split, path.relative_to(root).as_posix(), f"{count} images")
            for split, (path, count) in lists.items()
        )
        return (Line("lists", files, "files that list images of this folder"),)
    return (
        Line("fraction", 0.2, "no folders or lists of train and test here: one in five to test"),
        Line(
            "seed", 0, "by a hash of the key: images that are added change nothing for the others"
        ),
    )


def _lists(root: Path, keys: set[str]) -> dict[str, tuple[Path, int]]:
    found: dict[str, tuple[Path, int]] = {}
    for folder in LIST_FOLDERS:
        for path in sorted((root / folder).glob("*.txt")):
            split = split_of(path.stem)
            if split is None or split in found:
                continue
            try:
                listed = read_list(path, keys)
            except MtdataError:
                continue  # a list of something else
            if listed:
                found[split] = path, len(listed)
    return found if "train" in found else {}


def class_names(root: Path) -> Sequence[str]:
    """Names of classes that lie beside the data, one a line."""
    for name in ("classes.txt", "class_names.txt", "labels.txt", "names.txt"):
        try:
            text = (root / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        names = [line.strip() for line in text.splitlines() if line.strip()]
        if len(set(names)) == len(names):
            return names
    return ()
