"""What a run would take, from two measured steps of each stage; nothing is written."""

import resource
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn

from mtdata.reading.loader import Loader
from mtmodels.methods.base import Stage
from mtmodels.training.config import Config
from mtmodels.training.loop.engine import Engine
from mtmodels.training.loop.schedules import Position
from mtmodels.training.setup.data import RunData
from mtmodels.training.setup.setup import Parts

MEASURED = 2
"""Steps that are timed, after one that warms up."""


@dataclass(frozen=True)
class PlannedStage:
    """What comes before the training. Time in seconds."""

    name: str
    epochs: int
    steps: int
    seconds_per_step: float
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What a run would take. Memory in MB, time in seconds, with that of the stages before it."""

    method: str
    network: str
    weighting: str
    regime: str
    tasks: tuple[str, ...]
    labels: dict[str, int]
    images: int
    left_out: int
    held_out: int
    size: tuple[int, int]
    precision: str
    parameters: int
    parameters_inference: int
    steps_per_epoch: int
    steps: int
    seconds_per_step: float
    seconds: float
    memory_mb: float
    stages: tuple[PlannedStage, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def measure(config: Config, data: RunData, parts: Parts, *, notes: tuple[str, ...] = ()) -> Plan:
    """Do a few steps and reckon; `notes` are what the run would say before it begins."""
    stages = tuple(_stage(parts, stage) for stage in parts.method.stages())
    per_epoch = len(parts.loader)
    position = Position(0, per_epoch, config.epochs, config.steps)
    a_step, steps = _a_step(parts.engine, parts.loader, position), position.total
    return Plan(
        method=config.method.name,
        network=config.network.label,
        weighting=config.weighting.name,
        regime=data.regime,
        tasks=tuple(task.name for task in data.tasks),
        labels=data.labels,
        images=len(data.train),
        left_out=data.left_out,
        held_out=data.seen["held_out"],
        size=data.size,
        precision=parts.precision.name,
        parameters=count(parts.method),
        parameters_inference=count(parts.method.network),
        steps_per_epoch=per_epoch,
        steps=steps,
        seconds_per_step=a_step,
        seconds=a_step * steps + sum(stage.seconds for stage in stages),
        memory_mb=peak_memory_mb(),
        stages=stages,
        notes=notes,
    )


def _stage(parts: Parts, stage: Stage) -> PlannedStage:
    """Do a few steps of a stage, and leave it behind as a run does."""
    position = Position(0, len(parts.loader), stage.epochs)
    a_step = _a_step(parts.engine_of(stage), parts.loader, position)
    stage.done()
    return PlannedStage(
        stage.name, stage.epochs, position.total, a_step, seconds=a_step * position.total
    )


def _a_step(engine: Engine, loader: Loader, position: Position) -> float:
    """How long a step takes, with its share of a look at held-out labels."""
    times, asking = [], 0.0
    for last, step in zip(range(1 + MEASURED), loader.steps(0), strict=False):
        started = time.perf_counter()
        if last == MEASURED and engine.probe is not None:
            engine.look(step, replace(position, step=engine.probe.every))
            asking = (time.perf_counter() - started) / engine.probe.every
            started = time.perf_counter()
        engine.step(step, position)
        times.append(time.perf_counter() - started)
    return sum(times[1:] or times) / len(times[1:] or times) + asking


def count(module: nn.Module) -> int:
    """How many parameters a module has."""
    return sum(parameter.numel() for parameter in module.parameters())


def peak_memory_mb() -> float:
    """The most memory so far: of the card where there is one, of this process otherwise."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
