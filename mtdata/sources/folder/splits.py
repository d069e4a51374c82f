"""Which split each image of one's own folder belongs to."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.hashing import digest
from mtdata.sources.files.files import check_links, read_text
from mtdata.sources.folder.file import line_of
from mtdata.sources.folder.matching import IMAGE_SUFFIXES, Place
from mtdata.sources.folder.tasks import Splits

SHOWN = 5
DEPTH = 4
"""The name of a file, and the folders before it, that an entry of a list may go by."""
TRAIN = "train"
HEADER = re.compile(
    r"(image|img|rgb|file|path|name|key|stem|id)s?([_ ]?(name|path|file|id)s?)?", re.IGNORECASE
)
"""What the first column of a table is called."""

Assigned = Mapping[str, tuple[str, ...]]
Entries = Mapping[str, str | None]
"""The key that each name in a list stands for; None where it may stand for several."""


def assign(
    places: Mapping[Place, Path], splits: Splits | None, root: Path
) -> tuple[Assigned, Sequence[str]]:
    """The keys of each split, sorted, and what lists name that is not there.

    An image may be in no split.

    Raises:
        SampleError: where a list is wrong.
        SourceNotFoundError: where a folder of a split holds no image.
    """
    if splits is None:
        return {TRAIN: tuple(sorted(key for _, key in places))}, ()
    if splits.folders is not None:
        return _by_folder(places, splits.folders, root), ()
    keys = sorted(key for _, key in places)
    if splits.lists is not None:
        return _by_list(places, splits, root)
    share = splits.fraction or 0.0
    chosen = {key: is_test(key, share, splits.seed) for key in keys}
    return {
        TRAIN: tuple(key for key in keys if not chosen[key]),
        "test": tuple(key for key in keys if chosen[key]),
    }, ()


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


def _by_list(
    places: Mapping[Place, Path], splits: Splits, root: Path
) -> tuple[Assigned, Sequence[str]]:
    known, owner = entries_of(places), dict[str, str]()
    assigned: dict[str, tuple[str, ...]] = {}
    missing: list[str] = []
    for split, name in (splits.lists or {}).items():
        path = root / name
        check_links([path], root)
        if not path.exists():
            raise SourceNotFoundError(
                f"{line_of(root, 'splits', 'lists', split)}: the list of the split `{split}` "
                f"should be a file; there is no {path}. Correct its name, or write it."
            )
        listed, absent = find_entries(path, known)
        if absent and splits.absent == "refuse":
            raise _unknown(path, absent, len(listed) + len(absent))
        missing += absent
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
    return assigned, missing


def entries_of(places: Mapping[Place, Path]) -> Entries:
    """What a list may call each image: its key, its file, its stem, each with folders before it."""
    known: dict[str, str | None] = {}
    for (_, key), path in places.items():
        parts = path.parts
        names = {"/".join(parts[-depth:]) for depth in range(1, DEPTH + 1)}
        for name in {*names, *(name.removesuffix(path.suffix) for name in names)}:
            # A name that two images go by says neither.
            plain = unicodedata.normalize("NFC", name)
            known[plain] = key if known.get(plain, key) == key else None
    return known | {key: key for _, key in places}


def find_entries(path: Path, known: Entries) -> tuple[list[str], list[str]]:
    """The keys that a list names, one a line, and the entries that name no image.

    A line may hold a key, or a file name with or without folders, and more behind it, such as the
    name of a label; `#` begins a remark. The first line of a CSV may name its columns.

    Raises:
        SampleError: where it cannot be read.
    """
    text = read_text(path)
    folders = frozenset(name.partition("/")[0] for name in known if "/" in name)
    listed: list[str] = []
    absent: list[str] = []
    for line in text.splitlines():
        entry = unicodedata.normalize("NFC", line.partition("#")[0].strip())
        if entry:
            key = _key(entry, known, folders)
            first = not listed and not absent and path.suffix.lower() == ".csv"
            if key is None and first and HEADER.fullmatch(re.split("[,;\t]", entry)[0].strip(' "')):
                continue
            (absent.append(entry) if key is None else listed.append(key))
    return listed, absent


def _key(entry: str, known: Entries, folders: AbstractSet[str]) -> str | None:
    """The image that an entry names; a whole line before its first column.

    Folders before those of the image are no matter; one of other images is: `kitchen/3` is not the
    image `office/3`.
    """
    first = re.split(r"[\s,;]+", entry, maxsplit=1)[0]
    for text in (entry, first):
        name = text.replace("\\", "/").strip("/").removeprefix("./")
        parts = name.split("/")
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            stem = tail.rpartition(".")[0]
            suffixed = "." + tail.rpartition(".")[2].lower() in IMAGE_SUFFIXES
            found = known.get(tail) or (known.get(stem) if suffixed else None)
            if found is not None:
                other = start > 0 and parts[start - 1] in folders and len(parts) - start < DEPTH
                return None if other else found
    return None


def _unknown(path: Path, absent: Sequence[str], count: int) -> SampleError:
    shown = ", ".join(absent[:SHOWN]) + (", ..." if len(absent) > SHOWN else "")
    return SampleError(
        path,
        f"should name images that are there; {len(absent)} of {count} are not: {shown}.",
        "An entry is the stem of a file that `images` in tasks.yaml matches. Say `absent: skip` "
        "under `splits` to go without them.",
    )
