"""What every source of data knows and does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mtdata.errors import UsageError
from mtdata.sources.published import Published
from mtdata.tasks.role import Role
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task

UNLABELLED_REMEDY = (
    "Add a label (one is enough), remove the image, or keep such images with --unlabelled keep."
)
"""What to do where an image has no label at all."""


class Source(ABC):
    """Data in the layout that somebody publishes it in. A source is picklable and opens lazily.

    Args:
        root: The folder that holds it; None for a source that makes its data.
        options: What `takes` of the class names (classes, seed, ...).

    Raises:
        SourceNotFoundError: where `root` is missing, empty or of no known layout.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    """One sentence on what it is, for `mtdata datasets`."""
    download: ClassVar[str]
    """Where to get it and what to put where."""
    licence: ClassVar[str]
    default_size: ClassVar[tuple[int, int] | None]
    """Height and width of a store, unless `--size` says otherwise; None: each image's own."""
    padded_size: ClassVar[tuple[int, int] | None] = None
    """What images of their own size are padded to; None: to the largest of their split."""
    space: ClassVar[str] = ""
    """How much the download and a store of it take."""
    official: ClassVar[Mapping[str, int]] = {}
    """How many images each split has in a complete copy."""
    published: ClassVar[tuple[Published, ...]] = ()
    """Files of the download, with their digests where some are known."""
    needs_root: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = ()
    """Names of its options."""

    def __init__(self, root: Path | None, **options: Any) -> None:
        self.root = root
        self.options = options

    @property
    def keeps_unlabelled(self) -> bool:
        """Whether images without any label are images of it; else one is refused or left out."""
        return bool(self.options.get("unlabelled") == "keep")

    @property
    def skips_unlabelled(self) -> bool:
        """Whether images without any label are left out without a word of refusal."""
        return False

    @classmethod
    @abstractmethod
    def tasks(cls, **options: Any) -> tuple[Task, ...]:
        """The tasks it can label, in the order of `TASK_ORDER`."""

    @abstractmethod
    def splits(self) -> Mapping[str, tuple[str, ...]]:
        """The keys of each split, sorted; a key is the official image id."""

    @abstractmethod
    def roles(self) -> Mapping[str, Role]:
        """What each split is for."""

    @abstractmethod
    def read(self, split: str, key: str, tasks: Sequence[str]) -> Sample:
        """Read one image with those of its labels in `tasks` that the source has.

        Raises:
            SampleError: where a file is broken or is not what its layout promises.
        """

    @abstractmethod
    def fingerprint(self, split: str, key: str) -> bytes:
        """32 bytes that change when what `read` depends on changes (file contents, seed)."""

    def files(self, split: str, key: str) -> Sequence[Path]:
        """The files that a sample is read from; none where there are none, or nobody knows them.

        Where none of them has changed, by name, size and time, a store is not updated from them.
        """
        return ()

    def notes(self, split: str, key: str) -> tuple[str, ...]:
        """What reading changes in the image, in the words of `image_remarks`."""
        return ()

    def stored_size(self) -> tuple[int, int] | None:
        """Height and width of a store of it unless told otherwise; None for native."""
        return self.default_size

    def box(self, split: str, key: str) -> tuple[tuple[int, int], tuple[int, int, int, int]] | None:
        """Size (h, w) in the official source and the box (top, left, h, w) of it that was kept."""
        return None

    def locate(self, split: str, key: str, task: str | None) -> Path | str:
        """Where the image (`task` None) or a label of it comes from, for messages."""
        return f"{self.root or self.name}: {split}/{key}"

    def suspects(self, files: Sequence[Path]) -> str:
        """Where the fault may lie, in a sentence, if these files have one in common; else nothing.

        To be told beside the files themselves.
        """
        return ""

    def remarks(self) -> tuple[str, ...]:
        """Sentences a person should read before a build: what this copy lacks."""
        return ()


def unlabelled_option(options: Mapping[str, Any]) -> dict[str, str]:
    """The option `unlabelled` where it was given, and is not what goes without saying.

    Raises:
        UsageError: for a value that it cannot have.
    """
    given = options.get("unlabelled", "refuse")
    if given not in ("refuse", "keep"):
        raise UsageError(f"`unlabelled` should be refuse or keep; found {given}.")
    # Left out where nothing changes: a store keeps the options, and compares them.
    return {"unlabelled": given} if given == "keep" else {}


def check_options(source: type[Source], options: Mapping[str, Any]) -> None:
    """Refuse an option that a source does not take.

    Raises:
        UsageError: naming it and those there are.
    """
    for name in options:
        if name not in source.takes:
            known = ", ".join(source.takes) or "none"
            raise UsageError(
                f"`{name}` is no option of the data set `{source.name}`. It takes: {known}."
            )
