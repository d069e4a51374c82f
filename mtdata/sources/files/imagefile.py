"""Read image files strictly: a truncated or damaged file is an error, never a grey patch.

A JPEG has no checksums: damage that leaves a stream which can be decoded to the last byte goes
unseen. simplejpeg hands on the warnings of libjpeg, which OpenCV prints and Pillow drops; its
pixels are those of both, and 200 images of NYUv2 take 0.19 s against their 0.25 s.
"""

import re
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.allowed import allowed
from mtdata.sources.files.complaints import heard
from mtdata.sources.files.files import REMEDY, read_file
from mtdata.sources.files.imageheader import (
    PNG_START,
    form_of,
    orientation,
    png_size,
    too_large,
    turned,
)
from mtdata.sources.files.otherforms import (
    check_lossless,
    check_photo,
    decode_other,
    palette_indices,
)
from mtdata.wording import counted

PALETTE = 3
"""The colour type of a PNG with a palette, at byte 25."""
JPEG_START = b"\xff\xd8"
_CHANNELS = {1: "Save it without colours or alpha.", 3: "Save it in red, green and blue alone."}
PADDING = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker")
PADDED = 64
"""Bytes after the last pixel that some cameras leave; damage leaves far more."""


def read_rgb(path: Path, *, turn: bool = True) -> NDArray[np.uint8]:
    """An image as uint8 `[h, w, 3]`, red first; `turn` as in `decode_rgb`.

    Raises:
        SampleError: where the file is no whole image of a form that is known.
    """
    return decode_rgb(read_file(path), path, turn=turn)


def decode_rgb(content: bytes, path: Path, *, turn: bool = True) -> NDArray[np.uint8]:
    """As `read_rgb`, from the bytes of the file that `path` names in messages.

    16 bits are scaled to 8, an alpha channel is dropped; grey, palettes and CMYK become RGB.

    Args:
        content: The bytes.
        path: For messages.
        turn: Turn the pixels by the EXIF orientation, as every viewer does.
    """
    import cv2

    if content.startswith(JPEG_START):
        image = _decode_jpeg(content, path, "RGB")
    else:
        if form_of(content):
            check_photo(content, path)
        # OpenCV does not turn PNG before version 5, and its 16 bits are cut off, not scaled.
        flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
        image = _decode(content, path, flags)
        if image.dtype == np.uint16:
            image = ((image.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
        # In place: a photo of 67 million pixels takes 200 MB.
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), np.uint8)
    return turned(image, orientation(content)) if turn else image


def read_label(path: Path, dtype: str, *, channels: int = 1, turn: bool = True) -> NDArray[Any]:
    """A label as it lies in an image: `[h, w]`, or `[h, w, 3]` red first.

    Args:
        path: A PNG, TIFF, BMP or EXR.
        dtype: What it should hold, "uint8", "uint16" or "float32"; several are joined by "|".
        channels: 1 or 3.
        turn: Turn the pixels by the EXIF orientation of the label itself.

    Raises:
        SampleError: where the file is no whole image of that type.
    """
    return decode_label(read_file(path), path, dtype, channels=channels, turn=turn)


def decode_label(
    content: bytes, path: Path, dtype: str, *, channels: int = 1, turn: bool = True
) -> NDArray[Any]:
    """As `read_label`, from the bytes of the file that `path` names in messages."""
    import cv2

    label = _decode(content, path, cv2.IMREAD_UNCHANGED)
    found = label.shape[2] if label.ndim == 3 else 1
    types = dtype.replace("|", " or ")
    if found != channels or str(label.dtype) not in dtype.split("|"):
        raise SampleError(
            path,
            f"should have {counted(channels, 'channel')} of {types}; found {found} of "
            f"{label.dtype}.",
            f"Save it as {types}." if found == channels else _CHANNELS[channels],
        )
    label = label[..., ::-1] if channels == 3 else label
    return turned(label, orientation(content)) if turn else label


def read_floats(path: Path) -> NDArray[Any]:
    """Floats as they lie in a TIFF or EXR: `[h, w]`, or `[h, w, 3]` red first.

    Raises:
        SampleError: where the file is no whole image of these.
    """
    import cv2

    values = _decode(read_file(path), path, cv2.IMREAD_UNCHANGED)
    return values[..., ::-1] if values.ndim == 3 else values


def read_indices(path: Path, *, turn: bool = True) -> NDArray[Any]:
    """Class ids of an image `[h, w]`: the indices of a palette, else the grey values.

    Raises:
        SampleError: where the file is no whole PNG, TIFF, BMP or lossless WebP of up to 16 bits
            with one channel.
    """
    return decode_indices(read_file(path), path, turn=turn)


