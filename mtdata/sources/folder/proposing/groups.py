"""Files of a folder in groups that one pattern each can name."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mtdata.sources.files.files import check_links
from mtdata.sources.folder.matching import IMAGE_SUFFIXES, LABEL_SUFFIXES
from mtdata.sources.folder.proposing.words import known, split_of

SUFFIXES = (*IMAGE_SUFFIXES, *LABEL_SUFFIXES)
SEPARATORS = "_-."

Place = tuple[str, str, str]
"""Split folder, scene folder and stem of a file."""


@dataclass(frozen=True)
class Group:
    """Files that differ in split, scene and stem only.

    Args:
        folders: Names of the folders, `{split}` and `{scene}` among them.
        ending: What the stems of all files end in after the key, such as `_depth`.
        suffix: `.png`; `.*` where it varies.
        files: The files by place.
    """

    folders: tuple[str, ...]
    ending: str
    suffix: str
    files: dict[Place, Path]

    @property
    def name(self) -> str:
        """What the files are called: their ending, else their folder."""
        if self.ending:
            return self.ending.strip(SEPARATORS)
        own = [name for name in self.folders if not name.startswith("{")]
        return next((name for name in reversed(own) if known(name)), own[-1] if own else "")

    def pattern(self, start: str = "", end: str = "") -> str:
        """The pattern of the files; `start` and `end` are in their stems, but not in the keys."""
        name = f"{start}{{stem}}{end}{self.ending}{self.suffix}"
        return "/".join((*self.folders, name))


def find_groups(root: Path) -> list[Group]:
    """The groups of all images and arrays below a folder.

    Raises:
        SampleError: where a link leads out of it.
    """
    folders = dict(_walk(root))
    scenes = _scenes(folders)
    byform: dict[tuple[tuple[str, ...], str], dict[Place, Path]] = defaultdict(dict)
    for folder, names in folders.items():
        form, split, scene = _generalise(folder, scenes)
        for name in names:
            path = Path(root, *folder, name)
            # Suffixes of one file type are one: a folder may hold .jpg beside .JPEG.
            kind = ".jpg" if path.suffix.lower() == ".jpeg" else path.suffix.lower()
            byform[form, kind][split, scene, path.stem] = path
    groups = [
        group for (form, _), files in byform.items() for group in _by_ending(form, files)
    ]  # fmt: skip
    return sorted(groups, key=lambda group: group.pattern())


def affixes(stems: Iterable[str]) -> tuple[str, str]:
    """What all stems begin and end with that is more than part of a number."""
    found = list(stems)
    if len(found) < 2:
        return "", ""
    start, end = _common(found), _common([stem[::-1] for stem in found])[::-1]
    # Whole words only: numbers that all stems share belong to their keys.
    first = re.match(r"(?:[^_.-]*[A-Za-z][^_.-]*[_.-])*", start)
    last = re.search(r"(?:[_.-][^_.-]*[A-Za-z][^_.-]*)*$", end)
    return (first[0] if first else ""), (last[0] if last else "")


def _common(texts: list[str]) -> str:
    """What all texts begin with: what the first and the last of them do."""
    low, high = min(texts), max(texts)
    count = next((at for at, letter in enumerate(low) if letter != high[at]), len(low))
    return low[:count]


def _walk(root: Path) -> Iterable[tuple[tuple[str, ...], list[str]]]:
    for at, inner, names in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        check_links((path for name in inner if (path := Path(at, name)).is_symlink()), root)
        own = sorted(
            name for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        )  # fmt: skip
        if own:
            yield Path(at).relative_to(root).parts, own


def _scenes(folders: Iterable[tuple[str, ...]]) -> set[str]:
    """Names of folders that hold a scene: several beside each other, none with a known name."""
    inside: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for folder in folders:
        for depth, name in enumerate(folder):
            inside[folder[:depth]].add(name)
    return {
        name
        for names in inside.values()
        if len(names) > 1 and not any(known(name) or split_of(name) for name in names)
        for name in names
    }


def _generalise(folder: Sequence[str], scenes: set[str]) -> tuple[tuple[str, ...], str, str]:
    """The folders of a pattern, and the split and scene of this one."""
    form, split, scene = list(folder), "", ""
    for depth, name in enumerate(folder):
        if not split and split_of(name):
            form[depth], split = "{split}", name
        elif not scene and name in scenes:
            form[depth], scene = "{scene}", name
    return tuple(form), split, scene


def _by_ending(form: tuple[str, ...], files: dict[Place, Path]) -> list[Group]:
    """One group, or one for each ending where several files of one folder share a key."""
    cut = {place: _cut(place[2]) for place in files}
    bases = {(*place[:2], base) for place, (base, _) in cut.items()}
    several = len(bases) <= 0.75 * len(files)
    if not several:
        return [Group(form, "", _suffix(files.values()), files)]
    groups: dict[str, dict[Place, Path]] = defaultdict(dict)
    for place, (base, ending) in cut.items():
        groups[ending][*place[:2], base] = files[place]
    return [Group(form, ending, _suffix(found.values()), found) for ending, found in groups.items()]


def _cut(stem: str) -> tuple[str, str]:
    """A stem without its last word, and that word with what separates it."""
    place = max(stem.rfind(mark) for mark in SEPARATORS)
    word = stem[place + 1 :]
    return (stem[:place], stem[place:]) if place > 0 and word[:1].isalpha() else (stem, "")


def _suffix(paths: Iterable[Path]) -> str:
    count = Counter(path.suffix for path in paths)
    return next(iter(count)) if len(count) == 1 else ".*"
