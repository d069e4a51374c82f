"""From a configuration to the parts of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from lightning_fabric import Fabric

from mtdata.errors import UsageError
from mtdata.reading.loader import Loader
from mtmodels.methods.base import Method
from mtmodels.metrics.protocols import metric_for
from mtmodels.scoring.original import check_scorable
from mtmodels.training.config import Config
from mtmodels.training.loop import OPTIMISERS, SCHEDULES
from mtmodels.training.loop.engine import Engine
from mtmodels.training.loop.precision import Precision, device_of, fabric_on, resolve
from mtmodels.training.loop.validation import Scorer
from mtmodels.training.loop.viewing import view_maker
from mtmodels.training.setup.beginning import starts
from mtmodels.training.setup.data import RunData
from mtmodels.training.setup.loading import load_runs
from mtmodels.training.setup.making import make, make_method, make_weighting, refusing
from mtmodels.weightings import WEIGHTINGS
from mtmodels.weightings.base import Weighting


@dataclass
class Parts:
    """All that trains.

    Args:
        config: What decides how.
        method: What makes the terms, with its network.
        weighting: What weighs them.
        loader: The training images.
        fabric: Device and precision.
        precision: The precision, and why it is that.
        runs: What the method loaded, by its own names: folder and digest of the weights.
    """

    config: Config
    method: Method
    weighting: Weighting
    loader: Loader
    fabric: Fabric
    precision: Precision
    runs: Mapping[str, Mapping[str, str]]
    _engine: Engine | None = field(default=None, init=False)

    @property
    def engine(self) -> Engine:
        """What does a step; made when it is first asked for, when all stages are done."""
        if self._engine is None:
            self._engine = Engine(
                self.config, method=self.method, weighting=self.weighting, fabric=self.fabric
            )
        return self._engine

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
    check_scorable(config.protocol, data.test, data.store)
    method = make_method(config, data.tasks, starts=starts(config, data))
    refusing("size of the images", lambda: method.check_size(*data.size))
    views = config.views.count or method.default_views
    refusing(
        f"method `{config.method.name}` with network `{config.network.name}`",
        lambda: method.check_batch(config.batch // config.accumulate, views, data.size),
    )
    refusing(f"method `{config.method.name}`", lambda: view_maker(config, method))
    refusing(
        f"method `{config.method.name}` under the regime `{data.regime}`",
        lambda: method.check_labels(data.train.labelled),
    )
    _check_cameras(method, config, data)
    fabric, precision = make_fabric(config)
    weighting = make_weighting(config, data.tasks)
    _check_parts(config, weighting)
    make("optimiser", OPTIMISERS, config.optimizer.name, options=config.optimizer.options)
    _check_schedules(config, method, weighting)
    runs = load_runs(method)
    return Parts(config, method, weighting, make_loader(config, data), fabric, precision, runs)


def make_fabric(config: Config) -> tuple[Fabric, Precision]:
    """Choose device and precision.

    Raises:
        UsageError: where there is no such device, or it lacks the precision.
    """
    device = device_of(config.device)
    precision = resolve(config.precision, device)
    return fabric_on(device, precision.name, devices=config.devices), precision


def make_loader(config: Config, data: RunData) -> Loader:
    """Make the loader of the training images."""
    return Loader(
        data.train,
        config.batch // config.accumulate,
        seed=config.seed,
        shuffle=True,
        drop_last=True,
        workers=config.workers or 0,
        pin_memory=device_of(config.device).type == "cuda",
    )


def _check_parts(config: Config, weighting: Weighting) -> None:
    """Refuse to add gradients that are not those of the whole batch."""
    if config.accumulate > 1 and not weighting.adds_up:
        able = [name for name, member in WEIGHTINGS.items() if member.adds_up]
        raise UsageError(
            f"`accumulate` should be 1 with the weighting `{config.weighting.name}`, which looks "
            f"at the gradients or the losses of a whole batch at once; found {config.accumulate}. "
            f"Leave it out, or choose one of {', '.join(able)}."
        )


def _check_cameras(method: Method, config: Config, data: RunData) -> None:
    if not method.cameras_for:
        return
    splits = [data.store.splits[name] for name in data.splits.train]
    if all(np.isnan(split.cameras).any(1).all() for split in splits):
        raise UsageError(
            f"method `{config.method.name}`: images should have a camera, which "
            f"{' and '.join(f'`{name}`' for name in method.cameras_for)} need; "
            f"{data.store.dataset_name} has none in {' and '.join(data.splits.train)}. Name "
            "relations that need none with --set method.options.relations={NAME: 1}, or choose "
            "another method."
        )


def _check_schedules(config: Config, method: Method, weighting: Weighting) -> None:
    groups = [*method.parameter_groups(), *weighting.parameter_groups()]
    own = [(group.schedule.name, group.schedule.options) for group in groups if group.schedule]
    for name, options in ((config.schedule.name, config.schedule.options), *own):
        make("schedule", SCHEDULES, name, options=options)
