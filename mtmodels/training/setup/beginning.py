"""What a new run takes from its data: losses, a length, and where predictions begin.

A run that goes on keeps what it wrote down, and so does what a recipe says.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata import SOURCES, Task
from mtdata.errors import DataError, UsageError
from mtdata.reading.dataset import Dataset
from mtdata.wording import counted
from mtmodels.kinds import kind_model
from mtmodels.methods import METHODS
from mtmodels.networks.encoders.weights import PACKAGED, has_package
from mtmodels.options import options_of
from mtmodels.training.config import Config
from mtmodels.training.setup.data import RunData
from mtmodels.training.setup.resolve import merge

LOOKED_AT = 200
"""Labels of a task that are looked at, evenly spread over those that may be seen."""
FEWEST = 600
"""Steps of a run that is given no length: with few images 15 epochs are a handful."""
SHORT = 200
"""Steps below which no network of ours has learnt anything worth looking at."""


def begin(config: Config, data: RunData) -> tuple[Config, list[str]]:
    """Decide what a new run leaves open and its labels say; with sentences for people.

    Args:
        config: What was asked for.
        data: What it trains on.

    Raises:
        UsageError: for a batch that was asked for and is larger than the images are many.
    """
    config, smaller = _batch(config, len(data.train))
    losses: dict[str, str] = {}
    told: list[str] = []
    if "losses" in options_of(METHODS[config.method.name]):
        losses, told = _losses(config, data)
    options = merge(config.method.options, {"losses": losses}) if losses else config.method.options
    method = config.method.model_copy(update={"options": options})
    length, more = _length(config, data)
    network, most = _network(config, data)
    update = {"method": method, **length, **network}
    return config.model_copy(update=update), [*most, *smaller, *told, *more]


def selecting(
    config: Config, data: RunData, layers: Sequence[Mapping[str, Any]]
) -> tuple[Config, list[str]]:
    """Let the last epoch count where what should choose one shows no label of any task.

    Only where a recipe alone held images out; what was asked for is refused.

    Args:
        config: Of a new run, settled.
        data: What it trains on.
        layers: What it was made of.

    Raises:
        UsageError: with what to do.
    """
    of = data.test if config.select == "paper" else data.held
    if config.select == "last" or of is None or of.labelled.any():
        return config, []
    images, given = counted(len(of), "image"), layers[config.recipe.name is not None :]
    if config.select != "holdout":
        where, how = f"{images} of {of.split.name}", "Give --select last"
    else:
        where = f"{images} held out, by the regime `{data.regime}`"
        how = "Give a larger --holdout, or --select last"
        if not any({"holdout", "select"} & layer.keys() for layer in given):
            return config.model_copy(update={"select": "last"}), [
                f"Selection: last, as there is no label to choose an epoch by among {where}. A "
                "larger --holdout may have some."
            ]
    raise UsageError(
        f"what chooses the epoch should show labels of these tasks; found none among {where}. "
        f"{how}."
    )


def starts(config: Config, data: RunData) -> dict[str, list[float]]:
    """Where predictions begin: for depth and normals at the mean of the labels that may be seen."""
    if config.start != "mean":
        return {}
    able = [task for task in data.tasks if kind_model(task).starts_at_mean]
    return {task.name: mean_label(data.train, task) for task in able}


def _network(config: Config, data: RunData) -> tuple[dict[str, Any], list[str]]:
    """For images of one's own, where no network was named: an encoder that knows ImageNet.

    Where its weights are at hand, as a package; nothing is downloaded that was not asked for.
    """
    if not _is_own(data) or "network" in config.model_fields_set or not has_package():
        return {}, []
    part = config.network.model_copy(
        update={"encoder_weights": "package", "options": {"encoder": PACKAGED}}
    )
    return {"network": part}, [
        f"Network: `{part.label}`, whose encoder knows ImageNet: its weights are installed here. "
        "--network, --encoder or --recipe take another."
    ]


def _is_own(data: RunData) -> bool:
    """Whether images are somebody's own."""
    return data.store.dataset_name not in SOURCES or data.store.dataset_name == "folder"


