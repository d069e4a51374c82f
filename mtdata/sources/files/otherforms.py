"""Images that are neither JPEG nor PNG: TIFF, BMP, WebP, and EXR where OpenCV was built with it.

OpenCV decodes them, since it keeps 16 bits a channel and floats; Pillow says what they are, and
gives the indices of a palette. Both refuse what is cut off, but for a BMP by a few bytes and a TIFF
behind its last pixel, where OpenCV is the stricter one or nothing is lost.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.sources.files.complaints import heard
from mtdata.sources.files.files import REMEDY
from mtdata.sources.files.imageheader import BITS, UPRIGHT, form_of, open_image, parse_header

FORMS = ("TIFF", "BMP", "WEBP")
"""As Pillow names them."""
LOSSY = b"VP8 "
"""The chunk of a WebP whose colours are not those that were saved."""


def decode_other(content: bytes, path: Path, flags: int) -> NDArray[Any]:
    """Decode the first image of a file, blue first, as OpenCV does with these flags.

    Raises:
        SampleError: where it is cut off, damaged, larger than is allowed, turned by a tag, or of a
            form that this OpenCV cannot read.
    """
    import cv2

    form = form_of(content)
    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")
    check_other(content, path)
    try:
        with heard(), _silent():
            image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:
        image = None
    if image is None and form == "EXR":
        raise SampleError(
            path,
            "should be an EXR that this OpenCV can read; it cannot be decoded (most builds of "
            "OpenCV leave EXR out).",
            "Save it as .npy, .npz or a TIFF of floats.",
        )
    if image is None:
        raise SampleError(
            path, f"should be a whole {form}; it cannot be decoded (truncated or damaged).", REMEDY
        )
    return np.asarray(image)


def check_other(content: bytes, path: Path) -> None:
    """Look at the header before anything is decoded."""
    turn = parse_header(BytesIO(content), path).orientation
    if form_of(content) == "TIFF" and turn != UPRIGHT:
        # OpenCV turns it, and whoever drew the labels perhaps did not.
        raise SampleError(
            path,
            f"a TIFF should be upright; its tag of orientation is {turn}.",
            "Save it upright, without the tag.",
        )


def palette_indices(content: bytes, path: Path) -> NDArray[np.uint8] | None:
    """The indices of an image that has a palette, or one bit a pixel; None where it has neither.

    Raises:
        SampleError: where it is cut off or damaged, or has greys of 2 or 4 bits, which decoders
            spread over 0..255.
    """
    check_other(content, path)
    if parse_header(BytesIO(content), path).mode == "F":
        return None
    with open_image(BytesIO(content), path, FORMS) as image:
        if image.mode in ("P", "1"):
            return np.array(image).astype(np.uint8)
        bits = image.tag_v2.get(BITS, (8,))[0] if image.format == "TIFF" else 8
    if bits < 8:
        raise SampleError(
            path, f"ids in a TIFF should have 1, 8 or 16 bits; found {bits}.", "Save it as PNG."
        )
    return None


def check_photo(content: bytes, path: Path) -> None:
    """Refuse an image of floats.

    Raises:
        SampleError: as nobody says which value is white.
    """
    if parse_header(BytesIO(content), path).mode in ("F", "I"):
        raise SampleError(
            path,
            "an image should have 8 or 16 bits a channel; it has 32.",
            "Save it so: which value is white is not ours to guess.",
        )


def check_lossless(content: bytes, path: Path) -> None:
    """Refuse ids in a form that changes them.

    Raises:
        SampleError: for a JPEG, and a WebP that is not lossless.
    """
    lossy = "JPEG" if content.startswith(b"\xff\xd8") else ""
    if form_of(content) == "WEBP" and LOSSY in content[12:64]:
        lossy = "WebP with losses"
    if lossy:
        raise SampleError(
            path,
            f"ids and colours of classes should be in a form that keeps them; this is a {lossy}, "
            "whatever it is called.",
            "Save the label as PNG again, from where it was made.",
        )


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what OpenCV logs of a broken file: the error says it."""
    import cv2

    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
