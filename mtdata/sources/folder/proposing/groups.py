"""Files of a folder in groups that one pattern each can name."""

import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from mtdata.errors import SampleError
from mtdata.sources.files.files import check_links
from mtdata.sources.files.imagefile import read_rgb
from mtdata.sources.files.imageheader import read_header
from mtdata.sources.folder.matching import IMAGE_SUFFIXES, LABEL_SUFFIXES
from mtdata.sources.folder.proposing.evidence import MANY
from mtdata.sources.folder.proposing.words import is_image, known, labels, plain, split_of

SUFFIXES = {*IMAGE_SUFFIXES, *LABEL_SUFFIXES}
SEPARATORS = "_-."
T = TypeVar("T")

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
        own = [name for name in self.folders if not name.startswith("{")]
        folder = next((name for name in reversed(own) if known(name)), "")
        ending = self.ending.strip(SEPARATORS)
        if ending and (known(ending) or not folder):
            return ending
        return folder or (own[-1] if own else "")

    def pattern(self, start: str = "", end: str = "") -> str:
        """The pattern of the files; `start` and `end` are in their stems, but not in the keys."""
        name = f"{start}{{stem}}{end}{self.ending}{self.suffix}"
        return "/".join((*self.folders, name))


def find_groups(root: Path, suffixes: Collection[str] = SUFFIXES) -> list[Group]:
    """The groups of all images and arrays below a folder, or of what ends in these ways.

    Raises:
        SampleError: where a link leads out of it.
    """
    folders = dict(_walk(root, suffixes))
    scenes = _scenes(root, folders)
    byform: dict[tuple[tuple[str, ...], str], dict[Place, Path]] = defaultdict(dict)
    for folder, names in folders.items():
        form, split, scene = _generalise(folder, scenes)
        for name in names:
            path = Path(root, *folder, name)
            # Suffixes of one file type are one: a folder may hold .jpg beside .JPEG.
            kind = ".jpg" if path.suffix.lower() == ".jpeg" else path.suffix.lower()
            byform[form, kind][split, scene, plain(path.stem)] = path
    keys = _keys_of_images(byform)
    groups = [
        group for (form, _), files in byform.items() for group in _by_ending(form, files, keys)
    ]  # fmt: skip
    return sorted(groups, key=lambda group: group.pattern())


def sample(files: Sequence[T], count: int) -> list[T]:
    """So many of these, spread over the whole list, the first and the last among them."""
    if len(files) <= count:
        return list(files)
    return [files[round(at * (len(files) - 1) / (count - 1))] for at in range(count)]