def _batch(config: Config, images: int) -> tuple[Config, list[str]]:
    """One that nobody asked for is no larger than the images are many."""
    if config.batch <= images:
        return config, []
    given = "batch" in config.model_fields_set
    if not given and config.processes * config.accumulate == 1:
        return config.model_copy(update={"batch": images}), [
            f"Batch: {images}, all there is to train on in place of {config.batch}. --batch gives "
            "another."
        ]
    raise UsageError(
        f"`batch` should be at most the number of training images, {images}; found "
        f"{config.batch}. Give a smaller --batch."
    )


def _length(config: Config, data: RunData) -> tuple[dict[str, Any], list[str]]:
    """How long a run is that was given no length, and where its predictions begin.

    One whose epochs are given, as recipes give them, begins as it did in version 0.1.
    """
    given = "epochs" in config.model_fields_set
    images, per_epoch = len(data.train), len(data.train) // config.batch
    found: dict[str, Any] = {}
    if not given and "start" not in config.model_fields_set:
        found["start"] = "mean"
    steps = per_epoch * config.epochs if config.steps is None else config.steps
    if not given and config.steps is None and steps < FEWEST:
        found["steps"] = FEWEST
        return found, [
            f"Length: {FEWEST} steps, {counted(FEWEST // per_epoch, 'epoch')} of "
            f"{counted(images, 'image')}; {counted(config.epochs, 'epoch')} would be {steps} "
            "steps, too few to learn from. --steps or --epochs give another length."
        ]
    if steps >= SHORT:
        return found, []
    own = _is_own(data) and not config.recipe.name
    other = ", or --recipe own-small, which is made for few images of your own" if own else ""
    slow = [task.name for task in data.tasks if kind_model(task).starts_at_mean]
    near = f", and {' and '.join(slow)} may stay near where predictions begin" if slow else ""
    return found, [
        f"This training is short: {counted(steps, 'step')}. A network learns little in so few"
        f"{near}. Give --steps {FEWEST} or more{other}."
    ]


def _losses(config: Config, data: RunData) -> tuple[dict[str, str], list[str]]:
    """Losses for tasks with masks that are empty or full, where none was chosen."""
    chosen = config.method.options.get("losses")
    named: Mapping[str, Any] = chosen if isinstance(chosen, Mapping) else {}
    losses, told = dict(named), []
    for task in data.tasks:
        model = kind_model(task)
        if not model.one_sided_loss or named.get(task.name, model.default_loss) not in model.blind:
            continue
        seen = [len(np.unique(label[valid])) < 2 for label, valid in labels(data.train, task)]
        if not any(seen):
            continue
        loss = named.get(task.name, model.default_loss)
        what = (
            f"Masks of `{task.name}`: {sum(seen)} of {len(seen)} that were looked at are empty or "
            f"full. The loss `{loss}` is 0 there, so that such images teach nothing, and a network "
            "that never loses on an empty mask predicts foreground everywhere."
        )
        if task.name in named:
            told.append(f"{what} `{model.one_sided_loss}` would learn from them.")
            continue
        losses[task.name] = model.one_sided_loss
        told.append(
            f"{what} `{model.one_sided_loss}` is taken, which learns from every pixel; "
            f"`--set method.options.losses.{task.name}={loss}` keeps the other."
        )
    return (losses, told) if losses != named else ({}, told)


def labels(
    dataset: Dataset, task: Task, most: int = LOOKED_AT
) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
    """Some labels that may be seen, evenly spread, with their validity; no other is read.

    Those without a valid pixel, as sparse ones at a smaller size may be, say nothing and are left
    out.

    Args:
        dataset: What may be seen.
        task: One of its tasks.
        most: How many.
    """
    column = [one.name for one in dataset.tasks].index(task.name)
    rows = dataset.rows[dataset.labelled[:, column]]
    for row in rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)]:
        sample = dataset.split.read(int(row), [task.name])
        if sample.valid[task.name].any():
            yield sample.labels[task.name], sample.valid[task.name]


def mean_label(dataset: Dataset, task: Task) -> list[float]:
    """The mean of the labels that may be seen, one value a channel; of at most `LOOKED_AT`.

    Raises:
        DataError: where none of them has a valid pixel at the size of the dataset.
    """
    means = [label[valid].mean(0, np.float64) for label, valid in labels(dataset, task)]
    if not means:
        height, width = dataset.size
        raise DataError(
            f"labels of `{task.name}` should have valid pixels at {height}x{width}; of those that "
            "were looked at none has one. Give a larger --size, or leave the task out (--tasks)."
        )
    return [float(value) for value in np.atleast_1d(np.mean(means, axis=0))]
