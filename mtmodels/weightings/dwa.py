"""Dynamic weight average: a task weighs more while its loss falls slowly."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from mtmodels.options import Factor, Options
from mtmodels.weightings.base import EpochStatistics
from mtmodels.weightings.total import TotalWeighting


class DWAOptions(Options):
    """What dynamic weight average can be told."""

    temperature: Factor = 2.0
    """How even the weights are: the larger, the nearer to 1. 2 in MTAN; the scripts of MTPSL have
    1, and do not use the weights."""


class DWA(TotalWeighting):
    """K softmax(r_t / T), where r_t is the mean loss of the last epoch over that of the one before.

    A task has r_t = 1 until two epochs had labels of it; an epoch without any changes nothing.

    Args:
        tasks: Names of the tasks of the run.
        options: Those of `DWAOptions`.

    Reference: Liu, Johns and Davison 2019 (MTAN), equations 7 and 8.
    """

    options: DWAOptions
    summary: ClassVar[str] = "more weight where the loss fell least from epoch to epoch"
    reference: ClassVar[str] = "MTAN, equation 7"
    adds_up: ClassVar[bool] = True
    history: Tensor

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks, **options)
        self.register_buffer("history", torch.full((2, len(self.tasks)), math.nan).double())

    def scale(self, losses: Mapping[str, Tensor]) -> list[Tensor]:
        """The losses times their weights."""
        weights = self.weights()
        return [weights[name] * loss for name, loss in losses.items()]

    def weights(self) -> dict[str, float]:
        """K in sum."""
        before, last = self.history
        ratios = torch.nan_to_num(last / before, nan=1.0, posinf=1.0)
        weights = len(self.tasks) * (ratios / self.options.temperature).softmax(0)
        return dict(zip(self.tasks, weights.tolist(), strict=True))

    def end_epoch(self, statistics: EpochStatistics) -> None:
        """Take note of the mean losses."""
        for i, name in enumerate(self.tasks):
            if name in statistics.means:
                self.history[0, i] = self.history[1, i]
                self.history[1, i] = statistics.means[name]

    def idle(self, *, epochs: int, steps: int) -> Iterator[str]:
        """Where the run ends before weights come of its losses."""
        if epochs <= len(self.history):
            yield (
                "The weighting `dwa` weighs all tasks alike: it weighs by how losses fell between "
                f"two epochs, and the run has {epochs}. Give more --epochs, or leave it out."
            )
