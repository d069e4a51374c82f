"""Changing a few bytes of a file in place, so that a kill at any moment leaves it whole.

HDF5 writes what it changes in many places and in an order of its own. Here it changes a copy that
is in memory alone; then the differences are written: what is new behind the end of the data, where
nobody looks yet, and at last what makes it known. Where that is one page it is one write. Where it
is more, all of it is noted in a file beside the store first, and whoever opens the store after a
kill completes it.
"""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py

from mtdata.atomic import alone, disk_errors, sync, whole
from mtdata.errors import MtdataError
from mtdata.store import format as layout
from mtdata.store.opening.seekable import Seekable

PAGE = 4096
"""Bytes that a system writes at once."""
SIGNATURE = b"\x89HDF\r\n\x1a\n"
HEAD = 48
"""Bytes of the block that begins an HDF5 file: it tells where the data ends, and has a sum."""
Pages = dict[int, bytes]


class Overlay(Seekable):
    """A file whose changes stay in memory, page by page.

    Args:
        descriptor: The file; it is only read.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(os.fstat(descriptor).st_size)
        self._descriptor = descriptor
        self.changed: dict[int, bytearray] = {}

    def writable(self) -> bool:
        """It is."""
        return True

    def truncate(self, size: int | None = None) -> int:
        """Set the size; bytes beyond are forgotten when they are not written again."""
        self.size = self._place if size is None else size
        return self.size

    def readinto(self, buffer: Any) -> int:
        """Read, changes included."""
        view = memoryview(buffer).cast("B")
        wanted = max(0, min(len(view), self.size - self._place))
        found = os.pread(self._descriptor, wanted, self._place).ljust(wanted, b"\0")
        view[:wanted] = found
        for page in range(self._place // PAGE, (self._place + wanted - 1) // PAGE + 1):
            if page in self.changed:
                start = max(page * PAGE, self._place)
                end = min((page + 1) * PAGE, self._place + wanted)
                part = self.changed[page][start - page * PAGE : end - page * PAGE]
                view[start - self._place : end - self._place] = part
        self._place += wanted
        return wanted

    def write(self, data: Any) -> int:
        """Keep what would be written."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            page, start = divmod(self._place + done, PAGE)
            part = view[done : done + PAGE - start]
            self._page(page)[start : start + len(part)] = part
            done += len(part)
        self._place += done
        self.size = max(self.size, self._place)
        return done

    def _page(self, page: int) -> bytearray:
        if page not in self.changed:
            held = os.pread(self._descriptor, PAGE, page * PAGE)
            self.changed[page] = bytearray(held.ljust(PAGE, b"\0"))
        return self.changed[page]


@contextmanager
def changing(path: Path) -> Iterator[h5py.File]:
    """Yield a file to change; the changes are written if all went well. The caller holds the lock.

    Raises:
        MtdataError: where the disk is full or the file cannot be written.
    """
    path = path.resolve()
    with disk_errors(path, elsewhere=False):
        descriptor = os.open(path, os.O_RDWR)
        try:
            overlay = Overlay(descriptor)
            with h5py.File(overlay, "r+", libver=layout.LIBRARY) as file:
                yield file
            _write(path, descriptor, overlay)
        finally:
            os.close(descriptor)


def _write(path: Path, descriptor: int, overlay: Overlay) -> None:
    size, head = os.fstat(descriptor).st_size, os.pread(descriptor, HEAD, 0)
    end = _end_of_data(head) or size
    known: Pages = {}
    try:
        for page, held in sorted(overlay.changed.items()):
            before = os.pread(descriptor, PAGE, page * PAGE)
            after = bytes(held[: max(0, overlay.size - page * PAGE)])
            inside = max(0, min(PAGE, end - page * PAGE))
            if after[inside:] != before[inside:]:
                _pwrite(descriptor, after[inside:], page * PAGE + inside)
            if after[:inside] != before[:inside]:
                known[page * PAGE] = after[:inside]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise
    order = sorted(known)
    if 0 in known and _end_of_data(known[0]) < end:
        order.reverse()  # what is to lie behind the end must not be known any more
    first = os.pread(descriptor, PAGE, 0)
    only_end = 0 in known and known[0][HEAD:] == first[HEAD : len(known[0])]
    if len(known) - only_end > 1:
        _note(path, known)
    for place in order:
        _pwrite(descriptor, known[place], place)
        os.fsync(descriptor)
    _notes(path).unlink(missing_ok=True)


def _end_of_data(head: bytes) -> int:
    """Where the data of an HDF5 file ends, as its first bytes tell; 0 where they do not."""
    known = head.startswith(SIGNATURE) and head[8] in (2, 3) and head[9:11] == b"\x08\x08"
    return int.from_bytes(head[28:36], "little") if known else 0


def _pwrite(descriptor: int, data: bytes, place: int) -> None:
    while data:
        done = os.pwrite(descriptor, data, place)
        if not done:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        data, place = data[done:], place + done


def _notes(path: Path) -> Path:
    return path.with_name(f".{path.name}.change")


def _note(path: Path, pages: Pages) -> None:
    """Write down what is to be changed: whole, or not at all."""
    content = {
        "file": path.stat().st_ino,
        "pages": {str(place): data.hex() for place, data in pages.items()},
    }
    text = json.dumps(content)
    notes = _notes(path)
    with whole(notes) as fresh:
        fresh.write_text(f"{sha256(text.encode()).hexdigest()}\n{text}")
    sync(notes.parent)


def is_unfinished(path: Path) -> bool:
    """Whether a change of a store is under way, or was killed half-way."""
    return _notes(path.resolve()).exists()


def finish(path: Path) -> None:
    """Complete a change that was killed half-way.

    Raises:
        MtdataError: where it cannot be written.
    """
    path = path.resolve()
    if not _notes(path).exists():
        return
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        raise MtdataError(
            f"{path} should be writable once: a change of its regimes was killed half-way and has "
            "to be completed. Open it where it can be written (mtdata info)."
        )
    with alone(path):
        complete(path)


def complete(path: Path) -> None:
    """As `finish`, for who holds the lock of the store.

    Raises:
        MtdataError: where it cannot be written.
    """
    path = path.resolve()
    notes = _notes(path)
    with suppress(FileNotFoundError):
        digest, _, text = notes.read_text().partition("\n")
        content = json.loads(text) if sha256(text.encode()).hexdigest() == digest else {}
        # Notes on a file that was replaced meanwhile say nothing of this one.
        if content.get("file") == path.stat().st_ino:
            with disk_errors(path, elsewhere=False), path.open("r+b", buffering=0) as file:
                for place, data in content["pages"].items():
                    _pwrite(file.fileno(), bytes.fromhex(data), int(place))
                os.fsync(file.fileno())
        notes.unlink()
