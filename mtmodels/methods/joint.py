"""What `mtpsl`, `contrastive` and `discriminator` share: pairs of tasks in joint spaces."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mtmodels.methods.base import ParameterGroup, Schedule
from mtmodels.methods.pair_method import PairMethod
from mtmodels.methods.parts.crop_consistency import crop_consistency
from mtmodels.methods.parts.joint_space import JointSpace
from mtmodels.methods.parts.pairs import Pair, source_shares
from mtmodels.methods.semi_supervised import Extra, Look, check_weight
from mtmodels.methods.ssl import SSL, crop_terms
from mtmodels.networks.base import Network

CONSISTENCY_WEIGHT = 2.0


class JointMethod(PairMethod):
    """The prediction of an unlabelled task and the label of another one meet in a joint space.

    Args:
        network: The network to train.
        consistency_weight: A factor on the sum over the pairs of an image: 2 as released for
            NYUv2, 1 for Cityscapes; equation 4 has 1.
        conditioning: "pair": the mapping knows the pair, as released. "input_and_pair": and which
            end of it, as the paper writes it. "none": nothing. "separate": a mapping for each
            ordered pair, equation 3.
        mapping: "segnet" or "resnet18"; None for that of the paper: the encoder of SegNet for
            SegNet, ResNet-18 for networks made of ResNets.
        mapping_width: A factor on the channels of the mapping; None for that of the network, times
            what suits it.
        mapping_norm: What batch norm in the mapping takes its statistics over: "sample" as
            released, or "pass".
        film_rate: A factor on the learning rate of the conditioning: 10 as released for NYUv2, 0.1
            for Cityscapes.
        film_schedule: A schedule of the conditioning's own: {name: step, options: {every: 30}}.
        checkpoint_mapping: Whether to compute the inside of the mapping again in the backward
            pass, for less memory.
        detach_predictions: Whether the consistency trains the mapping alone.
        with_ssl: Whether to add the crop consistency of `ssl`.
        ssl_weight: A factor on it.
        options: Those of `PairMethod`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.
    """

    def __init__(
        self,
        network: Network,
        *,
        consistency_weight: float = CONSISTENCY_WEIGHT,
        conditioning: str = "pair",
        mapping: str | None = None,
        mapping_width: float | None = None,
        mapping_norm: str = "sample",
        film_rate: float = 10.0,
        film_schedule: Mapping[str, Any] | None = None,
        checkpoint_mapping: bool = False,
        detach_predictions: bool = False,
        with_ssl: bool = False,
        ssl_weight: float = 1.0,
        **options: Any,
    ) -> None:
        super().__init__(network, consistency_weight=consistency_weight, **options)
        check_weight("ssl_weight", ssl_weight)
        check_weight("film_rate", film_rate)
        self.film_rate = film_rate
        self.film_schedule = None if film_schedule is None else Schedule(**film_schedule)
        self.detach_predictions = detach_predictions
        self.with_ssl, self.ssl_weight = with_ssl, ssl_weight
        if with_ssl:
            self.minimum_views = SSL.minimum_views
        self.joint = JointSpace(
            network,
            conditioning=conditioning,
            trunk=mapping,
            width=self.inner_width(network, mapping_width),
            over=mapping_norm,
            checkpointing=checkpoint_mapping,
        )

    @abstractmethod
    def compare(
        self, pairs: Sequence[Pair], look: Look, rng: torch.Generator
    ) -> Float[Tensor, " p"]:
        """How far the prediction and the label of each pair are from each other."""

    def check_size(self, height: int, width: int) -> None:
        """Refuse images that network or mapping cannot take."""
        super().check_size(height, width)
        self.joint.check_size(height, width)

    def unsupervised(self, look: Look, *, progress: float, rng: torch.Generator) -> Extra:
        """The sum over the pairs of an image, mean over the images."""
        factor = self.ramp(progress)
        pairs = self.present(look)
        terms: dict[str, Tensor] = {}
        parts: dict[str, Tensor] = {}
        if pairs:
            compared = look.detached() if self.detach_predictions else look
            values = self.compare(pairs, compared, rng)
            total = (values * self._weights(pairs, values)).sum() / len(look.batch)
            terms["consistency"] = self.consistency_weight * factor * total
            parts = pair_means(pairs, values)
        if self.with_ssl:
            first = self.supervision.seen(look.views.main)
            crops = crop_terms(
                crop_consistency(self.network.tasks, look, first), self.ssl_weight * factor
            )
            terms, parts = {**terms, **crops.terms}, {**parts, **crops.parts}
        return Extra(terms, parts)

    def _weights(self, pairs: Sequence[Pair], like: Tensor) -> Float[Tensor, " p"]:
        """1 as released; 1/|U_n| as equation 4 is printed where `normalise` is "paper"."""
        if self.supervision.normalise != "paper":
            return torch.ones_like(like)
        return like.new_tensor(source_shares(pairs))

    def parameter_groups(self) -> list[ParameterGroup]:
        """The network; the mapping; its conditioning, with a rate and a schedule of its own."""
        film = self.joint.film_parameters()
        apart = {id(p) for p in film}
        mapping = [p for p in self.joint.parameters() if id(p) not in apart]
        apart |= {id(p) for p in mapping}
        rest = [p for p in self.parameters() if p.requires_grad and id(p) not in apart]
        groups = [ParameterGroup(rest), ParameterGroup(mapping, self.mapping_rate)]
        if film:
            groups.append(ParameterGroup(film, self.film_rate, self.film_schedule))
        return groups


def pair_means(pairs: Sequence[Pair], values: Float[Tensor, " p"]) -> dict[str, Tensor]:
    """The mean of each pair of tasks over the images that have it, for the log."""
    names = [f"{pair.source}_with_{pair.target}" for pair in pairs]
    values = values.detach()
    return {
        f"consistency/{name}": values[[i for i, other in enumerate(names) if other == name]].mean()
        for name in sorted(set(names))
    }
