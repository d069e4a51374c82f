"""Which split each image of one's own folder belongs to."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.hashing import digest
from mtdata.sources.files.files import check_links, read_text
from mtdata.sources.folder.matching import IMAGE_SUFFIXES, Place
from mtdata.sources.folder.tasks import Splits

SHOWN = 5
TRAIN = "train"

Assigned = Mapping[str, tuple[str, ...]]


def assign(places: Iterable[Place], splits: Splits | None, root: Path) -> Assigned:
    """The keys of each split, sorted; an image may be in none.

    Raises:
        SampleError: where a list is wrong.
        SourceNotFoundError: where a folder of a split holds no image.
    """
    if splits is None:
        return {TRAIN: tuple(sorted(key for _, key in places))}
    if splits.folders is not None:
        return _by_folder(places, splits.folders, root)
    keys = sorted(key for _, key in places)
    if splits.lists is not None:
        return _by_list(keys, splits.lists, root)
    share = splits.fraction or 0.0
    chosen = {key: is_test(key, share, splits.seed) for key in keys}
    return {
        TRAIN: tuple(key for key in keys if not chosen[key]),
        "test": tuple(key for key in keys if chosen[key]),
    }


def is_test(key: str, share: float, seed: int) -> bool:
    """Whether an image is kept for testing: a matter of its key alone, whatever else is there."""
    return int.from_bytes(digest("split", seed, key)[:8], "big") < share * 2**64


def _by_folder(places: Iterable[Place], folders: Mapping[str, str], root: Path) -> Assigned:
    found = list(places)
    for split, folder in folders.items():
        if not any(place == folder for place, _ in found):
            there = ", ".join(sorted({place for place, _ in found})) or "none"
            raise SourceNotFoundError(
                f"{root}: the split `{split}` should have images where {{split}} is `{folder}`; "
                f"there are none. Folders with images: {there}."
            )
    return {
        split: tuple(sorted(key for place, key in found if place == folder))
        for split, folder in folders.items()
    }


def _by_list(keys: list[str], lists: Mapping[str, str], root: Path) -> Assigned:
    known, owner = set(keys), dict[str, str]()
    assigned: dict[str, tuple[str, ...]] = {}
    for split, name in lists.items():
        path = root / name
        check_links([path], root)
        listed = read_list(path, known)
        if not listed:
            raise SampleError(
                path,
                f"should name the images of `{split}`; it names none.",
                "Add some, or remove it.",
            )
        for key in listed:
            if key in owner:
                raise SampleError(
                    path, f"`{key}` should be listed once; it is in {owner[key]} already.",
                    "Remove it from one of them.",
                )  # fmt: skip
            owner[key] = name
        assigned[split] = tuple(sorted(listed))
    return assigned


def read_list(path: Path, known: set[str]) -> list[str]:
    """The keys of a list: one a line, perhaps as a file name; `#` begins a remark."""
    lines = read_text(path).splitlines()
    entries = [text for line in lines if (text := line.partition("#")[0].strip())]
    listed = [_key(entry, known) for entry in entries]
    unknown = [key for key in listed if key not in known]
    if unknown:
        shown = ", ".join(unknown[:SHOWN]) + (", ..." if len(unknown) > SHOWN else "")
        raise SampleError(
            path,
            f"should name images that are there; {len(unknown)} of {len(listed)} are not: {shown}.",
            "An entry is the stem of a file that `images` in tasks.yaml matches.",
        )
    return listed


def _key(entry: str, known: set[str]) -> str:
    if entry in known:
        return entry
    name = Path(entry).name
    return Path(name).stem if Path(name).suffix.lower() in IMAGE_SUFFIXES else name
