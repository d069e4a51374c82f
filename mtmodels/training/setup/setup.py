"""From a configuration to the parts of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from mtdata.reading.loader import Loader
from mtdata.reading.resident import Resident
from mtmodels import processes
from mtmodels.fabric import Fabric
from mtmodels.methods.base import Method, Stage
from mtmodels.training.config import Config
from mtmodels.training.loop import OPTIMISERS, SCHEDULES
from mtmodels.training.loop.engine import Engine
from mtmodels.training.loop.precision import Precision, fabric_on, resolve, training_device
from mtmodels.training.loop.sync_norm import synchronise
from mtmodels.training.loop.validation import HeldOut, Scorer
from mtmodels.training.setup.beginning import starts
from mtmodels.training.setup.data import RunData
from mtmodels.training.setup.fitting import check_fit, check_scores
from mtmodels.training.setup.loading import check_runs, load_runs
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
        runs: What the method loaded, by its own names: what `load_runs` returns.
        held: What the method asks of held-out images; None where it asks nothing.
    """

    config: Config
    method: Method
    weighting: Weighting
    loader: Loader
    fabric: Fabric
    precision: Precision
    runs: Mapping[str, Mapping[str, Any]]
    held: HeldOut | None = None
    _engine: Engine | None = field(default=None, init=False)

    @property
    def engine(self) -> Engine:
        """What does a step; made when it is first asked for, when all stages are done."""
        if self._engine is None:
            self._engine = Engine(
                self.config,
                method=self.method,
                weighting=self.weighting,
                fabric=self.fabric,
                held=self.held,
            )
        return self._engine

    def engine_of(self, stage: Stage) -> Engine:
        """What does a step of a stage that comes before the training."""
        return Engine(
            self.config.model_copy(update={"epochs": stage.epochs, "steps": None}),
            method=self.method,
            weighting=WEIGHTINGS["equal"]([task.name for task in self.method.network.tasks]),
            fabric=self.fabric,
            stage=stage,
        )

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
    check_scores(config, data)
    method = make_method(config, data.tasks, starts=starts(config, data))
    weighting = make_weighting(config, data.tasks)
    check_fit(config, data, method, weighting)
    fabric, precision = make_fabric(config)
    if config.sync_norm:
        refusing(f"network `{config.network.label}`", lambda: synchronise(method.network))
    _check_optimiser(config)
    _check_schedules(config, method, weighting)
    runs = load_runs(method)
    if not config.filled_anyway:
        check_runs(method, data, select=config.select)
    loader = make_loader(config, data)
    held = None if method.probe() is None or data.held is None else HeldOut(data.held, config)
    return Parts(config, method, weighting, loader, fabric, precision, runs, held)


def _check_optimiser(config: Config) -> None:
    """Make it of one number: what options mean together shows before anything is written.

    Raises:
        UsageError: for options that cannot be.
    """
    part = config.optimizer
    optimiser = make("optimiser", OPTIMISERS, part.name, options=part.options)
    group = {"params": [torch.nn.Parameter(torch.zeros(1))]}
    what = f"optimiser `{part.name}`"
    refusing(what, lambda: optimiser.make([group], lr=config.lr, fused=False))


def make_fabric(config: Config) -> tuple[Fabric, Precision]:
    """Choose device and precision.

    Raises:
        UsageError: where there is no such device, or it lacks the precision.
    """
    device = training_device(config)
    precision = resolve(config.precision, device)
    return fabric_on(device, precision.name), precision


def make_loader(config: Config, data: RunData) -> Loader:
    """Make the loader of the training images."""
    device = training_device(config)
    return Loader(
        data.train,
        config.batch,
        seed=config.seed,
        shuffle=True,
        drop_last=True,
        labelled=config.labelled_share,
        # What is on the device already needs nobody to read ahead.
        workers=0 if config.cache == "device" else config.workers or 0,
        pin_memory=device.type == "cuda",
        # A plan is made by one process, of what each of several will do.
        part=(processes.rank(), config.processes),
        accumulate=config.accumulate,
        resident=data.cache if isinstance(data.cache, Resident) else None,
    )


def _check_schedules(config: Config, method: Method, weighting: Weighting) -> None:
    groups = [*method.parameter_groups(), *weighting.parameter_groups()]
    own = [(group.schedule.name, group.schedule.options) for group in groups if group.schedule]
    for name, options in ((config.schedule.name, config.schedule.options), *own):
        make("schedule", SCHEDULES, name, options=options)
