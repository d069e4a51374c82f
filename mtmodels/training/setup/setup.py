"""From a configuration to the parts of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric

from mtdata import Task
from mtdata.errors import UsageError
from mtdata.reading.loader import Loader
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method, Schedule
from mtmodels.metrics.protocols import metric_for
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Network
from mtmodels.options import build
from mtmodels.training.config import Config
from mtmodels.training.loop.engine import Engine
from mtmodels.training.loop.precision import Precision, resolve
from mtmodels.training.loop.schedules import SCHEDULES, Position
from mtmodels.training.loop.validation import Scorer
from mtmodels.training.setup.data import RunData
from mtmodels.weightings import WEIGHTINGS
from mtmodels.weightings.base import Weighting


@dataclass(frozen=True)
class Parts:
    """All that trains."""

    engine: Engine
    loader: Loader
    precision: Precision

    @property
    def scorer(self) -> Scorer:
        """Scores splits with the network as it is at that moment."""
        engine = self.engine
        return Scorer(engine.method.predict, engine.fabric, engine.config, engine.channels_last)


def assemble(config: Config, data: RunData) -> Parts:
    """Make everything that trains; refuse what cannot work before any work is done.

    Raises:
        UsageError: for names, options and sizes that cannot be.
    """
    for task in data.tasks:
        metric_for(task, config.protocol)
    method = make_method(config, data.tasks)
    _refusing("size of the images", lambda: method.check_size(*data.size))
    views = config.views.count or method.default_views
    _refusing(
        f"method `{config.method.name}` with network `{config.network.name}`",
        lambda: method.check_batch(config.batch, views),
    )
    fabric, precision = make_fabric(config)
    weighting = make_weighting(config, data.tasks)
    loader = make_loader(config, data)
    run = Schedule(config.schedule.name, config.schedule.options)
    for schedule in (run, *(group.schedule for group in method.parameter_groups())):
        if schedule is not None:
            _try_schedule(schedule, config, len(loader))
    engine = Engine(config, method=method, weighting=weighting, fabric=fabric)
    return Parts(engine, loader, precision)


def make_fabric(config: Config) -> tuple[Fabric, Precision]:
    """Choose device and precision."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = resolve(config.precision, device)
    fabric = Fabric(accelerator=device.type, devices=config.devices, precision=precision.name)
    return fabric, precision


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
    network: Network = _make("network", NETWORKS, part.name, tasks, options=options)
    return network


def make_method(config: Config, tasks: Sequence[Task]) -> Method:
    """Make network and method, their weights drawn from the seed of the run."""
    part = config.method
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = make_network(config, tasks)
        method: Method = _make("method", METHODS, part.name, network, options=part.options)
    return method


def make_weighting(config: Config, tasks: Sequence[Task]) -> Weighting:
    """Make the weighting."""
    names = [task.name for task in tasks]
    part = config.weighting
    made: Weighting = _make("weighting", WEIGHTINGS, part.name, names, options=part.options)
    return made


def make_loader(config: Config, data: RunData) -> Loader:
    """Make the loader of the training images."""
    return Loader(
        data.train,
        config.batch,
        seed=config.seed,
        shuffle=True,
        drop_last=True,
        workers=config.workers or 0,
        pin_memory=torch.cuda.is_available(),
    )


def _make(family: str, members: Mapping[str, Any], name: str, *args: Any, options: Any) -> Any:
    return _refusing(
        f"{family} `{name}`", lambda: build(family, members, name, *args, options=options)
    )


def _refusing(what: str, action: Any) -> Any:
    """Run a constructor or a check; what it refuses is a wrong usage of the command."""
    try:
        return action()
    except UsageError:
        raise
    except (ValueError, TypeError) as error:
        raise UsageError(f"{what}: {error}") from error


def _try_schedule(schedule: Schedule, config: Config, steps: int) -> None:
    position = Position(0, steps, config.epochs)
    _make("schedule", SCHEDULES, schedule.name, position, options=schedule.options)
