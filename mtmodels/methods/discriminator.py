"""A discriminator in the joint spaces of task pairs."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mtmodels.methods.base import ParameterGroup, learning
from mtmodels.methods.parts.joint import JointMethod, JointOptions
from mtmodels.methods.parts.negative_pairs import Maps, NegativeOptions, maps_across
from mtmodels.methods.parts.pairs import Pair
from mtmodels.methods.views import Views
from mtmodels.networks.auxiliary.pair_discriminator import PairDiscriminator
from mtmodels.networks.auxiliary.reversal import reverse_gradient
from mtmodels.networks.base import Network, Output
from mtmodels.options import Weight


class DiscriminatorOptions(JointOptions, NegativeOptions):
    """What the discriminator can be told."""

    adversarial: bool = False
    """False: network and mapping learn what lets the discriminator tell the pairs apart. True:
    they learn what makes it fail, by reversed gradients."""
    discriminator_rate: Weight = 1.0
    """A factor on the learning rate of the discriminator."""


class Discriminator(JointMethod):
    """A discriminator tells prediction and label of one image from those of two.

    Args:
        network: The network to train.
        options: Those of `DiscriminatorOptions`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: MTPSL section 3.2, "Discriminator-Loss", whose code was never released. Who wants
    what is open there; docs/methods/discriminator.md says why the default is as it is.
    """

    options: DiscriminatorOptions
    summary: ClassVar[str] = "a discriminator tells pairs of one image from pairs of two"
    reference: ClassVar[str] = "MTPSL section 3.2, Discriminator-Loss"
    minimum_images = 2

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.discriminator = PairDiscriminator(network.feature_channels)

    def compare(
        self, pairs: Sequence[Pair], views: Views, output: Output, rng: torch.Generator
    ) -> Float[Tensor, " p"]:
        """How badly the discriminator does on each pair."""
        negatives = self.options.negatives
        maps = maps_across(
            self.joint, pairs, views.last, output.predictions, rng, negatives=negatives
        )
        if self.options.adversarial:
            positive, negative, label = map(reverse_gradient, maps[:3])
            maps = Maps(positive, negative, label, maps.cells)
        return discrimination(self.discriminator, maps)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Those of the mapping, and the discriminator with a rate of its own."""
        _, *mapping = super().parameter_groups()
        network = ParameterGroup(learning(self, without=[self.joint, self.discriminator]))
        own = ParameterGroup(
            learning(self.discriminator), self.options.discriminator_rate, clip=mapping[0].clip
        )
        return [network, *mapping, own]


def discrimination(discriminator: PairDiscriminator, maps: Maps) -> Float[Tensor, " p"]:
    """Binary cross-entropy, mean over cells: half for the positive, half for the negatives.

    log 2 where the discriminator knows nothing. It sees zeros in the place of padding, which costs
    nothing.
    """
    predicted = torch.cat([maps.positive[None], maps.negative])
    labelled = maps.label.expand_as(predicted)
    cells = (
        torch.ones_like(maps.label[:, 0], dtype=torch.bool) if maps.cells is None else maps.cells
    )
    predicted, labelled = (x.where(cells[:, None], 0) for x in (predicted, labelled))
    logit: Tensor = discriminator(predicted.flatten(0, 1), labelled.flatten(0, 1))
    logit = logit.unflatten(0, predicted.shape[:2])
    cost = torch.cat([F.softplus(-logit[:1]), F.softplus(logit[1:])])
    right, *wrong = (cost * cells).sum((2, 3)) / cells.sum((1, 2)).clamp(min=1)
    value: Tensor = (right + torch.stack(wrong).mean(0)) / 2
    return value
