"""What an image file says of itself before its pixels: size, depth, colours, orientation."""

import struct
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError

PNG_START = b"\x89PNG\r\n\x1a\n"
ORIENTATION = 0x0112
UPRIGHT = 1
EXIF_MARKS = (b"Exif\0\0", b"eXIf", b"Raw profile type", b"xap/1.0")
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
        SampleError: where it is neither.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with path.open("rb") as file:
            start = file.read(26)
            with Image.open(file, formats=("JPEG", "PNG")) as image:
                turn = _orientation(image)
                bits = start[24] if start.startswith(PNG_START) else 8
                alpha = "A" in image.getbands() or "transparency" in image.info
                return Header((image.height, image.width), image.mode, bits, alpha, turn)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, IndexError) as error:
        raise SampleError(
            path,
            "should be a JPEG or PNG; its header cannot be read.",
            "Copy or download the file again.",
        ) from error


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


def image_remarks(headers: Iterable[Header]) -> tuple[str, ...]:
    """What reading these images as 8-bit RGB changes in them, for people."""
    count: Counter[str] = Counter()
    for header in headers:
        count["have 16 bits a channel: they are scaled to 8"] += header.bits > 8
        count["have an alpha channel: it is dropped"] += header.alpha
        count["have a palette: its colours are taken"] += header.mode == "P"
        count["are grey: all three channels are the same"] += header.mode in ("L", "LA", "I;16")
        count["are CMYK: they are converted to RGB"] += header.mode == "CMYK"
        count["carry an EXIF orientation: they are turned by it"] += header.orientation != UPRIGHT
    return tuple(f"{number} of the images {what}." for what, number in count.items() if number)


def _orientation(image: Any) -> int:
    found = UPRIGHT
    with suppress(struct.error, SyntaxError, ValueError, KeyError, TypeError):
        found = int(image.getexif().get(ORIENTATION, UPRIGHT))
    return found if 1 <= found <= 8 else UPRIGHT
