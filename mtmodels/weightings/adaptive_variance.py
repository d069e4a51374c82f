"""The weighting of MT-UNet: learnt weights, scaled by how the variance of each loss changed."""

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mtdata.wording import counted
from mtmodels.methods.base import ParameterGroup
from mtmodels.options import Factor, Options, Positive
from mtmodels.weightings.base import EpochStatistics
from mtmodels.weightings.total import TotalWeighting

ONE = math.log(math.expm1(1))
"""What softplus makes 1 of."""
FEWEST = 10
"""Steps of an epoch from which a variance says more than chance: one of two or three steps changes
by orders of magnitude from epoch to epoch, and that of one is 0."""


class AdaptiveVarianceOptions(Options):
    """What the weighting of MT-UNet can be told."""

    rate: Factor = 1e-3
    """The learning rate of the weights."""
    window: Positive = 1
    """Over how many epochs the variance of a loss is averaged; the paper says "a fixed number"."""
    epsilon: Factor = 1e-8
    """Added to both variances of a ratio; the paper says "a small constant"."""


class AdaptiveVariance(TotalWeighting):
    """W_t alpha_t / sum of W alpha over all tasks, alpha_t the variance of L_t over that before.

    The printed equation leaves W free: the total is then least where the largest loss weighs
    nothing, or less. Here W = softplus of what is learnt, 1 at first. The variance is that of the
    steps of an epoch that has ten or more with the task. alpha is 1 until a task has two such
    epochs; an absent task is in the sum, but its W is not moved.

    Args:
        tasks: Names of the tasks of the run.
        options: Those of `AdaptiveVarianceOptions`.

    Reference: MT-UNet, equation 5.
    """

    options: AdaptiveVarianceOptions
    summary: ClassVar[str] = "learnt weights, scaled by how the variance of each loss changed"
    reference: ClassVar[str] = "MT-UNet, equation 5"
    adds_up: ClassVar[bool] = True
    variances: Tensor

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks, **options)
        self.raw = nn.ParameterDict({t: nn.Parameter(torch.tensor(ONE)) for t in self.tasks})
        rows = self.options.window + 1
        self.register_buffer("variances", torch.full((rows, len(self.tasks)), math.nan).double())

    def scale(self, losses: Mapping[str, Tensor]) -> list[Tensor]:
        """The losses times their weights."""
        alpha = self._alpha()
        parts = {t: alpha[t] * F.softplus(self.raw[t]) for t in self.tasks}
        total = _sum(parts, {*self.earlier, *losses})
        # W learns while the losses stand still, and the network while W does.
        scaled = [
            parts[t] / total * loss.detach() + (parts[t] / total).detach() * (loss - loss.detach())
            for t, loss in losses.items()
        ]
        new = losses.keys() - self.earlier.keys()
        if self.earlier and new:
            # The W of tasks that come only now learn from the earlier parts of the batch, too.
            total = _sum(parts, new)
            late = torch.stack([parts[t].detach() / total * x for t, x in self.earlier.items()])
            scaled.append((late - late.detach()).sum())
        return scaled

    def weights(self) -> dict[str, float]:
        """1 in sum."""
        alpha = self._alpha()
        parts = {t: alpha[t] * F.softplus(self.raw[t]).item() for t in self.tasks}
        whole = sum(parts.values()) or math.nan  # 0 where all ran away, which the next loss tells
        return {t: part / whole for t, part in parts.items()}

    def end_epoch(self, statistics: EpochStatistics) -> None:
        """Take note of the variances."""
        for i, name in enumerate(self.tasks):
            if statistics.steps.get(name, 0) >= FEWEST:
                self.variances[:-1, i] = self.variances[1:, i].clone()
                self.variances[-1, i] = statistics.variances[name]

    def idle(self, *, epochs: int, steps: int) -> Iterator[str]:
        """Where alpha stays 1."""
        if steps < FEWEST or epochs <= 2:
            yield (
                "The weighting `adaptive-variance` compares no variances and learns W alone: it "
                f"needs two epochs before the last, of {FEWEST} steps or more; found "
                f"{counted(epochs, 'epoch')} of {counted(steps, 'step')}. Give more --epochs or a "
                "smaller --batch, or another --weighting."
            )

    def parameter_groups(self) -> list[ParameterGroup]:
        """The weights, with a rate of their own."""
        return [ParameterGroup(list(self.raw.values()), rate=self.options.rate, weight_decay=0.0)]

    def _alpha(self) -> dict[str, float]:
        before, last = self.variances[:-1].nanmean(0), self.variances[1:].nanmean(0)
        epsilon = self.options.epsilon
        known = ~self.variances[-2].isnan()
        alpha = torch.where(known, (last + epsilon) / (before + epsilon), torch.ones_like(last))
        return dict(zip(self.tasks, alpha.tolist(), strict=True))


def _sum(parts: Mapping[str, Tensor], learning: Set[str]) -> Tensor:
    """What stands below the line, where the W of some tasks learn."""
    return torch.stack([p if t in learning else p.detach() for t, p in parts.items()]).sum()
