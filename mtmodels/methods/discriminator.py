"""A discriminator in the joint spaces of task pairs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mtmodels.methods.base import ParameterGroup
from mtmodels.methods.negative_pairs import Maps, NegativePairs
from mtmodels.methods.parts.pairs import Pair
from mtmodels.methods.semi_supervised import Look, check_weight
from mtmodels.networks.auxiliary.pair_discriminator import PairDiscriminator
from mtmodels.networks.auxiliary.reversal import reverse_gradient
from mtmodels.networks.base import Network


class Discriminator(NegativePairs):
    """A discriminator tells prediction and label of one image from those of two.

    Args:
        network: The network to train.
        adversarial: False: network and mapping learn what lets the discriminator tell the pairs
            apart. True: they learn what makes it fail, by reversed gradients.
        discriminator_rate: A factor on the learning rate of the discriminator.
        options: Those of `NegativePairs`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: MTPSL section 3.2, "Discriminator-Loss", whose code was never released. Who wants
    what is open there; docs/methods/discriminator.md says why the default is as it is.
    """

    summary: ClassVar[str] = "a discriminator tells pairs of one image from pairs of two"
    reference: ClassVar[str] = "MTPSL section 3.2, Discriminator-Loss"

    def __init__(
        self,
        network: Network,
        *,
        adversarial: bool = False,
        discriminator_rate: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(network, **options)
        check_weight("discriminator_rate", discriminator_rate)
        self.adversarial, self.discriminator_rate = adversarial, discriminator_rate
        self.discriminator = PairDiscriminator(network.feature_channels)

    def compare(
        self, pairs: Sequence[Pair], look: Look, rng: torch.Generator
    ) -> Float[Tensor, " p"]:
        """How badly the discriminator does on each pair."""
        maps = self.maps(pairs, look, rng)
        if self.adversarial:
            maps = Maps(*map(reverse_gradient, maps))
        return discrimination(self.discriminator, maps)

    def parameter_groups(self) -> list[ParameterGroup]:
        """Those of the mapping, and the discriminator with a rate of its own."""
        own = list(self.discriminator.parameters())
        apart = {id(p) for p in own}
        network, *mapping = super().parameter_groups()
        network = replace(network, parameters=[p for p in network.parameters if id(p) not in apart])
        return [network, *mapping, ParameterGroup(own, self.discriminator_rate)]


def discrimination(discriminator: PairDiscriminator, maps: Maps) -> Float[Tensor, " p"]:
    """Binary cross-entropy, mean over cells: half for the positive, half for the negatives.

    log 2 where the discriminator knows nothing.
    """
    others = len(maps.negative)
    predicted = torch.cat([maps.positive[None], maps.negative])
    labelled = maps.label.expand_as(predicted)
    logit: Tensor = discriminator(predicted.flatten(0, 1), labelled.flatten(0, 1))
    positive, *negatives = logit.chunk(others + 1)
    right = F.softplus(-positive).mean((1, 2))
    wrong = torch.stack([F.softplus(negative).mean((1, 2)) for negative in negatives]).mean(0)
    return (right + wrong) / 2
