"""What reads one layout of a data set; a source that comes in several picks the one it finds."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from mtdata.tasks.sample import Sample

Box = tuple[int, int, int, int]
"""Top, left, height and width, in pixels."""


class Reader(ABC):
    """One layout. It is picklable and opens lazily; the methods mean what those of `Source` do."""

    @abstractmethod
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The keys of each split, sorted."""

    @abstractmethod
    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read one image with those of its labels in `tasks` that are there."""

    @abstractmethod
    def fingerprint(self, split: str, key: str) -> bytes:
        """32 bytes that change when what `read` depends on changes."""

    @abstractmethod
    def files(self, split: str, key: str) -> Sequence[Path]:
        """The files that a sample is read from."""

    @abstractmethod
    def locate(self, split: str, key: str, task: str | None) -> Path | str:
        """Where the image (`task` None) or a label of it comes from, for messages."""

    def box(self, split: str, key: str) -> tuple[tuple[int, int], Box] | None:
        """Size in the official source and the box of it that was kept; None where unknown."""
        return None

    def remarks(self) -> tuple[str, ...]:
        """Sentences a person should read before a build."""
        return ()


class FromReader(ABC):
    """What a source leaves to the reader of the layout in its folder.

    It stands before `Source` among the bases of a class.
    """

    @cached_property
    @abstractmethod
    def reader(self) -> Reader:
        """What reads that layout, made on first use."""

    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The keys of each split, sorted."""
        return self.reader.splits()

    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read one image with those of its labels in `tasks` that are there."""
        return self.reader.read(split, key, tasks)

    def fingerprint(self, split: str, key: str) -> bytes:
        """32 bytes over the options and all that a sample is read from."""
        return self.reader.fingerprint(split, key)

    def files(self, split: str, key: str) -> Sequence[Path]:
        """All that a sample is read from."""
        return self.reader.files(split, key)

    def box(self, split: str, key: str) -> tuple[tuple[int, int], Box] | None:
        """Size in the official source and the box of it that was kept; None where unknown."""
        return self.reader.box(split, key)

    def locate(self, split: str, key: str, task: str | None) -> Path | str:
        """Where the image (`task` None) or what a label is made from lies."""
        return self.reader.locate(split, key, task)

    def remarks(self) -> tuple[str, ...]:
        """What this copy lacks, or does not say."""
        return self.reader.remarks()
