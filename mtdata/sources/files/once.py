"""Reading each file of a sample once: whoever asks for it again gets the same bytes.

The fingerprint, the decoders and the look at a header are then of one and the same content, and a
file that was replaced between them cannot go unseen.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from mtdata.errors import SampleError

Stamp = tuple[int, int, int, int]
"""Size, time of the last change in nanoseconds, device and number of a file."""


def stamp_of(found: os.stat_result) -> Stamp:
    """What of a file changes when it is written again or replaced."""
    return found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino


class Reading:
    """The files of one sample: their bytes, and the stamps that they had when they were opened."""

    def __init__(self) -> None:
        self.held: dict[Path, bytes] = {}
        self.stamps: dict[Path, Stamp] = {}

    def check(self) -> None:
        """Refuse a sample of which a file was changed since it was opened.

        Raises:
            SampleError: naming the file.
        """
        for path, before in self.stamps.items():
            try:
                same = stamp_of(path.stat()) == before
            except OSError:
                same = False
            if not same:
                raise changed(path)


def changed(path: Path | str) -> SampleError:
    """What to raise for a file that is written while its image is read."""
    return SampleError(
        path,
        "should stay as it is while its image is read; it, or another file of this image, has "
        "changed meanwhile.",
        "Wait until nothing writes to the source, then continue with --resume.",
    )


_reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


@contextmanager
def reading_once() -> Iterator[Reading]:
    """Hold what is read inside, until the end of it."""
    token = _reading.set(reading := Reading())
    try:
        yield reading
    finally:
        _reading.reset(token)


def held(path: Path, load: Callable[[], tuple[bytes, Path, Stamp]]) -> bytes:
    """The bytes at a path, loaded unless they are held already.

    Args:
        path: Of the file, or of a member of one.
        load: Gives the bytes, the file that was opened for them, and its stamp.
    """
    reading = _reading.get()
    if reading is None:
        return load()[0]
    if path not in reading.held:
        reading.held[path], file, stamp = load()
        reading.stamps.setdefault(file, stamp)
    return reading.held[path]


def note(path: Path) -> None:
    """Say that a part of this file is read, by other means."""
    reading = _reading.get()
    if reading is not None and path not in reading.stamps:
        reading.stamps[path] = stamp_of(path.stat())
