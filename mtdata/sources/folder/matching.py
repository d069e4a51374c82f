"""Files by pattern: `rgb/{stem}.jpg` says where images lie, `depth/{stem}.png` a label of them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path, PurePosixPath

from mtdata.errors import SampleError
from mtdata.sources.files.files import Tree

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
LABEL_SUFFIXES = (".png", ".npy", ".npz", ".tif", ".tiff", ".bmp", ".exr")
LONGEST = 255
"""Bytes that the name of a file may have, on every common file system."""
PLACE = re.compile(r"(\{[^{}]*\}|\*)")
FIELDS = ("split", "scene", "stem")

Place = tuple[str, str]
"""Name of the folder that `{split}` stands for ("" where the pattern has none), and key."""


@dataclass(frozen=True)
class Pattern:
    """Where the files of an image or a label lie, below the root of a source.

    `{stem}` is the key of an image; `{scene}` goes before it (key `scene_stem`), `{split}` is the
    folder of a split; `*` stands for anything without a slash.

    Args:
        text: Such as `train/rgb/{stem}.*`.

    Raises:
        ValueError: where the text is no such pattern.
    """

    text: str

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.text).parts
        if not parts or self.text.startswith("/") or ".." in parts or "\\" in self.text:
            raise ValueError("a pattern should be a path below the folder, with / between names")
        if "**" in self.text:
            raise ValueError("a pattern takes * for anything without a slash; ** is nothing")
        if max(map(len, map(str.encode, parts))) > LONGEST:
            raise ValueError(f"a name in a pattern should have at most {LONGEST} bytes")
        fields = self.fields
        for field in fields:
            if field not in FIELDS:
                known = ", ".join(f"{{{name}}}" for name in FIELDS)
                raise ValueError(f"a pattern takes {known}; there is no {{{field}}}")
        if fields.count("stem") != 1 or len(set(fields)) != len(fields):
            raise ValueError("a pattern should have {stem} once, and nothing else twice")

    @property
    def fields(self) -> list[str]:
        """Names in braces, in order."""
        return [part[1:-1] for part in PLACE.findall(self.text) if part != "*"]

    @property
    def suffix(self) -> str:
        """The end of the file names, in small letters; `.*` where any will do."""
        return PurePosixPath(self.text).suffix.lower()

    def find(self, root: Path, suffixes: Iterable[str]) -> dict[Place, Path]:
        """The files below `root` by split and key, in the order of their names.

        Raises:
            SampleError: where two files have one key, keys differ in case only, or a link leads
                out of `root`.
        """
        pieces = PLACE.split(self.text.removesuffix(PurePosixPath(self.text).suffix))
        ending = r"\.[^./]+" if self.suffix == ".*" else f"(?i:{re.escape(self.suffix)})"
        rule = re.compile("".join(map(_rule, pieces)) + ending)
        found: dict[Place, Path] = {}
        folded: dict[Place, str] = {}
        for name in Tree(root).names(_glob(pieces)):
            match, path = rule.fullmatch(unicodedata.normalize("NFC", name)), root / name
            if match is None or path.name.startswith(".") or path.suffix.lower() not in suffixes:
                continue
            place = _place(match.groupdict(), path)
            _check_new(place, path, root, found, folded)
            found[place] = path
            folded[place[0], place[1].casefold()] = place[1]
        return found


def expand(text: str, split: str, key: str) -> str:
    """The name that the file of a key would have, about: for messages."""
    return text.replace("{split}", split).replace("{stem}", key)


def _glob(pieces: Iterable[str]) -> str:
    """What finds all candidates: `*` stands for braces, and for what may be spelt in several ways.

    That is the ending, in capital or small letters, and letters that Unicode composes or not.
    """
    plain = (unicodedata.normalize("NFC", piece) for piece in pieces)
    known = ("*" if PLACE.fullmatch(piece) else escape(piece) for piece in plain)
    return re.sub(r"\*+", "*", re.sub(r"[^\x00-\x7f]+", "*", "".join(known))) + ".*"


def _rule(piece: str) -> str:
    if piece == "*":
        return "[^/]*"
    if PLACE.fullmatch(piece):
        return f"(?P<{piece[1:-1]}>[^/]+)"
    return re.escape(unicodedata.normalize("NFC", piece))


def _place(fields: Mapping[str, str], path: Path) -> Place:
    """Split and key; names come in the composed form of Unicode, whatever the file system has."""
    key = f"{fields['scene']}_{fields['stem']}" if "scene" in fields else fields["stem"]
    if not key.isprintable():
        raise SampleError(
            path, f"should have a name in UTF-8 that can be printed; found {key!r}.", "Rename it."
        )
    return fields.get("split", ""), key


def _check_new(
    place: Place, path: Path, root: Path, found: Mapping[Place, Path], folded: Mapping[Place, str]
) -> None:
    split, key = place
    if place in found:
        raise SampleError(
            path,
            f"this is a second file for `{key}`; the first is {found[place].relative_to(root)}.",
            "Keep one of them, or make the pattern say which is meant.",
        )
    other = folded.get((split, key.casefold()))
    if other is not None:
        raise SampleError(
            path,
            f"the keys `{other}` and `{key}` differ in capital letters only, which some file "
            "systems cannot tell apart.",
            "Rename one of them.",
        )
