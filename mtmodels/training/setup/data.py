"""What a run trains and is scored on: store, tasks, regime, hold-out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtdata import Store, Task, open_store
from mtdata.errors import DataError, UnknownNameError, UsageError
from mtdata.reading.augment import Augmentation
from mtdata.reading.cache import Cache, share_memory
from mtdata.reading.dataset import Dataset, shown_digest, visible_digest
from mtdata.reading.memory import cores
from mtdata.reading.photometric import Photometric
from mtdata.reading.resident import Resident
from mtdata.reading.shown import make_dataset
from mtdata.reading.smaller import Smaller
from mtdata.store import Split
from mtdata.store.format import FULL
from mtmodels.methods import METHODS
from mtmodels.training.config import AugmentationPart, Config
from mtmodels.training.loop.precision import training_device
from mtmodels.training.setup.splits import Chosen, choose_splits, held_out


@dataclass(frozen=True)
class RunData:
    """The data of a run.

    Args:
        store: Where it comes from.
        tasks: The tasks of the run, in the order of the store.
        regime: Name or file of the regime.
        train: Augmented, with the labels that the regime shows.
        held: What an epoch is selected on, as it is: a hold-out, or the splits of role val with all
            their labels; None without either.
        scored: What is scored at the end, with all its labels, as it is: each split of role test;
            where there is none, what an epoch is selected on.
        splits: Which splits of the store these are.
        left_out: Training images that show no label of these tasks, and so left the epoch.
        visible: A digest of which labels of these tasks may be seen, over the whole split.
        shown: One of those of the source, over the images that show one.
        cache: What `train` and `held` are read through, or what keeps `train` on a card, still to
            be filled; None without one.
    """

    store: Store
    tasks: tuple[Task, ...]
    regime: str
    train: Dataset
    held: Dataset | None
    scored: tuple[Dataset, ...]
    splits: Chosen
    left_out: int
    visible: str
    shown: str
    cache: Cache | Resident | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.train.size

    @property
    def added(self) -> dict[str, Any] | None:
        """What labels were added to those of the source, for the manifest; None where none."""
        return None if self.train.added is None else self.train.added.to_json()

    @property
    def drawn(self) -> dict[str, Any] | None:
        """How the regime was drawn, for the manifest; None where nobody knows."""
        if self.regime == FULL:
            return {"kind": FULL, "parameters": {}}
        for split in self.splits.train:
            found = self.store.split(split).stored.get(self.regime)
            if found is not None and found.origin == "drawn":
                return {"kind": found.kind, "parameters": dict(found.parameters)}
        return None

    @property
    def test(self) -> Dataset:
        """What is scored first, and what --select paper asks."""
        return self.scored[0]

    @property
    def seen(self) -> dict[str, Any]:
        """What training sees, for the manifest: images, labels of each task, images without."""
        return {
            "splits": list(self.splits.train),
            "images": len(self.train),
            "labels": self.labels,
            "held_out": len(self.held) if self.splits.watched == "holdout" and self.held else 0,
            "left_out": self.left_out,
        }

    @property
    def labels(self) -> dict[str, int]:
        """For each task, how many training images show it."""
        return self.labels_of(self.train)

    def labels_of(self, of: Dataset) -> dict[str, int]:
        """For each task, how many of these images show it."""
        shown = of.labelled.sum(0)
        return {task.name: int(n) for task, n in zip(self.tasks, shown, strict=True)}


def open_data(config: Config) -> RunData:
    """Open the store and cut it into what trains, what is held out and what tests.

    Raises:
        StoreError: where the store cannot be read.
        UsageError: for an unknown task or regime.
        DataError: where the regime shows no label of a task.
    """
    if config.data is None:
        raise UsageError("`data` should name a store; found none. Give --data FILE.")
    store = open_store(config.data)
    tasks = choose_tasks(config, store)
    names = [task.name for task in tasks]
    regime = config.regime or store.default_regime
    splits = choose_splits(config, store)
    train = store.dataset(
        splits.train,
        names,
        regime,
        transform=augmentation(config.augmentation),
        anyway=config.filled_anyway,
    )
    base = regime
    if train.added is not None:
        regime, base = train.added.regime, train.added.base
    visible = visible_digest(train)
    shown = shown_digest(train) if train.added is None else train.added.base_labels
    held = store.dataset(splits.val, names) if splits.watched == "val" else None
    if splits.watched == "holdout":
        mask = held_out(config, train.keys)
        # What is scored, here too, is compared with labels of the source alone.
        held = make_dataset(store, splits.train, tasks=names, regime=base, bare=True).subset(mask)
        train = train.subset(~mask)
    left_out = 0
    if not config.keep_unlabelled and config.labelled_share is None:
        train, left_out = train.drop_unlabelled()
    scored = tuple(store.dataset(split, names) for split in splits.scored)
    if not scored:
        assert held is not None  # `choose_splits` refuses a store with nothing to score
        scored = (held,)
    train, scored = at_size(train, config.size), tuple(at_size(d, config.size) for d in scored)
    held = None if held is None else at_size(held, config.size)
    data = RunData(store, tasks, regime, train, held, scored, splits, left_out, visible, shown)
    _check(data, config)
    return cached(data, config)


def at_size(dataset: Dataset, size: tuple[int, int] | None) -> Dataset:
    """A dataset that is read at a smaller size; as it is where that is its own, or None.

    Raises:
        UsageError: where the size is larger.
    """
    if size in (None, dataset.size):
        return dataset
    assert size is not None
    return replace(dataset, split=Smaller(dataset.split, size, dataset.tasks))


def cached(data: RunData, config: Config) -> RunData:
    """The same data, to be read once: into memory that processes share, or onto the card.

    Where a processor trains, its memory is the device.

    Raises:
        UsageError: where it does not fit.
    """
    if config.cache == "none":
        return data
    if config.cache == "device" and (device := training_device(config)).type != "cpu":
        return replace(data, cache=Resident(data.train, device))
    if not isinstance(data.train.split, Split):
        raise UsageError(
            f"--cache {config.cache} should be given one training split at the size of the store; "
            f"found {data.train.split.name} at {data.size[0]}x{data.size[1]}. Name one with "
            "--train-on, build a smaller store in place of --size and --scale, or leave --cache "
            "out."
        )
    if data.held is None or data.held.split is not data.train.split:
        cache, (train,) = share_memory(data.train, copies=config.devices)
        return replace(data, train=train, cache=cache)
    cache, (train, held) = share_memory(data.train, data.held, copies=config.devices)
    return replace(data, train=train, held=held, cache=cache)


def choose_tasks(config: Config, store: Store) -> tuple[Task, ...]:
    """The tasks of the run, in the order of the store.

    Raises:
        UnknownNameError: where the store lacks one of them.
    """
    there = [task.name for task in store.tasks]
    wanted = config.tasks or default_tasks(config.method.name, there)
    for name in wanted:
        if name not in there:
            raise UnknownNameError("task in this store", name, there)
    return tuple(task for task in store.tasks if task.name in wanted)


def default_tasks(method: str, there: Sequence[str]) -> tuple[str, ...]:
    """The tasks that a method trains on by itself.

    Args:
        method: Its name.
        there: The tasks of the store.
    """
    wanted = METHODS[method].default_tasks
    if not wanted or not set(wanted) <= set(there):
        return tuple(there)
    return tuple(task for task in there if task in wanted)


def augmentation(part: AugmentationPart) -> Augmentation:
    """What is done to a training sample."""
    return Augmentation(
        flip=part.flip,
        scales=part.scales,
        continuous=part.continuous,
        rotate=part.rotate,
        photometric=Photometric() if part.photometric else None,
        paper_geometry=part.paper_geometry,
    )


def default_workers(trainers: int = 1) -> int:
    """Reading processes: one for two cores, at most four.

    Args:
        trainers: Processes of this machine that train, which have as many each.
    """
    return min(4, max(1, cores() // (2 * trainers)))


def default_out(config: Config, dataset: str, regime: str) -> Path:
    """The run folder of a configuration that names none."""
    file, csv, added = regime.partition(".csv")
    if csv and added[:1] in ("", "+"):
        regime = Path(file).name + added
    regime = regime.replace(":", "-")
    name = f"{dataset}-{config.method.name}-{config.network.label}-{regime}-s{config.seed}"
    return Path("runs") / name


def store_facts(store: Store, size: tuple[int, int] | None = None) -> dict[str, Any]:
    """Name, digests and tasks of a store, with names and colours of classes, and `image_size`.

    `image_size` is the median height and width of the training images, without their padding.

    Args:
        store: The store.
        size: What it is read at; None for its own.
    """
    trains = [split for split in store.splits.values() if split.role == "train"]
    sizes = np.concatenate([split.sizes for split in trains])
    if size is not None:
        sizes = sizes * np.array(size) / np.array(trains[0].size)
    return {
        "dataset": store.dataset_name,
        "content_digest": store.content_digest,
        "source_digest": store.source_digest,
        "format_version": store.format_version,
        "units": {task.name: task.kind.units for task in store.tasks},
        "origin": origin(store),
        "image_size": [int(side) for side in np.median(sizes, axis=0)],
        "tasks": [task.to_json() for task in store.tasks],
    }


def origin(store: Store) -> dict[str, str]:
    """Where the labels of a task come from, for sources that can have them from several places.

    An option of a source that has the name of a task says it: `normals` of nyu is `given` or
    `computed`.
    """
    options = store.options.get("source", {})
    found = {task.name: options.get(task.name) for task in store.tasks}
    return {task: how for task, how in found.items() if isinstance(how, str)}


def _check(data: RunData, config: Config) -> None:
    bare = [task for task, shown in data.labels.items() if not shown]
    if bare:
        raise DataError(
            f"the regime `{data.regime}` should show labels of every task of the run; found none "
            f"of {', '.join(bare)}. Leave them out with --tasks, or choose another --regime."
        )
