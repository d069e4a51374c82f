"""What a build tells when it is done, and what it would do."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

UNLABELLED = "has no label, or none with a valid pixel"
"""Why an image is left out whose source says `unlabelled: skip`."""


@dataclass(frozen=True)
class SplitSummary:
    """Counts of a split: images, labels of each task, images with some but not all, with none."""

    images: int
    labels: Mapping[str, int]
    partly: int
    unlabelled: int


@dataclass(frozen=True)
class Skipped:
    """An image that is left out, and why."""

    split: str
    key: str
    what: str

    @property
    def meant(self) -> bool:
        """Whether it has no label and the source leaves such images out."""
        return self.what == UNLABELLED


@dataclass(frozen=True)
class BuildSummary:
    """A finished build.

    `resumed` samples were there already from an earlier one; the source of `changed` of those was
    another by now, and they were done again. `lost` counts, for each task, the labels that have
    valid pixels in the source and none at the size of the store: they count as missing. `complete`
    says that the store was whole before; then nothing is known of `lost`, `implausible` and `void`.
    `notes` counts what reading changed in images (they have an alpha channel: it is dropped),
    `skipped` are the images that could not be used and were left out. `implausible` says of labels
    what is hardly meant, `absent` which classes an excerpt of a data set lacks; `void` is the share
    of the pixels of a task that mean nothing, where it is a hundredth or more.
    """

    path: Path
    dataset: str
    splits: Mapping[str, SplitSummary]
    default_regime: str
    content_digest: str
    bytes: int
    seconds: float
    resumed: int
    changed: int
    lost: Mapping[str, int]
    complete: bool
    notes: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    implausible: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    void: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON."""
        lists = {"implausible": list(self.implausible), "absent": list(self.absent)}
        return {**asdict(self), "path": str(self.path), **lists}


@dataclass(frozen=True)
class BuildPlan:
    """What a build would do: images of each split, bytes of the store and seconds, estimated.

    `peak` is what the disk must hold while the store is built, `free` what it has room for now.
    """

    path: Path
    dataset: str
    tasks: tuple[str, ...]
    splits: Mapping[str, int]
    size: tuple[int, int] | None
    regimes: tuple[str, ...]
    seed: int
    bytes: int
    peak: int
    free: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON."""
        size = None if self.size is None else list(self.size)
        lists = {"tasks": list(self.tasks), "regimes": list(self.regimes), "size": size}
        return {**asdict(self), "path": str(self.path), **lists}


def count(tasks: tuple[str, ...], labels: NDArray[Any]) -> SplitSummary:
    """Count the labels of a split from its [n, tasks] table: valid pixels, or what is shown."""
    present = labels > 0
    each = present.sum(axis=1)
    return SplitSummary(
        images=len(present),
        labels={name: int(n) for name, n in zip(tasks, present.sum(axis=0), strict=True)},
        partly=int(((each > 0) & (each < len(tasks))).sum()),
        unlabelled=int((each == 0).sum()),
    )
