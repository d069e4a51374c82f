"""Stores with labels that were added, for the tests of what becomes of them."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtdata.merging.adding import Addition, Made, NewLabel, add_labels
from mtdata.reading.dataset import visible_digest
from mtdata.reading.shown import make_dataset
from mtdata.store import Split, Store
from tests.stores.fakes import fake_store, random_label

TASKS = ("semantic", "depth", "normals")


def about_run(store: Store, regime: str = "one") -> dict[str, Any]:
    """What a run says of itself that was trained under a regime of that store."""
    seen = make_dataset(store, "train", tasks=TASKS, regime=regime, bare=True)
    labels = visible_digest(seen)
    facts = {"run": "run", "method": "sl", "weights": "ab" * 32, "labels": labels}
    return {**facts, "tasks": list(TASKS), "splits": ["train"]}


def filled(store: Store, *, seed: int = 0, about: Mapping[str, Any] | None = None) -> Addition:
    """Noise as predictions for all training images, with a confidence that rises to the right."""
    tasks = [store.task(name) for name in TASKS]

    def make(
        split: Split, indices: Sequence[int], wanted: Sequence[Sequence[str]]
    ) -> Iterator[Made]:
        for index in indices:
            height, width = map(int, split.sizes[index])
            rng = np.random.default_rng([seed, index])
            sure = np.broadcast_to(np.linspace(0, 1, width), (height, width))
            yield {
                task.name: NewLabel(*random_label(task.kind, (height, width), rng), sure)
                for task in tasks
            }

    split = store.splits["train"]
    table = np.ones((len(split), len(tasks)), np.bool_)
    return Addition(
        "filled", dict.fromkeys(tasks, about or about_run(store)), {"train": table}, make
    )


def added_store(folder: Path, **options: Any) -> Path:
    """A fake store with the regime `one`, filled labels of three tasks and derived disparity."""
    from mtdata.merging.derive import derive

    path = fake_store(folder, **{"missing": 0, **options})
    add_labels(path, filled)
    derive(path, "disparity", "depth")
    return path
