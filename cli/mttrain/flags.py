"""The flags of `mttrain`, as a part of its configuration."""

from collections.abc import Mapping
from typing import Any

import click

from mtdata.errors import UsageError

KEYS = {
    "data": "data", "size": "size", "regime": "regime", "tasks": "tasks",
    "keep_unlabelled": "keep_unlabelled",
    "method": "method.name", "network": "network.name", "width": "network.width",
    "encoder_weights": "network.encoder_weights", "weighting": "weighting.name",
    "epochs": "epochs", "steps": "steps", "batch": "batch", "accumulate": "accumulate", "lr": "lr",
    "optimizer": "optimizer.name", "schedule": "schedule.name",
    "views": "views.count", "conditioning": "method.options.conditioning",
    "regulariser": "method.options.regulariser", "with_ssl": "method.options.with_ssl",
    "mapping_norm": "method.options.mapping_norm", "mapping_width": "method.options.mapping_width",
    "checkpoint_mapping": "method.options.checkpoint_mapping",
    "gradient_clip": "gradient_clip", "paper_geometry": "augmentation.paper_geometry",
    "seed": "seed", "holdout": "holdout", "train_on": "train_on",
    "select_on": "select_on", "score_on": "score_on", "select": "select", "protocol": "protocol",
    "precision": "precision", "device": "device", "devices": "devices",
    "workers": "workers", "cache": "cache",
    "checkpoint_every": "checkpoint_every",
}  # fmt: skip
"""For each flag, the key of the configuration that it sets."""

OPTIONS = "method.options."
"""Where the keys begin that not every method has."""


def layer_of(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that were given, as a part of a configuration."""
    from mtmodels.training.setup.resolve import merge

    layer: dict[str, Any] = {}
    for flag, value in flags.items():
        if value is not None:
            nested: Any = list(value) if isinstance(value, tuple) else value
            for key in reversed(KEYS[flag].split(".")):
                nested = {key: nested}
            layer = merge(layer, nested)
    return layer


def check_method(flags: Mapping[str, Any], method: str) -> None:
    """Refuse a flag that sets an option that the method lacks.

    Raises:
        UsageError: naming the flag, and the methods that it is for.
    """
    given = [f for f, value in flags.items() if value is not None and KEYS[f].startswith(OPTIONS)]
    if not given:
        return
    from mtmodels.methods import METHODS
    from mtmodels.options import options_of

    for flag in given if method in METHODS else []:  # an unknown method is refused elsewhere
        option = KEYS[flag].removeprefix(OPTIONS)
        fits = sorted(n for n, member in METHODS.items() if option in options_of(member))
        if method not in fits:
            raise UsageError(
                f"`{_written(flag)}` should go with one of the methods {', '.join(fits)}; found "
                f"`{method}`. Leave it out, or give another --method."
            )


def _written(flag: str) -> str:
    """The flag as a user writes it."""
    parameters = click.get_current_context().command.params
    return next(p.opts[0] for p in parameters if p.name == flag)