def decode_indices(content: bytes, path: Path, *, turn: bool = True) -> NDArray[Any]:
    """As `read_indices`, from the bytes of the file that `path` names in messages."""
    check_lossless(content, path)
    if form_of(content):
        indices = palette_indices(content, path)
        if indices is None:
            return decode_label(content, path, "uint8|uint16", turn=turn)
        return turned(indices, orientation(content)) if turn else indices
    if content[25:26] != bytes([PALETTE]) or not content.startswith(PNG_START):
        return _unscaled(decode_label(content, path, "uint8|uint16", turn=turn), content)
    from PIL import Image

    _check_whole(content, path)
    try:
        with Image.open(BytesIO(content)) as image:
            indices = np.array(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise SampleError(path, "should be an image; it cannot be decoded.", REMEDY) from error
    return turned(indices, orientation(content)) if turn else indices


def decode_ids(content: bytes, path: Path) -> NDArray[Any]:
    """Class ids of a published data set: a grey PNG of up to 8 bits, never turned, `[h, w]`."""
    return _unscaled(decode_label(content, path, "uint8", turn=False), content)


def _unscaled(label: NDArray[Any], content: bytes) -> NDArray[Any]:
    """Ids of 1, 2 or 4 bits as they lie in a PNG; OpenCV makes 0..255 of them, as of greys."""
    bits = content[24] if content.startswith(PNG_START) else 8
    return label // (255 // (2**bits - 1)) if bits < 8 else label


def check_size(label: NDArray[Any], path: Path | str, size: tuple[int, ...]) -> None:
    """Refuse a label that has not the height and width of its image.

    Raises:
        SampleError: naming both sizes.
    """
    if label.shape[:2] != size:
        raise SampleError(
            path,
            f"should have the size of its image, {size[0]}x{size[1]}; "
            f"found {label.shape[0]}x{label.shape[1]}.",
            "Resize the label by nearest neighbour, or take the image it was made for.",
        )


def _decode(content: bytes, path: Path, flags: int) -> NDArray[Any]:
    import cv2

    if content.startswith(JPEG_START):
        return _decode_jpeg(content, path, "BGR")
    if form_of(content):
        return decode_other(content, path, flags)
    _check_whole(content, path)
    try:
        with heard() as said:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        said, image = [error.err], None
    if image is None:
        why = f" ({said[-1]})" if said else ""
        raise SampleError(path, f"should be an image; it cannot be decoded{why}.", REMEDY)
    return np.asarray(image)


def _decode_jpeg(content: bytes, path: Path, colours: str) -> NDArray[np.uint8]:
    import simplejpeg

    try:
        height, width, found, _ = simplejpeg.decode_jpeg_header(content)
    except KeyError:
        return _decode_rare_jpeg(content, path, colours)
    except ValueError as error:
        if "subsampling" in str(error):
            return _decode_rare_jpeg(content, path, colours)
        why = f"should be a JPEG; it cannot be decoded: its header is broken or truncated ({error})"
        raise SampleError(path, f"{why}.", REMEDY) from error
    if height * width > allowed().pixels:
        raise too_large(path, (height, width))
    if colours == "BGR" and found == "Gray":
        colours = "GRAY"
    try:
        image = simplejpeg.decode_jpeg(content, colours)
    except ValueError as error:
        padding = PADDING.match(str(error))
        if padding is None or int(padding[1]) > PADDED:
            cut = "truncated" if "remature end" in str(error) else "damaged"
            wrong = f"should be a whole JPEG; it is {cut} ({error})."
            raise SampleError(path, wrong, REMEDY) from error
        image = simplejpeg.decode_jpeg(content, colours, strict=False)
    return np.asarray(image).squeeze(-1) if colours == "GRAY" else np.asarray(image)


def _decode_rare_jpeg(content: bytes, path: Path, colours: str) -> NDArray[np.uint8]:
    """A JPEG whose colours are sampled as simplejpeg has no name for: whole, or refused."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(content), formats=["JPEG"]) as image:
            if image.height * image.width > allowed().pixels:
                raise too_large(path, (image.height, image.width))
            grey = colours == "GRAY" or (colours == "BGR" and image.mode == "L")
            pixels = np.asarray(image.convert("L" if grey else "RGB"), np.uint8)
    except (OSError, SyntaxError) as error:
        none = isinstance(error, UnidentifiedImageError)
        why = "its header is broken or truncated" if none else error
        wrong = f"should be a whole JPEG; it cannot be decoded ({why})."
        raise SampleError(path, wrong, REMEDY) from error
    return pixels[..., ::-1] if colours == "BGR" and not grey else pixels


def _check_whole(content: bytes, path: Path) -> None:
    problem = _damage(content)
    if problem:
        raise SampleError(path, f"{problem}.", REMEDY)
    size = png_size(content)
    if size[0] * size[1] > allowed().pixels:
        raise too_large(path, size)


def _damage(content: bytes) -> str:
    """What is wrong with the bytes of a PNG; empty where nothing is."""
    if not content:
        return "should be an image; the file is empty"
    if content.startswith(PNG_START):
        return _png_damage(content)
    return f"should be a JPEG, PNG, TIFF, BMP or WebP; it starts with {content[:8].hex(' ')}"


def _png_damage(content: bytes) -> str:
    """Walk the chunks: each has a length, a name and a checksum; IEND is the last."""
    at = len(PNG_START)
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        end = at + 12 + length
        if end > len(content):
            break
        if zlib.crc32(content[at + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            return f"should be a whole PNG; the checksum at byte {end - 4} is wrong (damaged)"
        if content[at + 4 : at + 8] == b"IEND":
            return ""
        at = end
    return "should be a whole PNG; its end is missing (truncated)"
