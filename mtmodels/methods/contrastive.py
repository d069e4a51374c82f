"""Contrastive learning in the joint spaces of task pairs."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtmodels.losses import map_distance
from mtmodels.methods.negative_pairs import Maps, NegativePairs
from mtmodels.methods.parts.pairs import Pair
from mtmodels.methods.semi_supervised import Look, check_weight
from mtmodels.networks.base import Network

MARGIN = 0.2


class Contrastive(NegativePairs):
    """A prediction is closer to the label of its own image than that of another image is.

    Args:
        network: The network to train.
        margin: By how much closer, in cosine distances: [0, 2], of maps behind a ReLU [0, 1].
        options: Those of `NegativePairs`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: MTPSL section 3.2, "Contrastive-Loss", whose code was never released.
    """

    summary: ClassVar[str] = "prediction and label of an image are closer than those of two images"
    reference: ClassVar[str] = "MTPSL section 3.2, Contrastive-Loss"

    def __init__(self, network: Network, *, margin: float = MARGIN, **options: Any) -> None:
        super().__init__(network, **options)
        check_weight("margin", margin)
        self.margin = margin

    def compare(
        self, pairs: Sequence[Pair], look: Look, rng: torch.Generator
    ) -> Float[Tensor, " p"]:
        """The hinge of each pair."""
        return hinge(self.maps(pairs, look, rng), self.margin)


def hinge(maps: Maps, margin: float) -> Float[Tensor, " p"]:
    """max(0, margin + distance of the positive - distance of the negative), mean over negatives."""
    near = map_distance(maps.positive, maps.label)
    far = torch.stack([map_distance(negative, maps.label) for negative in maps.negative])
    return (margin + near - far).relu().mean(0)
