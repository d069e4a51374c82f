"""What every method promises: from views of a batch to the terms of a step."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.errors import UnknownNameError
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network
from mtmodels.option_types import check_type


@dataclass(frozen=True, init=False)
class Schedule:
    """A learning-rate schedule by its name, with its options.

    Args:
        name: Which schedule.
        options: Its own.
        unknown: What else somebody wrote down beside the two.

    Raises:
        ValueError: where one of the two is of another type, or there is more.
    """

    name: str
    options: Mapping[str, Any]

    def __init__(self, name: Any = None, options: Any = None, **unknown: Any) -> None:
        for key in unknown:
            raise UnknownNameError("key of a schedule", key, ["name", "options"])
        options = {} if options is None else options
        check_type("name", name, str, of="a schedule")
        check_type("options", options, Mapping[str, Any], of="a schedule")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "options", options)


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
    default_tasks: ClassVar[tuple[str, ...]] = ()
    """Tasks that it trains on unless told otherwise; all of the store where there are none."""
    minimum_tasks: ClassVar[int] = 1
    minimum_images: ClassVar[int] = 1
    """Images of a batch that it compares with each other."""
    minimum_views: int = 1
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

    def check_size(self, height: int, width: int) -> None:
        """Refuse images that the network, or what only training needs, cannot take.

        Raises:
            ValueError: with what to do.
        """
        self.network.check_size(height, width)

    def check_batch(self, images: int, views: int) -> None:
        """Refuse batches that the network or the method can learn nothing from.

        Args:
            images: In a batch.
            views: Of each.

        Raises:
            ValueError: with what to do.
        """
        if images < self.minimum_images:
            raise ValueError(
                f"a batch should have {self.minimum_images} images or more, which this method "
                f"compares with each other; found {images}. Give a larger --batch."
            )
        if views < self.minimum_views:
            raise ValueError(
                f"`--views` should be {self.minimum_views} for this method, which compares views "
                f"of an image; found {views}."
            )
        self.network.check_images(images * views)

    def predict(self, image: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b c h w"]]:
        """Predict images of any size with the network alone."""
        return self.network.predict(image)

    def parameter_groups(self) -> list[ParameterGroup]:
        """All parameters of the network and of what only training needs."""
        return [ParameterGroup([p for p in self.parameters() if p.requires_grad])]
