"""Listing the official layout of Cityscapes: four folders, each unpacked or in its zip file."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.sources.cityscapes.ids import IDS
from mtdata.sources.cityscapes.tree import (
    CAMERA,
    DISPARITY,
    IMAGES,
    SEMANTIC,
    CityscapesTree,
    Id,
    Place,
)
from mtdata.sources.files.archive import Archive
from mtdata.sources.files.files import Files, Tree, check_links, list_root, shown
from mtdata.sources.files.imagefile import decode_ids
from mtdata.tasks.facts import CITYSCAPES19
from mtdata.wording import counted

SUFFIXES = {
    IMAGES: "_leftImg8bit.png",
    SEMANTIC: "_gtFine_labelIds.png",
    DISPARITY: "_disparity.png",
    CAMERA: "_camera.json",
}
SPLITS = {"train": 2975, "val": 500}
"""Official images of the splits that have labels; those of the test split are not published."""
KEY = re.compile(r"[A-Za-z-]+_\d{6}_\d{6}")

LOOKED = 5
"""Labels whose ids are looked at."""

Places = Mapping[Id, Place]


def scan(
    root: Path, *, classes: int, depth: str, download: str, keep_unlabelled: bool = False
) -> CityscapesTree:
    """List the folders and zip files once.

    A city of a split with labels but no image, or with images but no label, is left out and told;
    a gap within a city is an error.

    Args:
        root: The folder they lie in.
        classes: 7 or 19.
        depth: Unit of depth; metres need a camera.
        download: What to say to somebody who has none of this.
        keep_unlabelled: Keep images without any label.

    Raises:
        SourceNotFoundError: where `root` is missing, empty, or not of this layout.
        SampleError: where a label has no image, an image no label, a key two files, or where a
            link or an archive is refused.
    """
    files, notes = _open(root, download)
    found = {folder: _list(files, folder) for folder in SUFFIXES}
    images, semantic, disparity = found[IMAGES], found[SEMANTIC], found[DISPARITY]
    _check_names(files, semantic)
    if not images:
        raise SourceNotFoundError(
            f"{files[IMAGES].path(IMAGES)} should hold images of train or val, such as "
            f"train/aachen/aachen_000000_000019{SUFFIXES[IMAGES]}; found none. {download}"
        )
    blind = disparity.keys() - found[CAMERA].keys() if depth == "m" else set()
    labelled = {at: place for at, place in disparity.items() if at not in blind} | semantic
    wanted = "gtFine or disparity" + (" with a camera" if blind else "")
    unseen = _alone(disparity | semantic, images, "this label has no image.")
    bare = set[Id]()
    if not keep_unlabelled:
        bare = _alone(images, labelled, f"this image has no label of {wanted}.")
    keys = _by_split(images.keys() - bare)
    notes += _gaps(bare, "image", "label") + _gaps(unseen, "label", "image") + _absent(keys)
    if blind & images.keys():
        notes.append(
            f"{counted(len(blind & images.keys()), 'image')} with a disparity but no camera, hence "
            "no depth in metres."
        )
    notes += _look_like_training_ids([semantic[at] for at in sorted(semantic.keys() & images)])
    return CityscapesTree(found, keys, tuple(notes), classes=classes, depth=depth)


def _open(root: Path, download: str) -> tuple[dict[str, Files], list[str]]:
    """Where each of the four is read from, and notes on what is there twice."""
    names = list_root(root, download)
    files: dict[str, Files] = {}
    notes = []
    for folder in SUFFIXES:
        archive = root / f"{folder}_trainvaltest.zip"
        if (root / folder).is_dir():
            files[folder] = Tree(root)
            if archive.exists():
                notes.append(f"{folder}/ is read, and not {archive.name} beside it.")
        elif archive.exists():
            check_links([archive], root)
            files[folder] = Archive(archive)
    if IMAGES not in files or not {SEMANTIC, DISPARITY} & files.keys():
        raise SourceNotFoundError(
            f"{root} should hold {IMAGES} and at least one of {SEMANTIC} and {DISPARITY}, each as "
            f"a folder or as {IMAGES}_trainvaltest.zip and so on; found {shown(names)}. {download}"
        )
    return files, notes


def _list(files: Mapping[str, Files], folder: str) -> dict[Id, Place]:
    """File by split and key; what is not named in the official way is none of ours."""
    found: dict[Id, Place] = {}
    seen: dict[str, Place] = {}
    for split in SPLITS if folder in files else ():
        for name in files[folder].names(f"{folder}/{split}/*/*{SUFFIXES[folder]}"):
            key = name.rpartition("/")[2].removesuffix(SUFFIXES[folder])
            place = Place(files[folder], name)
            if not KEY.fullmatch(key):
                continue
            first = seen.setdefault(key.lower(), place)
            if first is not place:
                raise SampleError(
                    place.path,
                    f"should be the only file of its name, in whatever case; {first.path} is "
                    "there too.",
                    "Remove the one that is not of the official download.",
                )
            found[split, key] = place
    return found


def _check_names(files: Mapping[str, Files], semantic: Places) -> None:
    """Refuse a gtFine that holds files of other names only: nothing of it would be read."""
    if SEMANTIC not in files or semantic:
        return
    other = [
        name for split in SPLITS for name in files[SEMANTIC].names(f"{SEMANTIC}/{split}/*/*.png")
    ]
    if other:
        raise SourceNotFoundError(
            f"{files[SEMANTIC].path(SEMANTIC)} should hold the official labelIds, such as "
            f"train/aachen/aachen_000000_000019{SUFFIXES[SEMANTIC]}; found none, but "
            f"{len(other)} other files such as {other[0].rpartition('/')[2]}. Training ids and "
            "colours are not read: unpack gtFine_trainvaltest.zip again, or move gtFine away."
        )


def _look_like_training_ids(places: Sequence[Place]) -> list[str]:
    """A note where labels hold no id above 19: 14 official ones are, sky and cars among them."""
    highest = -1
    for place in places[:: max(1, len(places) // LOOKED)][:LOOKED]:
        with suppress(SampleError):  # whoever reads it says so
            ids = decode_ids(place.read(), place.path)
            known = ids[ids < len(IDS)]
            highest = max(highest, int(known.max()) if known.size else -1)
    if not 0 <= highest <= len(CITYSCAPES19.names):
        return []
    return [
        f"labels look like training ids, not like the official labelIds: none that was looked at "
        f"is above {highest}. Classes are wrong then: unpack gtFine_trainvaltest.zip again."
    ]


def _alone(places: Places, others: Places, problem: str) -> set[Id]:
    """Those without a counterpart, all of them in cities that have no counterpart at all.

    Raises:
        SampleError: for one in a city that has others.
    """
    cities = {place.city for place in others.values()}
    alone = {at: place for at, place in places.items() if at not in others}
    for place in alone.values():
        if place.city in cities:
            raise SampleError(
                place.path, problem, "Other files of this city have: download the missing one."
            )
    return set(alone)


def _by_split(ids: set[Id]) -> dict[str, tuple[str, ...]]:
    keys = {name: tuple(sorted(key for split, key in ids if split == name)) for name in SPLITS}
    return {name: found for name, found in keys.items() if found}


def _gaps(alone: set[Id], what: str, missing: str) -> list[str]:
    counts = {name: sum(split == name for split, _ in alone) for name in SPLITS}
    return [
        f"Left out: {counted(count, what)} of {split}: no file of their cities has its {missing}."
        for split, count in counts.items()
        if count
    ]


def _absent(splits: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Sentences on official images that are not there."""
    absent = {name: total - len(splits.get(name, ())) for name, total in SPLITS.items()}
    return [
        f"{count} of the {SPLITS[split]} official images of {split} are not in this copy; scores "
        "do not compare with those on all of them."
        if split in splits
        else f"no image of {split} is in this copy."
        for split, count in absent.items()
        if count > 0
    ]
