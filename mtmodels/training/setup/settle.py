"""Writing down what a configuration leaves open."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from mtmodels.methods import METHODS
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import normalised
from mtmodels.options import filled
from mtmodels.training.config import Config, ViewsPart
from mtmodels.training.loop import OPTIMISERS, SCHEDULES
from mtmodels.training.setup.data import RunData, default_workers
from mtmodels.weightings import WEIGHTINGS

FAMILIES: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "network": NETWORKS,
    "method": METHODS,
    "weighting": WEIGHTINGS,
    "optimizer": OPTIMISERS,
    "schedule": SCHEDULES,
}
"""The parts of a configuration that name a member and have its options."""


def settle(config: Config, data: RunData) -> Config:
    """Write down what was left open, so that the configuration alone makes the run."""
    # A split of role val is there to select, and a hold-out is kept for it; nothing else is.
    watched = data.splits.watched
    select = config.select or (watched if watched in ("holdout", "val") else "last")
    tasks = tuple(task.name for task in data.tasks)
    workers = default_workers(config.devices) if config.workers is None else config.workers
    epochs = config.epochs
    if config.steps is not None:
        epochs = math.ceil(config.steps / (len(data.train) // config.batch))
    return settle_options(_with_normalisation(config)).model_copy(
        update={
            "regime": data.regime,
            "tasks": tasks,
            "select": select,
            "workers": workers,
            "epochs": epochs,
            "views": settle_views(config),
        }
    )


def _with_normalisation(config: Config) -> Config:
    """Write down what pre-trained weights bring: who predicts later does not load them again."""
    part = config.network
    found = normalised({**part.options, "encoder_weights": part.encoder_weights})
    del found["encoder_weights"]
    return config.model_copy(update={"network": part.model_copy(update={"options": found})})


def settle_views(config: Config) -> ViewsPart:
    """How many views there are: as asked for, or as the method wants."""
    count, name = config.views.count, config.method.name
    method = METHODS.get(name)
    if method is None:  # an unknown name is refused where the method is made
        return config.views
    return config.views.model_copy(update={"count": count or method.default_views})


def settle_options(config: Config) -> Config:
    """Write down the options of every member, those that were not given as they are by default.

    None stays where the member works a value out.
    """
    settled = {}
    for key, members in FAMILIES.items():
        part = getattr(config, key)
        if part.name not in members:  # refused where the member is made
            continue
        options = {
            name: to_jsonable_python(value)
            for name, value in filled(members[part.name], part.options).items()
            # What has a key of its own is no option, and is refused where it was given as one.
            if name in part.options or name not in type(part).model_fields
        }
        settled[key] = part.model_copy(update={"options": options})
    return config.model_copy(update=settled)
