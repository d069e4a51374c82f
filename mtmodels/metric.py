"""What every metric promises: a state that grows with the batches, and scores at the end."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torchmetrics
from jaxtyping import Bool, Float, Shaped
from torch import Tensor


class Metric(torchmetrics.Metric, ABC):
    """Scores of one task under one protocol; a thin shell of torchmetrics around pure functions.

    The state is merged across processes by torchmetrics.
    """

    full_state_update = False
    better: ClassVar[Mapping[str, bool]]
    """For each score: True where higher is better."""

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
