"""The groups of parameters that learn: their optimiser, rates, and what is clipped together."""

import inspect
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from mtmodels.errors import MemberError
from mtmodels.fabric import Fabric
from mtmodels.methods.base import Method, ParameterGroup, ScheduleName
from mtmodels.training.config import Config, OptimizerPart
from mtmodels.training.loop import OPTIMISERS, SCHEDULES
from mtmodels.training.loop.schedules import Position, Schedule


class Groups:
    """Holds the optimiser over groups of parameters, each with its rate and its schedule.

    Args:
        groups: Those of the method, or of a stage of it, and of the weighting.
        config: Optimiser, rates, schedule and clipping are read from it.
        fabric: Device and precision.
    """

    def __init__(self, groups: Sequence[ParameterGroup], config: Config, fabric: Fabric) -> None:
        self.config, self.fabric = config, fabric
        self.groups = decaying(groups, config.optimizer)
        self.parameters = [p for group in self.groups for p in group.parameters]
        names = dict.fromkeys(group.clip for group in self.groups)
        self._apart = [self._clipped(name) for name in names] if len(names) > 1 else []
        run = ScheduleName(name=config.schedule.name, options=config.schedule.options)
        self.schedules = [_Rate(group.schedule or run) for group in self.groups]
        self.schedule = _Rate(run)
        optimizer = fabric.setup_optimizers(self._optimizer())
        assert not isinstance(optimizer, tuple)  # one goes in, one comes out
        self.optimizer = optimizer

    def set_rates(self, position: Position) -> float:
        """Set the rate of each group for a step, and give that of the run."""
        groups = zip(self.optimizer.param_groups, self.groups, self.schedules, strict=True)
        for group, own, schedule in groups:
            rate = self.config.lr if own.rate is None else own.rate
            group["lr"] = rate * schedule(position) * own.scale
        return self.config.lr * self.schedule(position)

    def clip(self, method: Method) -> float:
        """Clip the gradients where that is wanted, and give their norm before."""
        limit = math.inf if self.config.gradient_clip is None else self.config.gradient_clip
        # It takes the scale of fp16 off as well, and says the norm of all, whoever is clipped.
        norm = self.fabric.clip_gradients(
            method,
            self.optimizer,
            max_norm=math.inf if self._apart else limit,
            error_if_nonfinite=False,
        )
        assert norm is not None  # only clipping by value gives no norm
        for group in self._apart if math.isfinite(limit) else ():
            nn.utils.clip_grad_norm_(group, limit)
        return float(norm)

    def _clipped(self, name: str) -> list[nn.Parameter]:
        """What is clipped together under a name."""
        return [p for group in self.groups if group.clip == name for p in group.parameters]

    def _optimizer(self) -> torch.optim.Optimizer:
        """The optimiser over the groups of the method, and what the weighting learns."""
        groups = [
            {"params": group.parameters, "scale": group.scale}
            | ({} if group.weight_decay is None else {"weight_decay": group.weight_decay})
            for group in self.groups
        ]
        part = self.config.optimizer
        chosen = OPTIMISERS[part.name].read(part.options)
        fused = can_fuse(self.fabric.device, self.config.precision)
        made = chosen.make(groups, lr=self.config.lr, fused=fused)
        problem = _unlike(made, [group.parameters for group in self.groups])
        if problem:
            raise MemberError(f"the optimiser `{part.name}`", problem)
        return made


def _unlike(made: object, groups: Sequence[Sequence[nn.Parameter]]) -> str:
    """Why this is no optimiser of these groups, which have rates of their own; empty if it is."""
    if not isinstance(made, torch.optim.Optimizer):
        return f"should make an optimiser of torch in `make`; found {type(made).__name__}."
    try:
        inspect.signature(made.step).bind()
    except TypeError:
        return (
            "should make a step of the gradients that are there; found one that asks for the loss "
            f"again (`closure`), {type(made).__name__}."
        )
    held = [[id(parameter) for parameter in group["params"]] for group in made.param_groups]
    if held != [[id(parameter) for parameter in group] for group in groups]:
        return (
            "should hold the groups that `make` is given, as they are, since each has a rate of "
            f"its own; found {len(held)} groups of {sum(map(len, held))} parameters for "
            f"{len(groups)} of {sum(map(len, groups))}. Give `groups` to the optimiser of torch."
        )
    return ""


class _Rate:
    """The factor of a schedule, checked: it may be anybody's.

    Args:
        chosen: Its name and options.
    """

    def __init__(self, chosen: ScheduleName) -> None:
        self.name, self.schedule = chosen.name, scheduled(chosen)

    def __call__(self, position: Position) -> float:
        """The factor at a step; raises MemberError where it is none."""
        found: Any = self.schedule(position)
        try:
            factor = float(found)
        except (TypeError, ValueError, RuntimeError):
            factor = math.nan
        if not 0 <= factor < math.inf:
            raise MemberError(
                f"the schedule `{self.name}`",
                f"should give a factor of 0 or more at each step; found {found!r:.80} at step "
                f"{position.step} of {position.total}.",
            )
        return factor


def decaying(groups: Sequence[ParameterGroup], part: OptimizerPart) -> list[ParameterGroup]:
    """The groups, each in two where weight decay is for weights alone."""
    if OPTIMISERS[part.name].read(part.options).decays == "all":
        return list(groups)
    found = []
    for group in groups:
        # Biases, and the factors of norms, are vectors; no weight is.
        vectors = [p for p in group.parameters if group.factors or p.ndim < 2]
        weights = [p for p in group.parameters if not group.factors and p.ndim > 1]
        found += [replace(group, parameters=weights)] if weights else []
        found += [replace(group, parameters=vectors, weight_decay=0.0)] if vectors else []
    return found


def apart(
    groups: Sequence[ParameterGroup], encoder: Sequence[nn.Parameter], factor: float
) -> list[ParameterGroup]:
    """Give the encoder its own rate in every group that holds parameters of it.

    Args:
        groups: As a method has them.
        encoder: The parameters of the encoder.
        factor: On their rate; 1 leaves the groups, and so the state of an optimiser, as they are.
    """
    if factor == 1:
        return list(groups)
    inside, found = {id(p) for p in encoder}, []
    for group in groups:
        parts = {False: list[nn.Parameter](), True: list[nn.Parameter]()}
        for parameter in group.parameters:
            parts[id(parameter) in inside].append(parameter)
        scales = {False: group.scale, True: group.scale * factor}
        found += [replace(group, parameters=p, scale=scales[key]) for key, p in parts.items() if p]
    return found


def scheduled(chosen: ScheduleName) -> Schedule:
    """The schedule of a name."""
    return SCHEDULES[chosen.name](**chosen.options)


def can_fuse(device: torch.device, precision: str) -> bool:
    """Whether Adam can be fused: on processors and NVIDIA cards, but not under fp16.

    The fused Adam takes the scale off the gradients itself, after they were to be clipped.
    """
    return device.type in ("cpu", "cuda") and precision != "16"
