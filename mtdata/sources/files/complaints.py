"""What image libraries print while they decode: the only trace that a damaged JPEG leaves.

libjpeg fills what it cannot decode with grey, returns as if nothing had happened and prints a line
on the error stream of the process.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import IO

PADDING = 64
"""Bytes after the last pixel that some cameras leave; damage leaves far more."""
OURS = re.compile(
    r"(Corrupt JPEG|Premature end of JPEG|Invalid SOS|Inconsistent progression|libpng )"
)
"""Lines of libjpeg and libpng."""
EXTRANEOUS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker")
_LOCK = Lock()
os.register_at_fork(after_in_child=lambda: globals().update(_LOCK=Lock()))


@contextmanager
def heard() -> Iterator[list[str]]:
    """Gather what libjpeg and libpng print meanwhile; all else goes where it would have gone."""
    lines: list[str] = []
    with _LOCK, _unnamed() as file:
        try:
            with suppress(AttributeError, OSError, ValueError):
                sys.stderr.flush()
            kept = os.dup(2)
        except OSError:  # there is no error stream to listen to
            yield lines
            return
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            _sort(file.read(), lines)


def _unnamed() -> IO[bytes]:
    """A file without a name, in memory where the system has that: a full disk is no trouble."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("heard"), "r+b")
    return tempfile.TemporaryFile()


def _sort(said: bytes, lines: list[str]) -> None:
    for line in said.splitlines(keepends=True):
        text = line.decode(errors="replace").strip()
        if OURS.match(text):
            lines.append(text)
        else:
            os.write(2, line)


def damage(lines: list[str]) -> str:
    """What the lines say is wrong with a JPEG; empty where they tell of padding only."""
    for line in lines:
        found = EXTRANEOUS.match(line)
        if found is None or int(found[1]) > PADDING:
            return line
    return ""
