"""Whether a copy of a data set is whole: its files beside their digests, its images counted."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mtdata.errors import SampleError
from mtdata.progress import Progress
from mtdata.sources.base import Source
from mtdata.sources.files.files import open_plain
from mtdata.sources.published import Published

State = Literal["not here", "there", "as published", "other"]
PIECE = 2**20
"""Bytes that are read at a time; progress is told in these."""


@dataclass(frozen=True)
class FileState:
    """A published file in a copy; `found` is why its state is "other"."""

    file: Published
    state: State
    found: str = ""


@dataclass(frozen=True)
class Completeness:
    """What is there of a data set: published files, and images of how many in each split."""

    root: Path
    files: tuple[FileState, ...]
    splits: Mapping[str, tuple[int, int | None]]
    remarks: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether all official images are there, and no file is another than the published one."""
        counts = self.splits.values()
        return all(there == of for there, of in counts if of is not None) and not self.others

    @property
    def others(self) -> tuple[FileState, ...]:
        """Files that are not what was published."""
        return tuple(each for each in self.files if each.state == "other")

    def to_json(self) -> dict[str, Any]:
        """For `mtdata datasets NAME --json`."""
        return {
            "source": str(self.root),
            "whole": self.whole,
            "files": {
                each.file.name: {
                    "state": each.state, "md5": each.file.md5, "bytes": each.file.size,
                    "found": each.found or None,
                }
                for each in self.files
            },
            "splits": {
                name: {"images": there, "official": of}
                for name, (there, of) in self.splits.items()
            },
            "notes": list(self.remarks),
        }  # fmt: skip


def completeness(
    source: Source, root: Path, *, digests: bool = False, progress: Progress | None = None
) -> Completeness:
    """Look at a copy of a data set.

    Args:
        source: The data set, on `root`.
        root: The folder.
        digests: Compare the digests of the published files too; all of them is read for that.
        progress: Told about every mebibyte that is read.

    Raises:
        SampleError: where a file cannot be read, or the layout is broken.
        SourceNotFoundError: where there is nothing of that layout.
    """
    found = source.splits()
    names = {**source.official, **dict.fromkeys(found)}
    splits = {name: (len(found.get(name, ())), source.official.get(name)) for name in names}
    files = _files(source.published, root, progress if digests else None, digests=digests)
    return Completeness(root, files, splits, source.remarks())


def _files(
    published: tuple[Published, ...], root: Path, progress: Progress | None, *, digests: bool
) -> tuple[FileState, ...]:
    return tuple(_look(each, root / each.name, progress, digests=digests) for each in published)


def _look(file: Published, path: Path, progress: Progress | None, *, digests: bool) -> FileState:
    if not path.is_file():
        return FileState(file, "not here")
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        return FileState(file, "other", f"{size} bytes, not {file.size}")
    if not digests or file.md5 is None:
        return FileState(file, "there")
    md5 = _md5(path, size, progress)
    if md5 != file.md5:
        return FileState(file, "other", f"md5 {md5}, not {file.md5}")
    return FileState(file, "as published")


def _md5(path: Path, size: int, progress: Progress | None) -> str:
    total, done = max(1, -(-size // PIECE)), 0
    # A check against damage, not against an enemy: MD5 is what the data sets publish.
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with open_plain(path) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                done += 1
                if progress:
                    progress(min(done, total), total, path.name)
    except OSError as error:
        raise SampleError(
            path, f"cannot be read ({error.strerror}).", "Copy or download the file again."
        ) from error
    return digest.hexdigest()


__all__ = ["Completeness", "FileState", "completeness"]
