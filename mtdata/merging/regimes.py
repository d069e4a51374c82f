"""What becomes of the regimes of stores that are joined."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtdata.merging.join import JoinedSplit
from mtdata.merging.offers import NONE, cells_offered
from mtdata.store import RegimeInfo, Store
from mtdata.store.format import FULL
from mtdata.tasks.task import Task


@dataclass(frozen=True)
class JoinedRegimes:
    """The regimes of each split, those that were not kept, and which is the default.

    `uncovered` are the defaults of inputs that hid labels which the default now shows.
    """

    kept: Mapping[str, tuple[RegimeInfo, ...]]
    dropped: tuple[str, ...]
    default: str
    uncovered: tuple[str, ...] = ()


def added_labels(stores: Sequence[Store]) -> tuple[str, ...]:
    """Labels that were added to stores, as SPLIT/ORIGIN/TASK: they are not taken along.

    What a run or a rule made of labels that are others now would be wrong in silence.
    """
    found = [
        f"{split.name}/{origin}/{task}"
        for store in stores
        for split in store.splits.values()
        for origin, task in split.added
    ]
    return tuple(dict.fromkeys(found))


def join_regimes(
    stores: Sequence[Store], splits: Sequence[JoinedSplit], tasks: Sequence[Task]
) -> JoinedRegimes:
    """Keep a regime where there is no doubt which labels it shows.

    That is so where one store alone has a regime of its name, or where all that have it show the
    same labels by it. It goes on showing just these: it hides what the other stores add, also in
    training splits that none of those that have it knows, and counts that as come later.
    """
    kept: dict[str, list[RegimeInfo]] = {split.name: [] for split in splits}
    dropped = []
    names = dict.fromkeys(n for store in stores for n in store.regimes if n != FULL)
    for name in names:
        versions = {split.name: _versions(name, split, tasks) for split in splits}
        if not all(_agree(found) for found in versions.values()):
            dropped.append(name)
            continue
        drawn = next(info for found in versions.values() for info in found)
        for split in splits:
            found = versions[split.name]
            if not found and split.role == "train":
                found = [_nothing_of(split, drawn, tasks)]
            kept[split.name] += [_counted(info, split, tasks) for info in found[:1]]
    defaults = dict.fromkeys(store.default_regime for store in stores)
    first, *others = defaults
    default = FULL if others or first in dropped else first
    return JoinedRegimes(
        {split: tuple(found) for split, found in kept.items()},
        tuple(dropped),
        default,
        tuple(name for name in defaults if name not in (FULL, default)),
    )


def _nothing_of(split: JoinedSplit, info: RegimeInfo, tasks: Sequence[Task]) -> RegimeInfo:
    """A regime of other splits that shows nothing of this one."""
    labels = np.zeros((len(split.keys), len(tasks)), bool)
    return replace(info, labels=labels, uncovered=0, later=0)


def _counted(info: RegimeInfo, split: JoinedSplit, tasks: Sequence[Task]) -> RegimeInfo:
    """A regime that has counted what came with inputs which do not have it."""
    has = split.cells[:, 1:] != NONE
    had = np.zeros_like(has)
    for source, rows in zip(split.inputs, split.rows.T, strict=True):
        if source is not None and info.name in source.stored:
            had |= cells_offered(source, rows, tasks).present[:, 1:]
    first, later = has.any(1) & ~had.any(1), has & ~had
    return replace(
        info, uncovered=info.uncovered + int(first.sum()), later=info.later + int(later.sum())
    )


def _agree(versions: Sequence[RegimeInfo]) -> bool:
    return all(np.array_equal(versions[0].labels, other.labels) for other in versions[1:])


def _versions(name: str, split: JoinedSplit, tasks: Sequence[Task]) -> list[RegimeInfo]:
    """What each input that has it shows by it, over all keys and tasks of the joined split."""
    names = tuple(task.name for task in tasks)
    found = []
    for number, source in enumerate(split.inputs):
        if source is None or name not in source.regimes:
            continue
        info = source.regimes[name]
        rows = split.rows[:, number]
        here = rows != NONE
        labels = np.zeros((len(split.keys), len(names)), bool)
        for column, task in enumerate(info.tasks):
            labels[here, names.index(task)] = info.labels[rows[here], column]
        found.append(replace(info, tasks=names, labels=labels))
    return found
