"""What an image file says of itself before its pixels: size, depth, colours, orientation."""

import struct
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.allowed import allowed
from mtdata.sources.files.files import REMEDY, open_plain

PNG_START = b"\x89PNG\r\n\x1a\n"
STARTS = {
    b"II*\0": "TIFF", b"MM\0*": "TIFF", b"II+\0": "TIFF", b"MM\0+": "TIFF",
    b"BM": "BMP", b"RIFF": "WEBP", b"\x76\x2f\x31\x01": "EXR",
}  # fmt: skip
"""How files begin that are neither JPEG nor PNG."""
OTHERS = {
    b"GIF8": "GIF", b"8BPS": "PSD", b"%PDF": "PDF", b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL", b"\xff\x0a": "JPEG XL",
}  # fmt: skip
"""How files begin that hold pictures, which are not read here."""
BRANDS = {
    "HEIC": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
    "AVIF": (b"avif", b"avis"),
}
"""What such files say of themselves that begin as videos do."""
ORIENTATION = 0x0112
UPRIGHT = 1
WIDTH, HEIGHT, BITS, TURN, FORMAT = 256, 257, 258, 274, 339
"""Tags of a TIFF: its size, the bits of each channel, how it is turned, and
whether they hold whole numbers or floats (3)."""
FLOATS, BIG_TIFF = 3, 43
EXR_HEAD = 2**16
"""Bytes of an EXR in which its size is looked for."""
EXIF_MARKS = (b"Exif\0\0", b"eXIf", b"EXIF", b"Raw profile type", b"xap/1.0")
"""What stands before it in JPEG, PNG and WebP, and in texts."""
LOOKED_AT = 100
"""Images whose headers are read before a build, where all of them would take long."""
SMALLER = (
    "Make it smaller or remove it; `mtdata build` and `mtdata update` take more with "
    "--max-megapixels."
)
"""What to do about an image of more pixels than are allowed."""
T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """The header of an image file.

    `size` is height and width as the pixels lie in the file, before `orientation` (1 to 8, as EXIF
    numbers them; 1 is upright) turns them. `mode` is Pillow's: RGB, RGBA, L, LA, P, CMYK, ...; "F"
    for floats, whatever the number of channels.
    """

    size: tuple[int, int]
    mode: str
    bits: int
    alpha: bool
    orientation: int


def read_header(path: Path) -> Header:
    """Read the header of an image.

    Raises:
        SampleError: where it is none, or claims more pixels than are allowed.
    """
    with open_plain(path) as file:
        return parse_header(file, path)


def parse_header(file: BufferedReader | BytesIO, path: Path) -> Header:
    """As `read_header`, from an open file that `path` names in messages."""
    start = file.read(26)
    file.seek(0)
    floats = _exr(file, path) if form_of(start) == "EXR" else None
    if form_of(start) == "TIFF":
        floats = _float_tiff(file, path)
    if floats is not None:
        return floats
    file.seek(0)
    with open_image(file, path, ("JPEG", "PNG", "TIFF", "BMP", "WEBP")) as image:
        if image.height * image.width > allowed().pixels:
            raise too_large(path, (image.height, image.width))
        bits = start[24] if start.startswith(PNG_START) else 8
        if image.format == "TIFF":
            bits = max(image.tag_v2.get(BITS, (1,)))
        alpha = "A" in image.getbands() or "transparency" in image.info
        turn = _orientation(image)
        return Header((image.height, image.width), image.mode, bits, alpha, turn)


def _float_tiff(file: BufferedReader | BytesIO, path: Path) -> Header | None:
    """The header of a TIFF of floats: Pillow has no mode for most of these. None for all others."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    start = file.read(8)
    try:
        with warnings.catch_warnings(action="ignore"):
            tags = ImageFileDirectory_v2(start + file.read(8) if start[2] == BIG_TIFF else start)
            file.seek(tags.next)
            tags.load(file)
        if FLOATS not in tags.get(FORMAT, ()):
            return None
        size = int(tags[HEIGHT]), int(tags[WIDTH])
        header = Header(size, "F", max(tags[BITS]), False, int(tags.get(TURN, UPRIGHT)))
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error):
        return None  # whoever opens it as an image tells what is wrong
    return _checked(header, path)


def _exr(file: BufferedReader | BytesIO, path: Path) -> Header:
    """The header of an EXR: what its window of data claims is looked at before any pixel."""
    content = file.read(EXR_HEAD)
    at, window = 8, (0, 0, 0, 0)
    try:
        while content[at]:
            name, kind, rest = content[at:].split(b"\0", 2)
            if (name, kind) == (b"dataWindow", b"box2i"):
                window = struct.unpack_from("<4i", rest, 4)
            at += len(name) + len(kind) + 6 + int.from_bytes(rest[:4], "little")
    except (ValueError, IndexError, struct.error):
        raise _unreadable(path) from None
    left, top, right, bottom = window
    if right <= left or bottom <= top:
        raise _unreadable(path)
    return _checked(Header((bottom - top + 1, right - left + 1), "F", 32, False, UPRIGHT), path)


def _checked(header: Header, path: Path) -> Header:
    if header.size[0] * header.size[1] > allowed().pixels:
        raise too_large(path, header.size)
    return header


@contextmanager
def open_image(file: BufferedReader | BytesIO, path: Path, forms: tuple[str, ...]) -> Iterator[Any]:
    """Open an image with Pillow; whatever goes wrong with it inside is one kind of error.

    Raises:
        SampleError: where it is in none of these forms, broken, or far too large.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file, formats=forms) as image:
                yield image
    except Image.DecompressionBombError as error:
        raise too_large(path, None) from error
    except SampleError:
        raise
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError, IndexError) as error:
        file.seek(0)
        raise _unreadable(path, other_form(file.read(12))) from error


