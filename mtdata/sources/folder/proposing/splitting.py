"""What a folder says of its splits: folders, lists, or nothing."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mtdata.errors import SampleError
from mtdata.sources.files.files import check_links
from mtdata.sources.folder.proposing.groups import Group
from mtdata.sources.folder.proposing.guesses import Line
from mtdata.sources.folder.proposing.words import split_of, words
from mtdata.sources.folder.splits import Entries, find_entries
from mtdata.wording import counted

SUFFIXES = (".txt", ".lst", ".csv")
TABLES = (".csv", ".tsv")
HEAD = 10_000
"""Characters of a table that are looked at."""
DEPTH = 3
"""Folders below the root in which lists are looked for."""
LARGEST = 50_000_000


@dataclass(frozen=True)
class Splitting:
    """The lines under `splits`, and what was told of lists that are not used."""

    lines: tuple[Line, ...]
    told: list[str] = field(default_factory=list)


def split_lines(root: Path, images: Group, entries: Entries) -> Splitting:
    """The lines under `splits`, with what they come from."""
    if "{split}" in images.folders:
        names = sorted({split for split, _, _ in images.files if split})
        counts = {name: sum(place[0] == name for place in images.files) for name in names}
        meant = Counter(split_of(name) for name in names)
        folders = tuple(
            # Of train2014 and train2017 each keeps its name.
            Line(
                (meant[split_of(name)] == 1 and split_of(name)) or name,
                name,
                counted(count, "image"),
            )
            for name, count in counts.items()
        )
        return Splitting((Line("folders", folders, "the folder that stands for {split}"),))
    found = [_Lists(root, paths, entries) for paths in _by_folder(root).values()]
    usable = [each for each in found if each.problem == ""]
    told = [each.problem for each in found if each.problem]
    if usable:
        best = max(usable, key=lambda each: (each.images, -each.absent))
        return Splitting(best.lines(), told)
    told += _tables(root)
    why = "no folders or lists of train and test here"
    if told:
        why = f"lists are here, and cannot be used: {'; '.join(told).removesuffix('.')}"
    return Splitting(
        (
            Line("fraction", 0.2, f"{why}: one in five to test"),
            Line("seed", 0, "by a hash of the key: images that are added change no others"),
        ),
        told,
    )


def _listed(root: Path, suffixes: Collection[str]) -> list[Path]:
    return [
        path
        for depth in range(DEPTH + 1)
        for path in sorted(root.glob("*/" * depth + "*"))
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    ]


def _tables(root: Path) -> list[str]:
    """What is said of files that have the split of each image in a column."""
    return [
        f"{path.relative_to(root).as_posix()} looks like a table of splits, which is not read: "
        "write a list of images for each split, such as train.txt and test.txt"
        for path in _listed(root, TABLES)
        if path.is_file() and not path.is_symlink() and _is_table(path)
    ]


def _is_table(path: Path) -> bool:
    """Whether half of the first lines have a column that is a split."""
    lines: list[str] = []
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
        lines = file.read(HEAD).splitlines()
    rows = [re.split(r"[,;\t]", line) for line in lines]
    said = sum(any(split_of(cell.strip(' "')) for cell in row) for row in rows if row[1:])
    return said > 1 and 2 * said >= len(rows)


def _by_folder(root: Path) -> dict[Path, dict[str, Path]]:
    """Lists named for a split, by folder: an exact name before one that has more words."""
    found: dict[Path, dict[str, Path]] = defaultdict(dict)
    paths = _listed(root, SUFFIXES)
    check_links((path for path in paths if path.is_symlink()), root)
    for exact in (True, False):
        for path in paths:
            split = split_of(path.stem) if exact else _split_in(path.stem)
            if split is not None and path.is_file() and path.stat().st_size < LARGEST:
                found[path.parent].setdefault(split, path)
    for lists in found.values():
        both = lists.pop("trainval", None)
        if both is not None and not lists.keys() & {"train", "val"}:
            lists["train"] = both
    return {folder: lists for folder, lists in found.items() if lists}


def _split_in(stem: str) -> str | None:
    """The split that one of the words of a name is: `train_list`, `split-val`, `trainval`."""
    found = words(stem)
    if "trainval" in found:
        return "trainval"
    splits = {split for word in found if (split := split_of(word))}
    others = [word for word in found if not split_of(word)]
    plain = {"list", "lists", "split", "files", "images", "names", "set", "aug", "ids", "pair",
             "pairs", "filenames", "image", "file"}  # fmt: skip
    return splits.pop() if len(splits) == 1 and set(others) <= plain else None


class _Lists:
    """The lists of one folder, read."""

    def __init__(self, root: Path, paths: dict[str, Path], entries: Entries) -> None:
        self.root, self.problem = root, ""
        self.found: dict[str, tuple[Path, int]] = {}
        self.absent = 0
        owner: dict[str, str] = {}
        for split, path in sorted(paths.items(), key=lambda item: item[0] != "train"):
            name = path.relative_to(root).as_posix()
            try:
                listed, absent = find_entries(path, entries)
            except SampleError as error:
                self.problem = f"{name}: {error}"
                return
            if not listed or len(absent) > len(listed):
                continue  # of something else, or of images that are not here
            twice = next((key for key in listed if key in owner), None)
            if twice is not None:
                self.problem = f"`{twice}` is in {name} and in {owner[twice]}"
                return
            owner |= dict.fromkeys(listed, name)
            self.found[split] = path, len(listed)
            self.absent += len(absent)
        if "train" not in self.found:
            names = ", ".join(path.relative_to(root).as_posix() for path in paths.values())
            self.problem = f"{names}: no list named train that names images of this folder"
        self.images = len(owner)

    images = 0

    def lines(self) -> tuple[Line, ...]:
        files = tuple(
            Line(split, path.relative_to(self.root).as_posix(), counted(count, "image"))
            for split, (path, count) in self.found.items()
        )
        made: Sequence[Line] = (Line("lists", files, "files that list images of this folder"),)
        if self.absent:
            why = f"{self.absent} names in them are of no image here"
            made = (*made, Line("absent", "skip", why))
        return tuple(made)
