"""What the labels of a store look like: frequencies, ranges, how many go together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.inspecting.distribution import Directions, Distribution
from mtdata.inspecting.keys import drawn
from mtdata.inspecting.show import looked_at, looked_through
from mtdata.parallel import Pool
from mtdata.progress import Progress
from mtdata.regimes.counting import count_pairs
from mtdata.store import Split, Store
from mtdata.store.completed import OWN, Completed
from mtdata.store.format import CERTAIN, CONFIDENCE, FILLED
from mtdata.tasks.kinds import Classes, Normals
from mtdata.tasks.task import Task

PART = 64
"""Labels that are read together: enough to be worth sending to another process."""


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
        self.directions = Directions() if isinstance(kind, Normals) else None
        self.confidence: Distribution | None = None
        """That of filled labels."""

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
        if self.directions is not None:
            self.directions.add(seen)
        for channel, distribution in enumerate(self.distributions):
            values = seen[:, channel] if seen.ndim == 2 else seen
            distribution.add(values.astype(np.float32, copy=False))

    def merge(self, other: "TaskStats") -> None:
        """Take in what another has seen of the same task."""
        self.images += other.images
        self.pixels += other.pixels
        self.valid += other.valid
        if self.classes is not None and other.classes is not None:
            self.classes += other.classes
        if self.directions is not None and other.directions is not None:
            self.directions.merge(other.directions)
        for mine, theirs in zip(self.distributions, other.distributions, strict=True):
            mine.merge(theirs)
        if other.confidence is not None:
            self.sure().merge(other.confidence)

    def sure(self) -> Distribution:
        """The confidence of filled labels, to add to."""
        self.confidence = self.confidence or Distribution()
        return self.confidence

    def to_json(self) -> dict[str, Any]:
        """Counts, and pixels a class or extremes, mean and quantiles (for normals of x, y, z)."""
        share = self.valid / self.pixels if self.pixels else None
        head: dict[str, Any] = {"images": self.images, "valid_fraction": share}
        if self.confidence is not None:
            head["confidence"] = self.confidence.to_json()
        kind = self.task.kind
        if isinstance(kind, Classes) and self.classes is not None:
            return {**head, "pixels": dict(zip(kind.names, self.classes.tolist(), strict=True))}
        parts = [distribution.to_json() for distribution in self.distributions]
        if len(parts) == 1:
            return {**head, **parts[0]}
        return {**head, **{name: [part[name] for part in parts] for name in parts[0]}}


@dataclass(frozen=True)
class SplitStats:
    """The labels of one split, or of some of its images, that a regime shows.

    `rows` are the images whose labels were read, `images` of them; `shown` [all images, tasks] says
    which labels the regime shows, added ones too, whether read or not.
    """

    split: Split
    images: int
    regime: str
    tasks: dict[str, TaskStats]
    pairs: dict[str, int]
    added: dict[str, dict[str, TaskStats]]
    """Labels that were added to those of the source, by origin and task: those that the regime
    shows, all without one."""
    rows: NDArray[np.int64]
    shown: NDArray[np.bool_]

    @property
    def together(self) -> NDArray[np.int64]:
        """How many images of the split show both tasks, `[t, t]`; one alone on the diagonal."""
        shown = self.shown.astype(np.int64)
        return shown.T @ shown

    @property
    def images_with(self) -> NDArray[np.int64]:
        """How many images of the split show 0, 1, ... and all `t` labels, `[t + 1]`."""
        return np.bincount(self.shown.sum(1), minlength=self.shown.shape[1] + 1)

    def to_json(self) -> dict[str, Any]:
        """The part of `mtdata stats --json` on one split."""
        return {
            "role": self.split.role,
            "images": self.images,
            "of": len(self.split),
            "unlabelled": int((~self.shown[self.rows].any(1)).sum()),
            "regime": self.regime,
            "tasks": {name: stats.to_json() for name, stats in self.tasks.items()},
            "pairs": self.pairs,
            "added": {
                origin: {name: stats.to_json() for name, stats in of.items()}
                for origin, of in self.added.items()
            },
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


def stats(
    store: Store,
    regime: str | None = None,
    progress: Progress | None = None,
    *,
    split: str | None = None,
    limit: int | None = None,
    sample: int | None = None,
    seed: int = 0,
    jobs: int = 1,
) -> Stats:
    """Read each label that a regime shows once. The number of jobs changes nothing of the result.

    Args:
        store: What to look at.
        regime: Name of a regime, with `+derived` or `+filled:0.8` for labels that were added;
            None, and a split without that regime, means every label, and all that was added.
        progress: Told about labels read.
        split: Name of the one split to look at; None for all.
        limit: Only so many images of each split, the first; None for all.
        sample: Only so many of these, drawn by the seed; None for all.
        seed: Where the draw starts.
        jobs: Worker processes.

    Raises:
        UsageError: where `limit`, `sample` or `jobs` is below 1.
        UnknownNameError: where no split has that regime, or the store no such split.
        StoreError: where a label is broken.
        MtdataError: where a worker was killed.
    """
    given = {"jobs": jobs, "limit": limit, "sample": sample}
    for name, number in given.items():
        if number is not None and number < 1:
            raise UsageError(f"`{name}` should be 1 or more; found {number}.")
    what = looked_through(store, regime)
    splits = dict(store.splits if split is None else {split: store.split(split)})
    base = None if regime is None else what.base
    chosen = {name: each.regime_or_full(base) for name, each in splits.items()}
    shown = {name: each.visible(chosen[name]) for name, each in splits.items()}
    rows = {name: drawn(len(table[:limit]), sample, seed) for name, table in shown.items()}
    sums = {name: {task.name: TaskStats(task) for task in store.tasks} for name in splits}
    beside: dict[str, dict[str, dict[str, TaskStats]]] = {name: {} for name in splits}
    seen = splits
    if regime is not None:
        seen = {name: looked_at(each, what) for name, each in splits.items()}
        chosen |= {name: str(what) for name, each in splits.items() if base in each.regime_names}
    places = {name: _added(each) for name, each in seen.items()}
    for name, there in places.items():
        for origin, task in there:
            beside[name].setdefault(origin, {})[task] = TaskStats(store.task(task))
    parts = list(_parts(store, shown, rows)) + list(_added_parts(store, places, rows))
    total, done = sum(len(part.indices) for part in parts), 0
    # In order: floats add up to the same by any number of jobs.
    with Pool(jobs) as pool:
        sent = ((seen[part.split], part) for part in parts)
        for part, found in zip(parts, pool.map(_read, sent), strict=True):
            kept = beside[part.split][part.origin] if part.origin else sums[part.split]
            kept[part.task.name].merge(found)
            done += found.images
            if progress:
                progress(done, total, f"labels of {part.split}")
    names = [task.name for task in store.tasks]
    tables = {n: e.labelled if isinstance(e, Completed) else shown[n] for n, e in seen.items()}
    return Stats(
        store,
        {
            name: SplitStats(
                splits[name],
                len(rows[name]),
                chosen[name],
                sums[name],
                count_pairs(names, table[rows[name]]),
                beside[name],
                rows[name],
                table,
            )
            for name, table in tables.items()
        },
    )


class Part(NamedTuple):
    """Some labels of one task, which are read together."""

    split: str
    task: Task
    indices: tuple[int, ...]
    origin: str = ""
    """Of labels that were added; empty for those of the source."""


Rows = Mapping[str, NDArray[np.int64]]


def _parts(store: Store, shown: Mapping[str, NDArray[np.bool_]], rows: Rows) -> Iterator[Part]:
    for name, table in shown.items():
        for column, task in enumerate(store.tasks):
            yield from _cut(name, task, rows[name], table[:, column])


def _cut(
    split: str, task: Task, rows: NDArray[np.int64], there: NDArray[np.bool_], origin: str = ""
) -> Iterator[Part]:
    places = rows[there[rows]].tolist()
    for start in range(0, len(places), PART):
        yield Part(split, task, tuple(places[start : start + PART]), origin)


Places = Mapping[tuple[str, str], NDArray[np.bool_]]
"""Of which images there are added labels, by origin and task."""


def _added(split: Split) -> Places:
    """All that were added; of a split that is seen under a regime, those that it shows."""
    if not isinstance(split, Completed):
        return {at: added.there() for at, added in split.added.items()}
    return {
        (added.origin, added.task.name): split.codes[:, split.tasks.index(added.task)] == code
        for code, (added, _) in enumerate(split.pieces, start=OWN + 1)
    }


def _added_parts(store: Store, added: Mapping[str, Places], rows: Rows) -> Iterator[Part]:
    for name, found in added.items():
        for (origin, task), there in found.items():
            yield from _cut(name, store.task(task), rows[name], there, origin)


def _read(place: tuple[Split, Part]) -> TaskStats:
    split, part = place
    sums = TaskStats(part.task)
    added = split.added[part.origin, part.task.name] if part.origin else None
    for index in part.indices:
        if added is None or isinstance(split, Completed):
            stored = split.read_stored(index, part.task.name)
        else:
            stored = split.read_added(added, index)
        label, valid = part.task.kind.decode(stored)
        sums.add(label, valid, int(split.sizes[index].prod()))
        if part.origin == FILLED and added is not None:
            sure = split.read_added(added, index, CONFIDENCE)[valid]
            sums.sure().add(np.divide(sure, CERTAIN, dtype=np.float32))
    return sums
