"""Which group holds the images, and which files of another group are labels of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mtdata.sources.folder.proposing.groups import Group, Place, affixes, is_photo, sample
from mtdata.sources.folder.proposing.words import (
    is_image,
    is_plain_image,
    is_weak,
    labels,
    pictured,
)

Affixes = tuple[str, str]
NOTHING: Affixes = ("", "")
ARRAYS = (".npy", ".npz", ".exr")


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


@dataclass(frozen=True)
class Choice:
    """The images, what their stems have around the keys, and the labels that match them.

    `rivals` might be the images as well as these.
    """

    images: Group
    around: Affixes
    pairs: Sequence[Pair]
    others: Sequence[Group]
    rivals: Sequence[Group]


def choose(groups: Sequence[Group]) -> Choice | None:
    """The group that holds the images: by its name, what its files are, and the labels it has."""
    merged = [_with_other_suffixes(group, groups) for group in groups]
    scores = [(group, _score(group)) for group in merged]
    best = max((score for _, score in scores), default=0)
    if best <= 0:
        return None
    able = [_choice(group, groups) for group, score in scores if score == best]
    able = list({frozenset(each.images.files.values()): each for each in able}.values())
    able.sort(key=_rank, reverse=True)
    first = able[0]
    rivals = [each.images for each in able[1:] if _rank(each)[:2] == _rank(first)[:2]]
    return replace(first, rivals=rivals)


def _rank(choice: Choice) -> tuple[int, bool, int]:
    """`images` goes before `images_small`, where both have the same labels."""
    images = choice.images
    matched = sum(each.images for each in choice.pairs)
    return matched, is_plain_image(images.name), len(images.files)


def _choice(images: Group, groups: Sequence[Group]) -> Choice:
    taken = set(images.files.values())
    others = [group for group in groups if not taken.issuperset(group.files.values())]
    around, pairs = pair(images, others)
    return Choice(images, around, pairs, others, ())


def pair(images: Group, labels: Sequence[Group]) -> tuple[Affixes, list[Pair]]:
    """What the stems of the images have around their keys, and the labels that match them."""
    found = []
    for around in _arounds(images):
        keys = _keys(images, around)
        pairs = [made for group in labels if (made := _pair(images, keys, group))]
        found.append((around, pairs))
    return max(found, key=lambda each: (len(each[1]), sum(one.images for one in each[1])))


def partners(choice: Choice, groups: Sequence[Group]) -> list[Pair]:
    """Groups that match the images which were chosen."""
    keys = _keys(choice.images, choice.around)
    return [made for group in groups if (made := _pair(choice.images, keys, group))]


def _with_other_suffixes(group: Group, groups: Sequence[Group]) -> Group:
    """Images of a folder may be PNG beside JPEG: by its name, or as they are photographs."""
    files = dict(group.files)
    for other in groups:
        same = other is not group and (other.folders, other.ending) == (group.folders, group.ending)
        if not same or files.keys() & other.files.keys():
            continue
        if is_image(group.name) or (_are_photos(group) and _are_photos(other)):
            files |= {place: p for place, p in other.files.items() if p.suffix.lower() != ".npy"}
    return group if len(files) == len(group.files) else replace(group, suffix=".*", files=files)


def _score(group: Group) -> int:
    """How much a group looks like images; 0 where it cannot be."""
    paths = list(group.files.values())
    suffix = paths[0].suffix.lower()
    if suffix in ARRAYS or (
        (labels(group.name) or pictured(group.name)) and not is_image(group.name)
    ):
        return int(suffix in (".jpg", ".jpeg"))
    named = (4 if is_weak(group.name) else 8) if is_image(group.name) else 0
    if suffix in (".jpg", ".jpeg"):
        return named + 4
    if _are_photos(group):
        return named + 3
    return named if named > 4 else 0


def _are_photos(group: Group) -> bool:
    """Whether most of its files are; a JPEG is taken for one."""
    paths = sample(list(group.files.values()), 3)
    photos = sum(path.suffix.lower() in (".jpg", ".jpeg") or is_photo(path) for path in paths)
    return 2 * photos > len(paths)


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
