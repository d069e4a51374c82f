"""What every metric promises: a state that grows with the batches, and scores at the end."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torchmetrics
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mtdata import Task


class Metric(torchmetrics.Metric, ABC):
    """Scores of one task under one protocol; a thin shell of torchmetrics around pure functions.

    Every state is a sum, so that order and size of the batches do not matter and torchmetrics
    merges processes by adding.

    Args:
        task: The task to score.
        options: What torchmetrics takes (how states are gathered).
    """

    full_state_update = False
    better: ClassVar[Mapping[str, bool]]
    """For each score: True where higher is better."""
    images: Tensor
    """How many images were added."""

    def __init__(self, task: Task, **options: Any) -> None:
        super().__init__(**options)
        self.task = task
        self.add_state("images", torch.tensor(0), dist_reduce_fx="sum")

    @abstractmethod
    def update(
        self,
        prediction: Float[Tensor, "n c h w"],
        label: Shaped[Tensor, "n d h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the images of a batch that show the task."""

    @abstractmethod
    def compute(self) -> dict[str, float | list[float]]:
        """The scores over all that was added; NaN where nothing valid was."""
