"""Files of a source, wherever they lie: in folders here, in a zip file in `archive.py`."""

import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path

from mtdata.errors import SampleError, SourceNotFoundError
from mtdata.sources.files.allowed import allowed
from mtdata.sources.files.once import Stamp, held, stamp_of

REMEDY = "Copy or download the file again."
SHOWN = 8
"""Names of a folder that an error shows."""


def read_file(path: Path) -> bytes:
    """The bytes of a file; inside `reading_once` they are read but once.

    Raises:
        SampleError: where it cannot be read.
    """

    def load() -> tuple[bytes, Path, Stamp]:
        with open_plain(path) as file:
            stamp = stamp_of(os.fstat(file.fileno()))
            try:
                return file.read(), path, stamp
            except OSError as error:
                raise SampleError(path, f"cannot be read ({error.strerror}).", REMEDY) from error

    return held(path, load)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8.

    Raises:
        SampleError: where it cannot be read, or is no such text.
    """
    try:
        return read_file(path).decode("utf-8-sig")  # Windows begins with a mark
    except UnicodeDecodeError as error:
        raise SampleError(
            path,
            f"should be a text in UTF-8; its byte {error.start} is of none.",
            "Save it in that encoding.",
        ) from error


def open_plain(path: Path) -> BufferedReader:
    """Open a file for reading; a pipe would be waited for, so it is refused at once.

    Raises:
        SampleError: where it is no file, or cannot be opened.
    """
    # Without waiting: a pipe may take the place of a file behind the back of a first look.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        check_kind(path, path.stat().st_mode)
        descriptor = os.open(path, flags)
        try:
            check_kind(path, os.fstat(descriptor).st_mode)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise SampleError(path, f"cannot be read ({error.strerror}).", REMEDY) from error


def check_kind(path: Path, mode: int) -> None:
    """Refuse a named pipe, a socket and a device.

    Raises:
        SampleError: naming it and what it is.
    """
    kinds = (
        (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"), (stat.S_ISDIR, "a folder"),
    )  # fmt: skip
    for is_kind, name in kinds:
        if is_kind(mode):
            raise SampleError(path, f"should be a file; it is {name}.", "Move it away.")


def list_root(root: Path, download: str) -> list[str]:
    """What lies in the folder of a source, sorted.

    Args:
        root: The folder.
        download: What to say to somebody who has none of this.

    Raises:
        SourceNotFoundError: where it is no folder.
    """
    try:
        if root.is_dir():
            return sorted(path.name for path in root.iterdir())
        what = "it is a file" if root.exists() else "there is nothing of that name"
    except OSError as error:  # a name that is too long, a folder that may not be read
        what = f"it cannot be read ({error.strerror})"
    raise SourceNotFoundError(f"{root} should be a folder; {what}. {download}")


def shown(names: list[str]) -> str:
    """The first of these names, for an error about what was found."""
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "") or "an empty folder"


def check_links(paths: Iterable[Path], root: Path) -> None:
    """Refuse links out of the folder of a source, unless they are allowed: see `Allowed`.

    Raises:
        SampleError: naming the first that leads out of `root`, or to itself.
    """
    home = _target(root)
    for path in paths:
        target = _target(path)
        if not target.is_relative_to(home) and not allowed().links:
            raise SampleError(
                path,
                f"should lie in the source folder; it is a link to {target}, outside of it.",
                "Put the files themselves there, give the folder that holds them all, or allow "
                "such links with --follow-links.",
            )


def _target(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # Python has the second for a link to itself
        raise SampleError(
            path, "should be a file or a folder; it is a link that leads to itself.", "Remove it."
        ) from error


def check_files(paths: Iterable[Path], root: Path) -> None:
    """Refuse pipes, sockets and devices, and files that a link, their own or a folder's, leads out.

    Raises:
        SampleError: naming the first of them, a folder before its files.
    """
    listed = list(paths)
    check_links(sorted({path.parent for path in listed}), root)
    for path in listed:
        try:
            mode = path.lstat().st_mode
        except OSError:  # whoever reads it says so
            continue
        if stat.S_ISLNK(mode):
            check_links([path], root)
        elif not stat.S_ISDIR(mode):
            check_kind(path, mode)


class Files(ABC):
    """Files by name; a name has slashes and starts below the root of the source."""

    @abstractmethod
    def names(self, pattern: str) -> list[str]:
        """Sorted names that match; a `*` stands for anything without a slash.

        Raises:
            SampleError: where something there is refused.
        """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            SampleError: where it cannot be read.
        """

    @abstractmethod
    def path(self, name: str) -> Path:
        """Where a file lies, for messages."""


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The names that match a pattern of `Files.names`, sorted."""
    rule = re.compile("[^/]*".join(map(re.escape, pattern.split("*"))))
    return sorted(name for name in names if rule.fullmatch(name))


class Tree(Files):
    """Files in the folders below a root.

    Args:
        root: The folder of the source.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, pattern: str) -> list[str]:
        """Sorted names that match; a link that leaves the root is refused."""
        found = list(self.root.glob(pattern))
        check_files(found, self.root)
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        return read_file(self.root / name)

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self.root / name
