"""Contrastive learning in the joint spaces of task pairs."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtmodels.losses import map_distance
from mtmodels.methods.parts.joint import JointMethod, JointOptions
from mtmodels.methods.parts.negative_pairs import Maps, NegativeOptions, maps_across
from mtmodels.methods.parts.pairs import Pair
from mtmodels.methods.views import Views
from mtmodels.networks.base import Output
from mtmodels.options import Weight


class ContrastiveOptions(JointOptions, NegativeOptions):
    """What contrastive learning can be told."""

    margin: Weight = 0.2
    """By how much closer, in cosine distances: [0, 2], of maps behind a ReLU [0, 1]."""


class Contrastive(JointMethod):
    """A prediction is closer to the label of its own image than that of another image is.

    Args:
        network: The network to train.
        options: Those of `ContrastiveOptions`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: MTPSL section 3.2, "Contrastive-Loss", whose code was never released.
    """

    options: ContrastiveOptions
    summary: ClassVar[str] = "prediction and label of an image are closer than those of two images"
    reference: ClassVar[str] = "MTPSL section 3.2, Contrastive-Loss"
    minimum_images = 2

    def compare(
        self, pairs: Sequence[Pair], views: Views, output: Output, rng: torch.Generator
    ) -> Float[Tensor, " p"]:
        """The hinge of each pair."""
        negatives = self.options.negatives
        maps = maps_across(
            self.joint, pairs, views.last, output.predictions, rng, negatives=negatives
        )
        return hinge(maps, self.options.margin)


def hinge(maps: Maps, margin: float) -> Float[Tensor, " p"]:
    """max(0, margin + distance of the positive - distance of the negative), mean over negatives."""
    near = map_distance(maps.positive, maps.label, maps.cells)
    far = torch.stack(
        [map_distance(negative, maps.label, maps.cells) for negative in maps.negative]
    )
    return (margin + near - far).relu().mean(0)
