"""What of a store is exported: some tasks, and in training splits what a regime shows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtdata.progress import Progress
from mtdata.reading.shown import completed
from mtdata.store import Split, Store
from mtdata.store.completed import Completed, composed
from mtdata.store.format import FULL
from mtdata.tasks.sample import Sample
from mtdata.tasks.task import Task


@dataclass(frozen=True)
class Part:
    """A split; `shown` is bool [n, tasks], its columns those of the view."""

    split: Split
    tasks: tuple[Task, ...]
    shown: NDArray[np.bool_]

    def image(self, index: int) -> NDArray[np.uint8]:
        """An image at its true size."""
        return self.split.read_true(index, None)

    def stored(self, index: int, task: Task) -> NDArray[Any]:
        """A label as the store holds it, at its true size."""
        return self.split.read_true(index, task.name)

    def sample(self, index: int) -> Sample:
        """An image with all labels that the store has of it, at its true size."""
        return self.split.read(index, [task.name for task in self.tasks]).trimmed()


@dataclass(frozen=True)
class View:
    """The part of a store that is exported; `regime` is None where every label is."""

    store: Store
    tasks: tuple[Task, ...]
    regime: str | None
    parts: tuple[Part, ...]

    @property
    def added(self) -> list[dict[str, Any]]:
        """What of it was added to the labels of the source; nothing unless the regime asks."""
        found = [part.split.facts() for part in self.parts if isinstance(part.split, Completed)]
        names = [task.name for task in self.tasks]
        return [one for facts in found for one in facts if one["task"] in names and one["images"]]

    def samples(self, progress: Progress | None) -> Iterator[tuple[Part, int]]:
        """Every image: its split and its place there."""
        total = sum(len(part.split) for part in self.parts)
        done = 0
        for part in self.parts:
            for index in range(len(part.split)):
                yield part, index
                done += 1
                if progress:
                    progress(done, total, "writing samples")


def make_view(
    store: Store, tasks: Sequence[str] | None, regime: str | None, *, anyway: bool = False
) -> View:
    """Choose what is exported.

    Args:
        store: The store.
        tasks: Names of tasks; None for all.
        regime: What training splits show; None for every label of the source.
        anyway: Take filled labels of a run that may have seen what the base regime hides.

    Raises:
        UnknownNameError: for a task or regime that the store does not have.
        UsageError: where no task is named, the store lacks the added labels, or their run may have
            seen what the base regime hides.
    """
    names = [task.name for task in store.tasks]
    if tasks is not None and not tasks:
        raise UsageError(f"`tasks` should name at least one of {', '.join(names)}; found none.")
    wanted = store.tasks if tasks is None else [store.task(name) for name in tasks]
    what = None if regime is None else composed(regime, store.regimes, store.default_regime)
    base = regime if what is None else what.base
    if base is not None:
        store.check_regime(base)
    chosen = tuple(task for task in store.tasks if task in wanted)
    columns = [store.tasks.index(task) for task in chosen]
    # A regime is about training: what is tested on shows all there is.
    splits = dict(store.splits)
    shown = {
        name: split.visible(base if base and split.role == "train" else FULL)
        for name, split in splits.items()
    }
    training = [name for name, split in splits.items() if split.role == "train"]
    if what is not None and training:
        of, seen = [splits[name] for name in training], [shown[name] for name in training]
        for split in completed(store, of, seen, what, chosen, anyway=anyway):
            splits[split.name], shown[split.name] = split, split.labelled
    parts = (Part(split, chosen, shown[name][:, columns]) for name, split in splits.items())
    return View(store, chosen, regime, tuple(parts))
