"""Zip files read in place, as they were downloaded: nothing is unpacked.

An archive is looked through once before anything of it is read. What an honest one never holds is
refused: names that lead out of it, links, encryption, two members of one name, and members that
inflate beyond `LIMIT`.
"""

import re
import stat
import zlib
from collections import Counter
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from mtdata.errors import SampleError
from mtdata.lazy_file import LazyFile
from mtdata.sources.files.files import REMEDY, Files, matching, open_plain
from mtdata.sources.files.once import Stamp, held, stamp_of

LIMIT = 64 * 2**20
"""Bytes that a member may inflate to; an image of Cityscapes takes 2 to 3 million."""
ENCRYPTED = 0x1
OUTSIDE = re.compile(r"^/|^[A-Za-z]:|\\|(^|/)\.\.(/|$)")
"""Names that are absolute on some system, or go up."""


class Archive(Files):
    """A zip file, opened on first use in each process and never pickled open.

    Args:
        file: The zip file.
        limit: Bytes that a member may inflate to.
    """

    def __init__(self, file: Path, *, limit: int = LIMIT) -> None:
        self.file = file
        self._zip = _Zip(file, limit)

    def names(self, pattern: str) -> list[str]:
        """Sorted names of members that match."""
        return matching(pattern, self._zip.file.namelist())

    def read(self, name: str) -> bytes:
        """Inflate one member and compare its checksum; inside `reading_once` but once."""
        return held(self.path(name), lambda: (self._inflate(name), self.file, self._stamp()))

    def _stamp(self) -> Stamp:
        return stamp_of(self.file.stat())

    def _inflate(self, name: str) -> bytes:
        archive = self._zip.file
        try:
            info = archive.getinfo(name)
            with archive.open(info) as member:
                # Never more than was declared, and that is within the limit: without a number,
                # zlib inflates all there is before anybody counts.
                return member.read(info.file_size + 1)
        except (BadZipFile, EOFError, KeyError, OSError, zlib.error) as error:
            raise SampleError(
                self.path(name), f"cannot be read from its archive ({_text(error)}).", REMEDY
            ) from error

    def path(self, name: str) -> Path:
        """The zip file and the member, written as one path."""
        return self._zip.path / name


class _Zip(LazyFile[ZipFile]):
    """The open archive, looked through."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__()
        self.path = path
        self.limit = limit

    def _open(self) -> ZipFile:
        open_plain(self.path).close()  # a pipe would be waited for
        try:
            archive = ZipFile(self.path)
        except (BadZipFile, OSError) as error:
            raise SampleError(
                self.path,
                f"should be a whole zip file; it cannot be opened ({_text(error)}).",
                REMEDY,
            ) from error
        problem = next((p for i in archive.infolist() if (p := self._problem(i))), "")
        if not problem:
            twice = [name for name, n in Counter(archive.namelist()).items() if n > 1]
            problem = f"its member {twice[0]!r} is there twice" if twice else ""
        if problem:
            archive.close()
            remedy = "This is not the published file: download it again."
            raise SampleError(self.path, f"{problem}.", remedy)
        return archive

    def _problem(self, info: ZipInfo) -> str:
        """What is wrong with a member; empty where nothing is."""
        member = f"its member {info.filename!r}"
        if OUTSIDE.search(info.filename):
            return f"{member} leads out of the archive"
        if stat.S_ISLNK(info.external_attr >> 16):
            return f"{member} is a link"
        if info.flag_bits & ENCRYPTED:
            return f"{member} is encrypted"
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            return f"{member} should be stored or deflated; its method is {info.compress_type}"
        if info.file_size > self.limit:
            limit = f"{self.limit / 2**20:.4g} MiB"
            return f"{member} should inflate to {limit} at most; it says {info.file_size} bytes"
        return ""


def _text(error: Exception) -> str:
    """What an error says, as part of a sentence."""
    said = getattr(error, "strerror", None) or (error.args[0] if error.args else "")
    return str(said).rstrip(".") or type(error).__name__
