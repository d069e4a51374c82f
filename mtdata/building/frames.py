"""A file of records that is only ever appended to and survives being cut off anywhere.

After a line that names the format come records: length, CRC-32, bytes. A process that is killed
leaves at most a torn record at the end, which is cut off when the file is opened again.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from mtdata.errors import UsageError

MAGIC = b"mtdata partial build 1\n"
FRAME = struct.Struct("<QI")


class Frames:
    """An open file of records, locked against every other process that would append to it.

    Args:
        path: The file; it is made where there is none.

    Raises:
        UsageError: where another process has it open, or it is something else.
        OSError: where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            self._lock()
            self._check()
        except BaseException:
            os.close(self._file)
            raise

    def scan(self) -> Iterator[tuple[int, bytes]]:
        """Yield place and bytes of every whole record, then cut off what follows them."""
        self.end = len(MAGIC)
        size = os.fstat(self._file).st_size
        while (payload := self._whole(self.end, size)) is not None:
            start = self.end + FRAME.size
            self.end = start + len(payload)
            yield start, payload
        os.ftruncate(self._file, self.end)

    def append(self, payload: bytes) -> int:
        """Add a record and return its place; where that fails, the file is as it was before.

        Raises:
            OSError: where the disk is full.
        """
        frame = FRAME.pack(len(payload), zlib.crc32(payload))
        try:
            self._write(frame + payload)
        except OSError:
            os.ftruncate(self._file, self.end)
            raise
        start = self.end + FRAME.size
        self.end = start + len(payload)
        return start

    def read(self, start: int, length: int) -> bytes:
        """The bytes of a record."""
        return os.pread(self._file, length, start)

    def clear(self) -> None:
        """Forget all records."""
        os.ftruncate(self._file, len(MAGIC))
        self.end = len(MAGIC)

    def close(self) -> None:
        """Close the file, which releases its lock; the file stays."""
        os.close(self._file)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(
                f"{self.path} is in use: another process builds the same store. Wait for it, or "
                "give another path with --out."
            ) from error

    def _check(self) -> None:
        found = os.pread(self._file, len(MAGIC), 0)
        if found != MAGIC:
            if not MAGIC.startswith(found):
                raise UsageError(
                    f"{self.path} should be a partial build; it is another kind of file. "
                    "Move it away, or give another path with --out."
                )
            # New, or killed while the very first bytes were written.
            os.ftruncate(self._file, 0)
            self._write(MAGIC)
        self.end = len(MAGIC)

    def _whole(self, start: int, size: int) -> bytes | None:
        """The record at `start`, or None where there is no whole one."""
        if start + FRAME.size > size:
            return None
        length, check = FRAME.unpack(os.pread(self._file, FRAME.size, start))
        if start + FRAME.size + length > size:
            return None
        payload = os.pread(self._file, length, start + FRAME.size)
        return payload if zlib.crc32(payload) == check else None

    def _write(self, data: bytes) -> None:
        view, place = memoryview(data), self.end
        while view:
            written = os.pwrite(self._file, view, place)
            view, place = view[written:], place + written
