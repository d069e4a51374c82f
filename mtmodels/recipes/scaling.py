"""A recipe made smaller for a small machine: images, network and length together."""

from collections.abc import Mapping, Sequence
from typing import Any

from mtmodels.methods import METHODS
from mtmodels.metrics import METRICS
from mtmodels.networks import NETWORKS
from mtmodels.options import filled
from mtmodels.recipes import Recipe
from mtmodels.training.setup.resolve import resolve

STORED = "mtpsl"
"""The protocol in place of one that scores at the size of the source."""


def scaled(recipe: Recipe, scale: float, size: Sequence[int] | None = None) -> dict[str, Any]:
    """What lies over a recipe to make it smaller: a part of a configuration.

    Height and width stay divisible by the stride of the network; epochs, steps and what a schedule
    counts in epochs shrink alike. Batch and learning rate stay.

    Args:
        recipe: The recipe.
        scale: A factor above 0, at most 1.
        size: Height and width of the store, for a recipe that needs none; None to leave the size.
    """
    config = resolve(recipe.config)
    stride = NETWORKS[config.network.name].stride
    found: dict[str, Any] = {
        "recipe": {"name": recipe.name, "scale": scale},
        "network": {"name": config.network.name, "width": config.network.width * scale},
        "method": {
            "name": config.method.name,
            "options": _options(config.method.name, config.method.options, scale),
        },
        "schedule": _schedule(config.schedule.model_dump(), scale),
    }
    if (whole := recipe.store.get("size", size)) is not None:
        found["size"] = [max(stride, round(side * scale / stride) * stride) for side in whole]
    if config.steps is not None:
        found["steps"] = _fewer(config.steps, scale)
    elif "epochs" in recipe.config:
        found["epochs"] = _fewer(config.epochs, scale)
    if METRICS[config.protocol].at != "stored":
        found["protocol"] = STORED
    return found


def _options(method: str, given: Mapping[str, Any], scale: float) -> dict[str, Any]:
    """The options of a method that are widths, lengths or schedules; None follows the network."""
    found: dict[str, Any] = {}
    for name, value in filled(METHODS[method], given).items():
        if name.endswith("_epochs") and value is not None:
            found[name] = _fewer(value, scale)
        elif name.endswith("_width") and value is not None:
            found[name] = value * scale
        elif name.endswith("_schedule") and isinstance(value, Mapping):
            found[name] = _schedule(value, scale)
    return found


def _schedule(schedule: Mapping[str, Any], scale: float) -> dict[str, Any]:
    options = dict(schedule.get("options", {}))
    if schedule["name"] == "step":
        every = options.get("every", _default("step", "every"))
        options["every"] = _fewer(every, scale)
    return {"name": schedule["name"], "options": options}


def _default(schedule: str, option: str) -> Any:
    from mtmodels.training.loop import SCHEDULES

    return filled(SCHEDULES[schedule], {})[option]


def _fewer(count: int, scale: float) -> int:
    return max(1, round(count * scale))
