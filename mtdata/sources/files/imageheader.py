"""What an image file says of itself before its pixels: size, depth, colours, orientation."""

import struct
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError

LIMIT = 2**26
"""Pixels that an image may have (8192 x 8192): what claims more is refused before it is decoded."""
PNG_START = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112
UPRIGHT = 1
EXIF_MARKS = (b"Exif\0\0", b"eXIf", b"Raw profile type", b"xap/1.0")
LOOKED_AT = 100
"""Images whose headers are read before a build, where all of them would take long."""
T = TypeVar("T")
SAME_SIZE = (2, 3, 4)
"""Orientations that keep height and width: mirrored, upside down, both."""


@dataclass(frozen=True)
class Header:
    """The header of an image file.

    `size` is height and width as the pixels lie in the file, before `orientation` (1 to 8, as EXIF
    numbers them; 1 is upright) turns them. `mode` is Pillow's: RGB, RGBA, L, LA, P, CMYK, ...
    """

    size: tuple[int, int]
    mode: str
    bits: int
    alpha: bool
    orientation: int


def read_header(path: Path) -> Header:
    """Read the header of a JPEG or PNG.

    Raises:
        SampleError: where it is neither, or claims more pixels than `LIMIT`.
    """
    try:
        with path.open("rb") as file:
            return parse_header(file, path)
    except OSError as error:
        raise _unreadable(path) from error


def parse_header(file: BufferedReader | BytesIO, path: Path) -> Header:
    """As `read_header`, from an open file that `path` names in messages."""
    from PIL import Image, UnidentifiedImageError

    try:
        start = file.read(26)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(file, formats=("JPEG", "PNG"))
        with image:
            if image.height * image.width > LIMIT:
                raise too_large(path, (image.height, image.width))
            turn = _orientation(image)
            bits = start[24] if start.startswith(PNG_START) else 8
            alpha = "A" in image.getbands() or "transparency" in image.info
            return Header((image.height, image.width), image.mode, bits, alpha, turn)
    except Image.DecompressionBombError as error:
        raise too_large(path, None) from error
    except SampleError:
        raise
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, IndexError) as error:
        raise _unreadable(path) from error


def png_size(content: bytes) -> tuple[int, int]:
    """Height and width as the bytes of a PNG say; zeros where they are cut off."""
    width, height = struct.unpack(">II", content[16:24].ljust(8, b"\0"))
    return height, width


def too_large(path: Path, size: tuple[int, int] | None) -> SampleError:
    """What to raise for an image that claims more pixels than `LIMIT`."""
    found = "far more" if size is None else f"{size[0]}x{size[1]}"
    return SampleError(
        path,
        f"an image should have at most {LIMIT} pixels (8192x8192); it says {found}.",
        "Make it smaller, or remove it.",
    )


def _unreadable(path: Path) -> SampleError:
    return SampleError(
        path,
        "should be a JPEG or PNG; its header cannot be read.",
        "Copy or download the file again.",
    )


def orientation(content: bytes) -> int:
    """How the pixels of an image file have to be turned, 1 to 8; 1 where it does not say."""
    if not any(mark in content for mark in EXIF_MARKS):
        return UPRIGHT
    from PIL import Image

    # A tag that cannot be read turns nothing; pixels that cannot be read are found elsewhere.
    with suppress(OSError, SyntaxError, ValueError), Image.open(BytesIO(content)) as image:
        return _orientation(image)
    return UPRIGHT


def turned(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels `[h, w, ...]` as they are meant to be seen."""
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return np.ascontiguousarray(array)


def look(paths: Sequence[Path], *, turn: bool = False) -> tuple[str, ...]:
    """As `image_remarks`, of `LOOKED_AT` of these images at most, evenly spread."""
    chosen = spread(paths)
    among = "" if len(chosen) == len(paths) else f" {len(chosen)} (of {len(paths)})"
    return image_remarks(map(read_header, chosen), turn=turn, among=among)


def spread(things: Sequence[T]) -> Sequence[T]:
    """At most `LOOKED_AT` of them, evenly spread."""
    return things[:: max(1, -(-len(things) // LOOKED_AT))]


def image_remarks(
    headers: Iterable[Header], *, turn: bool = True, among: str = ""
) -> tuple[str, ...]:
    """What reading these images as 8-bit RGB changes in them, for people.

    Args:
        headers: Of the images.
        turn: Whether an orientation turns an image, or is ignored.
        among: How many of all these are, where they are not all.
    """
    count: Counter[str] = Counter()
    turned_by = "they are turned by it" if turn else "it is ignored, labels are of what is stored"
    for header in headers:
        count["have 16 bits a channel: they are scaled to 8"] += header.bits > 8
        count["have an alpha channel: it is dropped"] += header.alpha
        count["have a palette: its colours are taken"] += header.mode == "P"
        count["are grey: all three channels are the same"] += header.mode in ("L", "LA", "I;16")
        count["are CMYK: they are converted to RGB"] += header.mode == "CMYK"
        count[f"carry an EXIF orientation: {turned_by}"] += header.orientation != UPRIGHT
    of = f"{among} images that were looked at" if among else " images"
    return tuple(f"{number} of the{of} {what}." for what, number in count.items() if number)


def _orientation(image: Any) -> int:
    found = UPRIGHT
    with suppress(struct.error, SyntaxError, ValueError, KeyError, TypeError):
        found = int(image.getexif().get(ORIENTATION, UPRIGHT))
    return found if 1 <= found <= 8 else UPRIGHT