def form_of(content: bytes) -> str:
    """Which of these forms the bytes are in; empty where they are in none."""
    found = next((form for start, form in STARTS.items() if content.startswith(start)), "")
    return "" if found == "WEBP" and content[8:12] != b"WEBP" else found


def other_form(content: bytes) -> str:
    """Which form of pictures that is not read here the bytes are in; empty where in none known."""
    if content[4:8] == b"ftyp":
        return next((form for form, brands in BRANDS.items() if content[8:12] in brands), "")
    return next((form for start, form in OTHERS.items() if content.startswith(start)), "")


def png_size(content: bytes) -> tuple[int, int]:
    """Height and width as the bytes of a PNG say; zeros where they are cut off."""
    width, height = struct.unpack(">II", content[16:24].ljust(8, b"\0"))
    return height, width


def too_large(path: Path, size: tuple[int, int] | None) -> SampleError:
    """What to raise for an image that claims more pixels than are allowed."""
    found = "far more" if size is None else f"{size[0]}x{size[1]}"
    return SampleError(
        path,
        f"an image should have at most {allowed().pixels} pixels; it says {found}.",
        SMALLER,
    )


def _unreadable(path: Path, other: str = "") -> SampleError:
    should = "should be an image (JPEG, PNG, TIFF, BMP, WebP, EXR);"
    if other:
        return SampleError(path, f"{should} found {other}.", "Convert it to one of these.")
    return SampleError(path, f"{should} its header cannot be read.", REMEDY)


def orientation(content: bytes) -> int:
    """How the pixels of an image file have to be turned, 1 to 8; 1 where it does not say."""
    if not any(mark in content for mark in EXIF_MARKS) or form_of(content) == "TIFF":
        return UPRIGHT  # a TIFF that is turned is refused
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


def remarks_on(paths: Sequence[Path], *, turn: bool = False) -> tuple[str, ...]:
    """As `image_remarks`, of `LOOKED_AT` of these images at most, evenly spread."""
    chosen = spread(paths)
    among = "" if len(chosen) == len(paths) else f" {len(chosen)} (of {len(paths)})"
    return image_remarks(readable(chosen, read_header), turn=turn, among=among)


def readable(things: Iterable[T], read: Callable[[T], Header]) -> Iterator[Header]:
    """The headers of those that have one: whoever reads the others tells what is wrong."""
    for thing in things:
        with suppress(SampleError):
            yield read(thing)


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
    count = Counter(what for header in headers for what in conversions(header, turn=turn))
    of = f"{among} images that were looked at" if among else " images"
    return tuple(f"{number} of the{of} {what}." for what, number in sorted(count.items()))


def conversions(header: Header, *, turn: bool) -> tuple[str, ...]:
    """What reading an image as 8-bit RGB changes in it; `turn` as in `image_remarks`."""
    turned_by = "they are turned by it" if turn else "it is ignored, labels are of what is stored"
    found = {
        "have 16 bits a channel: they are scaled to 8": header.bits > 8,
        "have an alpha channel: it is dropped": header.alpha,
        "have a palette: its colours are taken": header.mode == "P",
        "are grey: all three channels are the same": header.mode in ("L", "LA", "I;16"),
        "are CMYK: they are converted to RGB": header.mode == "CMYK",
        f"carry an EXIF orientation: {turned_by}": header.orientation != UPRIGHT,
    }
    return tuple(what for what, holds in found.items() if holds)


def _orientation(image: Any) -> int:
    found = UPRIGHT
    with suppress(struct.error, SyntaxError, ValueError, KeyError, TypeError):
        found = int(image.getexif().get(ORIENTATION, UPRIGHT))
    return found if 1 <= found <= 8 else UPRIGHT
