"""Random loss weighting: new weights at every step."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from mtmodels.weightings.total import TotalWeighting


class RLW(TotalWeighting):
    """K softmax(z), z drawn from a normal distribution at every step.

    What a learnt weighting should beat. The paper leaves out the factor K, which Adam does not
    notice, but terms beside the tasks do: with it the weights are 1 on average.

    Args:
        tasks: Names of the tasks of the run.
        options: None.

    Reference: Lin et al. 2022, "Reasonable Effectiveness of Random Weighting".
    """

    averages: ClassVar[bool] = True  # of nothing: it measures none
    summary: ClassVar[str] = "random weights, new at every step"
    reference: ClassVar[str] = "Lin et al. 2022"
    drawn: Tensor

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks, **options)
        self.register_buffer("drawn", torch.ones(len(self.tasks)))

    def scale(self, losses: Mapping[str, Tensor]) -> list[Tensor]:
        """The losses times weights that are drawn here."""
        # On the processor, whose generator a checkpoint keeps, and in the order of the names: what
        # device it is, and in what order the tasks were named, changes nothing.
        drawn = len(self.tasks) * torch.randn(len(self.tasks)).softmax(0)
        self.drawn[sorted(range(len(self.tasks)), key=self.tasks.__getitem__)] = drawn.to(
            self.drawn
        )
        weights = self.weights()
        return [weights[name] * loss for name, loss in losses.items()]

    def weights(self) -> dict[str, float]:
        """Those of the last step; 1 before the first."""
        return dict(zip(self.tasks, self.drawn.tolist(), strict=True))
