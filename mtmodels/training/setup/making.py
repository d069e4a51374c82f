"""Network, method and weighting of a configuration."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch

from mtdata import Task
from mtdata.errors import UsageError
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Network
from mtmodels.options import build
from mtmodels.training.config import Config
from mtmodels.weightings import WEIGHTINGS
from mtmodels.weightings.base import Weighting

T = TypeVar("T")


def make_network(config: Config, tasks: Sequence[Task], *, pretrained: bool = True) -> Network:
    """Make the network.

    Args:
        config: Name and options.
        tasks: What to predict.
        pretrained: Whether to load `encoder_weights`; a checkpoint brings its own.

    Raises:
        UsageError: where the options name what has a key of its own, or cannot be.
    """
    part = config.network
    for name in ("width", "encoder_weights"):
        if name in part.options:
            raise UsageError(
                f"`network.options` should leave `{name}` out; found {part.options[name]!r}. "
                f"Give it as `network.{name}`."
            )
    options: dict[str, Any] = {**part.options, "width": part.width}
    if part.encoder_weights is not None and pretrained:
        options["encoder_weights"] = part.encoder_weights
    made = make("network", NETWORKS, part.name, tasks, options=options)
    for attribute in ("feature_channels", "feature_stride"):
        if not isinstance(getattr(made, attribute, None), int):
            raise UsageError(
                f"network `{part.name}`: `{attribute}` should be a whole number, of the map "
                "`features` of its output; found none. Set it in the class, or in its constructor."
            )
    return made


def make_method(
    config: Config, tasks: Sequence[Task], *, starts: Mapping[str, Sequence[float]] | None = None
) -> Method:
    """Make network and method, their weights drawn from the seed of the run.

    Args:
        config: Names, options and seed.
        tasks: What to predict.
        starts: Where predictions of tasks begin, one value a channel.
    """
    part = config.method
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = make_network(config, tasks)
        for task, values in (starts or {}).items():
            network.start_at(task, values)
        return make("method", METHODS, part.name, network, options=part.options)


def make_weighting(config: Config, tasks: Sequence[Task]) -> Weighting:
    """Make the weighting."""
    part, names = config.weighting, [task.name for task in tasks]
    return make("weighting", WEIGHTINGS, part.name, names, options=part.options)


def make(
    family: str,
    members: Mapping[str, Callable[..., T]],
    name: str,
    *arguments: Any,
    options: Mapping[str, Any],
) -> T:
    """Make a member; what its constructor refuses is a wrong usage of the command."""
    return refusing(
        f"{family} `{name}`", lambda: build(family, members, name, *arguments, options=options)
    )


def refusing(what: str, action: Callable[[], T]) -> T:
    """Run a constructor or a check; what it refuses is a wrong usage of the command."""
    try:
        return action()
    except UsageError:
        raise
    except (ValueError, TypeError) as error:
        raise UsageError(f"{what}: {error}") from error
