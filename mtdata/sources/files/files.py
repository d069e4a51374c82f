"""Files of a source, wherever they lie: in folders here, in a zip file in `archive.py`."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from mtdata.errors import SampleError, SourceNotFoundError

REMEDY = "Copy or download the file again."
SHOWN = 8
"""Names of a folder that an error shows."""


def read_file(path: Path) -> bytes:
    """The bytes of a file.

    Raises:
        SampleError: where it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SampleError(path, f"cannot be read ({error.strerror}).", REMEDY) from error


def list_root(root: Path, download: str) -> list[str]:
    """What lies in the folder of a source, sorted.

    Args:
        root: The folder.
        download: What to say to somebody who has none of this.

    Raises:
        SourceNotFoundError: where it is no folder.
    """
    if root.is_dir():
        return sorted(path.name for path in root.iterdir())
    what = "it is a file" if root.exists() else "there is nothing of that name"
    raise SourceNotFoundError(f"{root} should be a folder; {what}. {download}")


def shown(names: list[str]) -> str:
    """The first of these names, for an error about what was found."""
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "") or "an empty folder"


def check_links(paths: Iterable[Path], root: Path) -> None:
    """Refuse links out of the folder of a source: what they name is no part of it.

    Raises:
        SampleError: naming the first that leads out of `root`.
    """
    home = root.resolve()
    for path in paths:
        target = path.resolve()
        if not target.is_relative_to(home):
            raise SampleError(
                path,
                f"should lie in the source folder; it is a link to {target}, outside of it.",
                "Put the files themselves there, or give the folder that holds them all.",
            )


def check_files(paths: Iterable[Path], root: Path) -> None:
    """Refuse files that a link, their own or one of a folder, leads out of `root`.

    Raises:
        SampleError: naming the first of them, a folder before its files.
    """
    listed = list(paths)
    check_links(sorted({path.parent for path in listed}), root)
    check_links((path for path in listed if path.is_symlink()), root)


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
