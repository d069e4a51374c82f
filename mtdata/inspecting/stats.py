"""What the labels of a store look like: frequencies, ranges, how many go together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UnknownNameError
from mtdata.inspecting.distribution import Distribution
from mtdata.progress import Progress
from mtdata.regimes.counting import count_pairs
from mtdata.store import Split, Store
from mtdata.tasks.kinds import Classes
from mtdata.tasks.task import Task


@dataclass
class TaskStats:
    """Sums over the labels of one task, a label at a time; memory does not grow with them.

    A label of several channels (normals) has one distribution for each.
    """

    task: Task
    images: int = 0
    pixels: int = 0
    valid: int = 0

    def __post_init__(self) -> None:
        kind = self.task.kind
        self.classes = np.zeros(kind.channels, np.int64) if isinstance(kind, Classes) else None
        parts = 0 if isinstance(kind, Classes) else kind.channels
        self.distributions = [Distribution() for _ in range(parts)]

    def add(self, label: NDArray[Any], valid: NDArray[np.bool_], pixels: int) -> None:
        """Take one label in; `pixels` is the true size of its image, without padding."""
        # Most labels are valid everywhere; picking all pixels takes longer than reading them.
        seen = label.reshape(-1, *label.shape[2:]) if valid.all() else label[valid]
        self.images += 1
        self.pixels += pixels
        self.valid += len(seen)
        if self.classes is not None:
            self.classes += np.bincount(seen, minlength=len(self.classes))
            return
        for channel, distribution in enumerate(self.distributions):
            values = seen[:, channel] if seen.ndim == 2 else seen
            distribution.add(values.astype(np.float32, copy=False))

    def to_json(self) -> dict[str, Any]:
        """Counts, and pixels a class or extremes, mean and quantiles (for normals of x, y, z)."""
        share = self.valid / self.pixels if self.pixels else None
        head = {"images": self.images, "valid_fraction": share}
        kind = self.task.kind
        if isinstance(kind, Classes) and self.classes is not None:
            return {**head, "pixels": dict(zip(kind.names, self.classes.tolist(), strict=True))}
        parts = [distribution.to_json() for distribution in self.distributions]
        if len(parts) == 1:
            return {**head, **parts[0]}
        return {**head, **{name: [part[name] for part in parts] for name in parts[0]}}


@dataclass(frozen=True)
class SplitStats:
    """The labels of one split that a regime shows."""

    split: Split
    regime: str
    tasks: dict[str, TaskStats]
    pairs: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The part of `mtdata stats --json` on one split."""
        return {
            "images": len(self.split),
            "unlabelled": int((~self.split.visible(self.regime).any(1)).sum()),
            "regime": self.regime,
            "tasks": {name: stats.to_json() for name, stats in self.tasks.items()},
            "pairs": self.pairs,
        }


@dataclass(frozen=True)
class Stats:
    """The labels of a store that a regime shows."""

    store: Store
    splits: dict[str, SplitStats]

    def to_json(self) -> dict[str, Any]:
        """The fields of `mtdata stats --json`."""
        return {
            "path": str(self.store.path),
            "dataset": self.store.dataset_name,
            "splits": {name: split.to_json() for name, split in self.splits.items()},
        }


def stats(store: Store, regime: str | None = None, progress: Progress | None = None) -> Stats:
    """Read each label that a regime shows once.

    Args:
        store: What to look at.
        regime: Name of a regime; None, and a split without that regime, means every label.
        progress: Told about labels read.

    Raises:
        UnknownNameError: where no split has that regime.
        StoreError: where a label is broken.
    """
    if regime is not None and regime not in store.regimes:
        raise UnknownNameError("regime", regime, list(store.regimes))
    chosen = {
        name: regime if regime in split.regimes and regime is not None else "full"
        for name, split in store.splits.items()
    }
    shown = {name: split.visible(chosen[name]) for name, split in store.splits.items()}
    total, done = int(sum(table.sum() for table in shown.values())), 0
    found = {}
    for name, split in store.splits.items():
        table = shown[name]
        sums = {task.name: TaskStats(task) for task in store.tasks}
        for index, column in np.argwhere(table):
            _add(split, int(index), sums[store.tasks[column].name])
            done += 1
            if progress:
                progress(done, total, f"labels of {name}")
        pairs = count_pairs([task.name for task in store.tasks], table)
        found[name] = SplitStats(split, chosen[name], sums, pairs)
    return Stats(store, found)


def _add(split: Split, index: int, sums: TaskStats) -> None:
    label, valid = sums.task.kind.decode(split.read_stored(index, sums.task.name))
    sums.add(label, valid, int(split.sizes[index].prod()))