def is_photo(path: Path) -> bool:
    """Whether the file can be read and has more colours than labels have."""
    try:
        if read_header(path).mode not in ("RGB", "RGBA"):
            return False
        pixels = read_rgb(path).reshape(-1, 3)
    except SampleError:
        return False
    return len(np.unique(pixels[:: max(1, len(pixels) // 20000)], axis=0)) > MANY


def affixes(stems: Iterable[str]) -> tuple[str, str]:
    """What all stems begin and end with that is more than part of a number."""
    found = list(stems)
    if len(found) < 2:
        return "", ""
    start, end = _common(found), _common([stem[::-1] for stem in found])[::-1]
    # Whole words only: numbers that all stems share belong to their keys.
    first = re.match(r"(?:[^_.-]*[A-Za-z][^_.-]*[_.-])*", start)
    last = re.search(r"(?:[_.-][^_.-]*[A-Za-z][^_.-]*)*$", end)
    before, after = (first[0] if first else ""), (last[0] if last else "")
    # A word ends at a digit as well, where it does in all stems: `depth0001`.
    rests = [stem[len(before) : len(stem) - len(after)] for stem in found]
    heads = {word[0] if (word := re.match(r"[A-Za-z]+(?=\d)", rest)) else "" for rest in rests}
    tails = {word[0] if (word := re.search(r"(?<=\d)[A-Za-z]+$", rest)) else "" for rest in rests}
    head, tail = ("".join(words) if len(words) == 1 else "" for words in (heads, tails))
    return before + head, tail + after


def _common(texts: list[str]) -> str:
    """What all texts begin with: what the first and the last of them do."""
    low, high = min(texts), max(texts)
    count = next((at for at, letter in enumerate(low) if letter != high[at]), len(low))
    return low[:count]


def _walk(root: Path, suffixes: Collection[str]) -> Iterable[tuple[tuple[str, ...], list[str]]]:
    """Folders with their files; what is no file (a pipe) is none, links out are refused."""
    for at, inner, names in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        check_links((path for name in inner if (path := Path(at, name)).is_symlink()), root)
        own = []
        for name in sorted(names):
            whole = f"{at}/{name}"
            if name.startswith(".") or Path(name).suffix.lower() not in suffixes:
                continue
            mode = os.lstat(whole).st_mode
            if stat.S_ISLNK(mode):
                check_links([Path(whole)], root)
                mode = Path(whole).stat().st_mode if Path(whole).exists() else 0
            if stat.S_ISREG(mode):
                own.append(name)
        if own:
            yield Path(at).relative_to(root).parts, own


def _scenes(root: Path, folders: Mapping[tuple[str, ...], list[str]]) -> set[str]:
    """Names of folders that hold a scene: several beside each other, none with a known name.

    What they hold must be alike: photographs in one and masks in another are no two scenes.
    """
    inside: dict[tuple[str, ...], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    below: dict[tuple[str, ...], list[Path]] = defaultdict(list)
    for folder, names in folders.items():
        first = {Path(name).suffix.lower(): Path(root, *folder, name) for name in reversed(names)}
        held = {_form(path) for path in first.values()}
        for depth, name in enumerate(folder):
            inside[folder[:depth]][name] |= held
            below[folder[: depth + 1]] += [Path(root, *folder, name) for name in names]
    return {
        name
        for parent, siblings in inside.items()
        if len(siblings) > 1
        and not any(known(name) or split_of(name) for name in siblings)
        and set.intersection(*siblings.values())
        and not _pictured([below[(*parent, name)] for name in siblings])
        for name in siblings
    }


def _pictured(folders: Sequence[Sequence[Path]]) -> bool:
    """Whether folders hold files of the same names, photographs in some and few colours in others.

    Of two that both are in colour only the pixels tell which holds labels of the other.
    """
    names = []
    for paths in folders:
        stems = [path.stem for path in paths]
        start, end = affixes(stems)
        names.append({stem[len(start) : len(stem) - len(end)] for stem in stems})
    if not set.intersection(*names):
        return False
    photos = [any(is_photo(path) for path in sample(paths, 3)) for paths in folders]
    return any(photos) and not all(photos)


def _form(path: Path) -> str:
    """Suffix, and for a PNG whether it is in colour: enough to tell photographs from masks."""
    suffix = path.suffix.lower()
    if suffix != ".png":
        return ".jpg" if suffix == ".jpeg" else suffix
    try:
        return f"{suffix} {read_header(path).mode}"
    except SampleError:
        return suffix


def _generalise(folder: Sequence[str], scenes: set[str]) -> tuple[tuple[str, ...], str, str]:
    """The folders of a pattern, and the split and scene of this one."""
    form, split, scene = list(folder), "", ""
    for depth, name in enumerate(folder):
        if not split and split_of(name):
            form[depth], split = "{split}", name
        elif not scene and name in scenes:
            form[depth], scene = "{scene}", name
    return tuple(form), split, scene


def _keys_of_images(byform: Mapping[tuple[tuple[str, ...], str], dict[Place, Path]]) -> set[str]:
    """What the names of the images may be without what says that they are images.

    A word after the last separator is a key (`img_apple`) or says what is in the file (`1_depth`):
    names of images tell, since those of labels begin with them.
    """
    keys: set[str] = set()
    for (form, kind), files in byform.items():
        folder = next((name for name in reversed(form) if known(name)), "")
        if kind not in IMAGE_SUFFIXES or (folder and not is_image(folder)):
            continue
        endings = Counter(ending for _, _, stem in files for ending, _ in _endings(stem))
        for _, _, stem in files:
            named = [base for ending, base in _endings(stem) if _says_image(ending, base)]
            several = any(count < len(files) for count in endings.values())
            if named and (several or kind == ".png"):
                keys.add(named[-1])
            elif kind == ".jpg" or is_image(folder):
                keys.add(stem)
    return keys


def _says_image(ending: str, base: str) -> bool:
    last = _endings(base)
    return is_image(ending.strip(SEPARATORS)) and not (last and labels(last[0][0]))


def _endings(stem: str) -> list[tuple[str, str]]:
    """Words that a stem ends in, one, two, and so on, each with what is before them."""
    found = []
    for place in range(len(stem) - 1, 0, -1):
        if stem[place] in SEPARATORS:
            if not stem[place + 1 : place + 2].isalpha():
                break
            found.append((stem[place:], stem[:place]))
    return found


def _by_ending(form: tuple[str, ...], files: dict[Place, Path], keys: set[str]) -> list[Group]:
    """A group for each ending: none, what is left of a name after the key of an image, or words."""
    count = Counter(ending for _, _, stem in files for ending, _ in _endings(stem))
    groups: dict[str, dict[Place, Path]] = defaultdict(dict)
    for (split, scene, stem), path in files.items():
        base, ending = _cut(stem, keys, count)
        groups[ending][split, scene, base] = path
    return [Group(form, ending, _suffix(found.values()), found) for ending, found in groups.items()]


def _cut(stem: str, keys: set[str], count: Mapping[str, int]) -> tuple[str, str]:
    if stem in keys:
        return stem, ""
    endings = _endings(stem)
    for ending, base in endings:
        if base in keys:
            return base, ending
    # No image tells: words that say what is in the file, if several files end in them.
    for ending, base in reversed(endings):
        if count[ending] > 1 and known(ending.strip(SEPARATORS)):
            return base, ending
    return stem, ""


def _suffix(paths: Iterable[Path]) -> str:
    """The suffix of all; patterns do not tell capital letters from small ones."""
    count = Counter(path.suffix.lower() for path in paths)
    return next(iter(count)) if len(count) == 1 else ".*"
