"""One training step: terms, weighting, gradients, optimiser."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from mtdata.reading.batch import Batch
from mtdata.reading.memory import STEPS, keep_freed
from mtmodels.errors import DivergedError
from mtmodels.methods.base import Method
from mtmodels.methods.terms import Terms
from mtmodels.training.config import Config
from mtmodels.training.loop import randomness
from mtmodels.training.loop.labelled import count_shown, labelled_means, supervised
from mtmodels.training.loop.layout import memory_format
from mtmodels.training.loop.schedules import SCHEDULES, Position
from mtmodels.training.loop.viewing import ViewMaker
from mtmodels.weightings.base import Weighting


@dataclass(frozen=True)
class StepResult:
    """What a step tells the log.

    Args:
        lr: The learning rate.
        loss: What went backwards; None where the batch gave no term.
        tasks: The terms of tasks.
        auxiliary: The terms beside them.
        parts: What the terms are made of.
        gradient_norm: Before clipping.
        images: How many images of the views that are supervised show each task.
        labelled: The direct loss of each task as a mean over these images.
    """

    lr: float
    loss: float | None
    tasks: Mapping[str, float]
    auxiliary: Mapping[str, float]
    parts: Mapping[str, float]
    gradient_norm: float
    images: Mapping[str, int] = field(default_factory=dict)
    labelled: Mapping[str, float] = field(default_factory=dict)


class Engine:
    """Holds all that a step changes, and can save and restore it.

    Args:
        config: Rates, schedule, clipping and seed are read from it.
        method: What makes the terms; moved to the device.
        weighting: What weighs them; moved to the device.
        fabric: Device and precision.
    """

    def __init__(
        self, config: Config, *, method: Method, weighting: Weighting, fabric: Fabric
    ) -> None:
        self.config, self.fabric = config, fabric
        if fabric.device.type == "cpu":
            keep_freed(STEPS)
        self.views = ViewMaker(config, method.network.tasks)
        layout = memory_format(method, fabric)
        self.channels_last = layout == torch.channels_last
        self.schedules = [group.schedule for group in method.parameter_groups()]
        self.method = method.to(fabric.device, memory_format=layout)  # type: ignore[call-overload]
        self.weighting = weighting.to(fabric.device)
        optimizer = fabric.setup_optimizers(self._adam())
        assert not isinstance(optimizer, tuple)  # one goes in, one comes out
        self.optimizer = optimizer
        self.rng = torch.Generator(fabric.device).manual_seed(config.seed)

    def step(self, batch: Batch, position: Position) -> StepResult:
        """Train on one batch.

        Raises:
            DivergedError: where a term or the gradient is not finite; nothing has changed then.
        """
        lr = self._set_rate(position)
        batch = batch.to(self.fabric.device, channels_last=self.channels_last)
        views = self.views(batch, position.epoch)
        with self.fabric.autocast():
            terms = self.method(views, progress=position.progress, rng=self.rng)
        batches = supervised(self.method, views)
        values, images = _read(terms, count_shown(batches), position.step, keys=batch.keys)
        if not terms.tasks and not terms.auxiliary:
            return StepResult(lr, None, {}, {}, values["parts"], 0.0, images)
        shared = self.method.network.shared_parameters()
        total = self.weighting.backward(terms, shared, self.fabric.backward)
        norm = self._clip(position.step, batch.keys)
        self.optimizer.step()
        self.optimizer.zero_grad()
        labelled = labelled_means(
            self.method, values["parts"], images, images=sum(map(len, batches))
        )
        return StepResult(
            lr, float(total), **values, gradient_norm=norm, images=images, labelled=labelled
        )

    def train(self) -> None:
        """Put everything into training mode."""
        self.method.train()
        self.weighting.train()

    def state(self) -> dict[str, Any]:
        """Everything but the weights of the method, as tensors and plain values."""
        return {
            "weighting": self.weighting.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "random": randomness.snapshot(self.rng),
        }

    def load_state(self, weights: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Go back to what `state` and the weights were."""
        self.method.load_state_dict(weights)
        self.weighting.load_state_dict(state["weighting"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.fabric.strategy.precision.load_state_dict(state["precision"])
        randomness.restore(state["random"], self.rng)

    def _adam(self) -> torch.optim.Optimizer:
        """Adam over the groups of the method, and what the weighting learns."""
        own = self.method.parameter_groups()
        groups = [{"params": group.parameters, "scale": group.scale} for group in own]
        learned = list(self.weighting.parameters())
        if learned:
            groups.append({"params": learned, "scale": 1.0})
        return torch.optim.Adam(
            groups,
            lr=self.config.lr,
            betas=self.config.betas,
            fused=can_fuse(self.fabric.device, self.config.precision),
        )

    def _set_rate(self, position: Position) -> float:
        run = self.config.schedule
        rate = self.config.lr * SCHEDULES[run.name](position, **run.options)
        for group, own in zip_longest(self.optimizer.param_groups, self.schedules):
            group["lr"] = rate * group["scale"]
            if own is not None:
                factor = SCHEDULES[own.name](position, **own.options)
                group["lr"] = self.config.lr * factor * group["scale"]
        return rate

    def _clip(self, step: int, keys: tuple[str, ...]) -> float:
        """Clip the gradients where that is wanted; refuse those that are not finite."""
        limit = math.inf if self.config.gradient_clip is None else self.config.gradient_clip
        clipped = self.fabric.clip_gradients(
            self.method, self.optimizer, max_norm=limit, error_if_nonfinite=False
        )
        assert clipped is not None  # only clipping by value gives no norm
        norm = float(clipped)
        # Under fp16 an overflow is part of the search for the scale: the scaler skips that step.
        if not math.isfinite(norm) and self.config.precision != "16":
            self.optimizer.zero_grad()
            raise DivergedError(step, "gradient", keys)
        return norm


def _read(
    terms: Terms, shown: Mapping[str, Tensor], step: int, *, keys: tuple[str, ...]
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Bring all terms and counts to the processor in one go; refuse terms that are not finite."""
    families = {"tasks": terms.tasks, "auxiliary": terms.auxiliary, "parts": terms.parts}
    flat = [(family, name) for family, named in families.items() for name in named]
    numbers = [*(families[f][n] for f, n in flat), *shown.values()]
    read = torch.stack([number.detach().float() for number in numbers]).tolist() if numbers else []
    values: dict[str, dict[str, float]] = {family: {} for family in families}
    for (family, name), value in zip(flat, read, strict=False):
        values[family][name] = value
    for family in ("parts", "auxiliary", "tasks"):
        # The parts first: they name the culprit best.
        for name, value in values[family].items():
            if not math.isfinite(value):
                raise DivergedError(step, name, keys)
    return values, dict(zip(shown, map(int, read[len(flat) :]), strict=True))


def can_fuse(device: torch.device, precision: str) -> bool:
    """Whether Adam can be fused: on processors and NVIDIA cards, but not under fp16.

    The fused Adam takes the scale off the gradients itself, after they were to be clipped.
    """
    return device.type in ("cpu", "cuda") and precision != "16"
