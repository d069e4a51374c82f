"""Which group holds the images, and which files of another group are labels of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mtdata.sources.files.imageheader import read_header
from mtdata.sources.folder.proposing.groups import Group, Place, affixes
from mtdata.sources.folder.proposing.words import hints, is_image

Affixes = tuple[str, str]
NOTHING: Affixes = ("", "")


@dataclass(frozen=True)
class Pair:
    """A group of labels, what its stems have around the keys, and how many images match."""

    group: Group
    affixes: Affixes
    images: int

    @property
    def pattern(self) -> str:
        """The pattern of the labels."""
        return self.group.pattern(*self.affixes)


def choose_images(groups: Sequence[Group]) -> Group | None:
    """The group that holds the images: by its name, then by what its files are, then by count."""
    merged = [_with_other_suffixes(group, groups) for group in groups]
    able = [group for group in merged if _score(group) > 0]
    return max(able, key=lambda group: (_score(group), len(group.files)), default=None)


def pair(images: Group, labels: Sequence[Group]) -> tuple[Affixes, list[Pair]]:
    """What the stems of the images have around their keys, and the labels that match them."""
    found = []
    for around in _arounds(images):
        keys = _keys(images, around)
        pairs = [made for group in labels if (made := _pair(images, keys, group))]
        found.append((around, pairs))
    return max(found, key=lambda each: len(each[1]))


def _with_other_suffixes(group: Group, groups: Sequence[Group]) -> Group:
    """Images of a folder that is named for them may be PNG beside JPEG."""
    files = dict(group.files)
    for other in groups:
        same = other is not group and (other.folders, other.ending) == (group.folders, group.ending)
        if same and is_image(group.name) and not files.keys() & other.files.keys():
            files |= {place: p for place, p in other.files.items() if p.suffix.lower() != ".npy"}
    return group if len(files) == len(group.files) else replace(group, suffix=".*", files=files)


def _score(group: Group) -> int:
    """How much a group looks like images; 0 where it cannot be."""
    first = next(iter(group.files.values()))
    if first.suffix.lower() == ".npy":
        return 0
    named = 8 * is_image(group.name)
    if first.suffix.lower() != ".png":
        return named + 4
    if hints(group.name) and not named:
        return 0
    header = read_header(first)
    return named + (2 if header.mode in ("RGB", "RGBA") else 0)


def _arounds(group: Group) -> list[Affixes]:
    """What may belong to the stems of a group and not to its keys: nothing, end, start, both."""
    start, end = affixes(place[2] for place in group.files)
    return list(dict.fromkeys((NOTHING, ("", end), (start, ""), (start, end))))


def _keys(group: Group, around: Affixes) -> set[Place]:
    start, end = around
    return {
        (split, scene, stem[len(start) : len(stem) - len(end)])
        for split, scene, stem in group.files
        if stem.startswith(start) and stem.endswith(end) and len(stem) > len(start) + len(end)
    }


def _pair(images: Group, keys: set[Place], group: Group) -> Pair | None:
    """The group as labels of at least one image in ten, or of half its own files."""
    split, scene = (f"{{{name}}}" in images.folders for name in ("split", "scene"))
    if scene != ("{scene}" in group.folders) or (not split and "{split}" in group.folders):
        return None
    if split and "{split}" not in group.folders:
        keys = {("", scene, stem) for _, scene, stem in keys}
    best = Pair(group, NOTHING, 0)
    for around in _arounds(group):
        count = len(keys & _keys(group, around))
        best = max(best, Pair(group, around, count), key=lambda each: each.images)
    enough = best.images and best.images >= min(0.1 * len(keys), 0.5 * len(group.files))
    return best if enough else None


def sample(paths: Sequence[Path], count: int) -> list[Path]:
    """So many of these files, evenly spaced."""
    step = max(1, len(paths) // count)
    return list(paths[::step][:count])
