"""What the files of a source may be, where somebody knows better than the default."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PIXELS = 2**26
"""Pixels that an image may have unless more are allowed: 8192 x 8192."""
MOST = 2**30
"""Pixels that can be allowed: OpenCV decodes no more."""


@dataclass(frozen=True)
class Allowed:
    """What is allowed: links that lead out of the folder of a source, pixels of one image."""

    links: bool = False
    pixels: int = PIXELS


_allowed = Allowed()


def allowed() -> Allowed:
    """What is allowed in this process."""
    return _allowed


def allow(what: Allowed) -> None:
    """Allow it from now on: for a worker process, which does as its parent does."""
    global _allowed  # noqa: PLW0603  one answer for a process, asked for at the bottom of decoders
    from PIL import Image

    _allowed = what
    # Pillow refuses what is twice as large as this; it is compared here, to the pixel.
    Image.MAX_IMAGE_PIXELS = max(what.pixels, PIXELS)


@contextmanager
def allowing(*, links: bool = False, pixels: int = PIXELS) -> Iterator[None]:
    """Allow more while a source is listed and read.

    Args:
        links: Follow links that lead out of the folder of a source, as DVC, git-annex and caches
            make them.
        pixels: How many pixels an image may have, `MOST` at most.
    """
    before = _allowed
    allow(Allowed(links, pixels))
    try:
        yield
    finally:
        allow(before)
