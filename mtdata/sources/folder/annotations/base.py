"""What every format of annotations gives: the shapes of an image, in the order they are drawn in.

A file of somebody else's may hold anything. What is wrong in it is a `WrongError` that names the
entry; whoever knows the file makes a `SampleError` of it, which concerns that image alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from posixpath import normpath, splitext
from typing import Any, ClassVar, NamedTuple
from unicodedata import normalize

from mtdata import json_text
from mtdata.errors import SampleError
from mtdata.json_text import JsonError
from mtdata.sources.files.allowed import allowed
from mtdata.sources.files.files import open_plain, read_file
from mtdata.sources.folder.annotations.shapes import Shape, WrongError

NOT_DRAWN = "have annotations that are not drawn: "
"""How a note on an image begins that names what is skipped."""
LARGEST = 2**29
"""Bytes of a file; `instances_train2017.json` of COCO has 470 million."""
MOST = 10**9
"""What no coordinate reaches."""
SHOWN = 60


@dataclass(frozen=True)
class Drawing:
    """The annotations of one image.

    `size` is the height and width of the image as the file says, None where it does not; `skipped`
    counts what has no area, such as points, by what the tool calls it and its label; `around` is
    what some of these lie in, as far as that is said: nobody knows which pixels there are theirs.
    `image` is the path of the image as seen from the file of one, empty where it is not said.
    """

    size: tuple[int, int] | None
    shapes: Sequence[Shape]
    skipped: Mapping[str, int] = field(default_factory=dict)
    around: Sequence[Shape] = ()
    image: str = ""


class Content(NamedTuple):
    """What a file of many images says of one.

    `text` is as long as the annotations of that image, and changes with nothing but these; `labels`
    counts those that have an area by their labels.
    """

    text: bytes
    labels: Mapping[str, int]


class Format(ABC):
    """How one tool writes annotations down."""

    name: ClassVar[str]
    summary: ClassVar[str]
    suffix: ClassVar[str]
    order: ClassVar[str] = "listed"
    """What `mtdata init` proposes for what lies over what."""

    @abstractmethod
    def drawing(self, content: bytes) -> Drawing:
        """The annotations of one image, from its file or from its part of one.

        Raises:
            WrongError: naming what cannot be used.
        """


class WholeFormat(Format):
    """A format in which one file is of many images, and names them."""

    @abstractmethod
    def parts(self, content: bytes) -> Mapping[str, Content]:
        """What a file says of each image, by the name that it has there.

        Raises:
            WrongError: where the file is none of this format, or contradicts itself.
        """


def read_annotations(path: Path) -> bytes:
    """The bytes of a file of annotations.

    Raises:
        SampleError: where it cannot be read, or is too large to be one.
    """
    with open_plain(path) as file:
        size = file.seek(0, 2)
    if size > LARGEST:
        raise SampleError(
            path,
            f"should have at most {LARGEST} bytes; it has {size}.",
            "Export the annotations in several parts.",
        )
    return read_file(path)


def image_name(value: Any, where: str, *, below: str = "") -> str:
    """The path of an image in its folder, `spelled` in one way, with `/` between folders.

    Args:
        value: What a file says.
        where: The entry.
        below: The folder that the path begins in, itself below that of the source.

    Raises:
        WrongError: where it is none, or leads out of the folder.
    """
    text = value.replace("\\", "/") if isinstance(value, str) else ""
    if not text or not text.isprintable():
        raise WrongError(where, f"should name an image; found {shown(value)}.")
    path = normpath(f"{below}/{text}" if below else text)
    if text.startswith("/") or PureWindowsPath(text).drive or path.split("/")[0] == "..":
        raise WrongError(
            where,
            f"should name an image in the folder; {shown(value)} leads out of it.",
            "Write its path as seen from the folder.",
        )
    return spelled(path)


def entry_name(value: Any, where: str, others: Container[str]) -> str:
    """The name of an image in a file of many; what is no path in the folder stays as it is written.

    Args:
        value: What the file says.
        where: The entry.
        others: The names that there are already.

    Raises:
        WrongError: where another entry has the name.
    """
    try:
        name = image_name(value, where)
    except WrongError:
        written = value if isinstance(value, str) and value and value.isprintable() else ""
        taken = not written or written in others
        return f"{written or shown(value)} ({where})" if taken else written
    if name in others:
        raise WrongError(where, f"should have a name of its own; {name} is there twice.")
    return name


def spelled(path: str) -> str:
    """A path in one spelling, whatever tool or file system wrote it.

    Letters are composed as by Unicode's NFC, the ending is in small letters.
    """
    stem, ending = splitext(normalize("NFC", path))
    return stem + ending.lower()


def load_json(content: bytes) -> Any:
    """The value of a JSON file.

    Raises:
        WrongError: where it is none.
    """
    try:
        return json_text.load_json(content)
    except JsonError as error:
        raise WrongError("", f"should be JSON; {error}.", "Export it again.") from None


def number(value: Any, where: str) -> float:
    """A finite number.

    Raises:
        WrongError: where it is none.
    """
    if type(value) not in (int, float) or not -MOST < value < MOST:
        raise WrongError(where, f"should hold numbers below 1e9; found {shown(value)}.")
    return float(value)


def size_of(height: Any, width: Any, where: str) -> tuple[int, int]:
    """Height and width.

    Raises:
        WrongError: where they are none.
    """
    for value in (height, width):
        if type(value) is not int or not 0 < value < 2**31:
            raise WrongError(
                where,
                f"should say the height and width of the image; found {shown(height)} and "
                f"{shown(width)}.",
            )
    if height * width > allowed().pixels:
        raise WrongError(
            where,
            f"an image should have at most {allowed().pixels} pixels; {height}x{width} are more.",
            "Make it smaller, or allow more with --max-megapixels.",
        )
    return height, width


def shown(value: object) -> str:
    """A value in an error, cut where it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def named(label: object) -> str:
    """The label of what is not drawn, whatever it is."""
    return label if isinstance(label, str) and label and label.isprintable() else shown(label)
