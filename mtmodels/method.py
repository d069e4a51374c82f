"""What every method promises: from views of a batch to the terms of a step."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtmodels.network import Network
from mtmodels.terms import Terms
from mtmodels.views import Views


@dataclass(frozen=True)
class Schedule:
    """A learning-rate schedule by its name, with its options."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate.

    Args:
        parameters: What learns.
        scale: Multiplies the rate of the run.
        schedule: A schedule of its own; None for that of the run.
    """

    parameters: list[nn.Parameter]
    scale: float = 1.0
    schedule: Schedule | None = None


class Method(nn.Module, ABC):
    """Makes terms: it never calls backward, never weights tasks, never logs.

    Networks that only training needs (transfer and mapping networks) belong to the method, so that
    `predict`, export and the count of inference parameters see `network` alone.

    Args:
        network: The network to train.
    """

    summary: ClassVar[str]
    """One sentence for `mtmodels list methods`."""
    reference: ClassVar[str]
    """Paper and equation."""
    minimum_tasks: ClassVar[int] = 1
    minimum_views: ClassVar[int] = 1
    default_views: ClassVar[int] = 1
    """How many views of a batch are made unless told otherwise."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        if len(network.tasks) < self.minimum_tasks:
            raise ValueError(
                f"`network` should predict {self.minimum_tasks} or more tasks for this method; "
                f"found {len(network.tasks)}."
            )
        self.network = network

    @abstractmethod
    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """Compute the terms of a step.

        Args:
            views: The views of the batch.
            progress: How far the training is, in [0, 1].
            rng: The only source of randomness.
        """

    def predict(self, image: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b c h w"]]:
        """Predict images of any size with the network alone."""
        return self.network.predict(image)

    def parameter_groups(self) -> list[ParameterGroup]:
        """All parameters of the network and of what only training needs."""
        return [ParameterGroup([p for p in self.parameters() if p.requires_grad])]
