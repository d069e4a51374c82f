"""What `contrastive` and `discriminator` share: pairs of one image and pairs across images."""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from mtmodels.methods.joint import JointMethod
from mtmodels.methods.parts.pairs import Pair
from mtmodels.methods.semi_supervised import Look
from mtmodels.networks.base import Network


class Maps(NamedTuple):
    """What the pairs of a batch are in the joint spaces.

    `positive` and `label` are of the same image; `negative` has, for the same label, the
    prediction of each of `k` other images.
    """

    positive: Float[Tensor, "p d h w"]
    negative: Float[Tensor, "k p d h w"]
    label: Float[Tensor, "p d h w"]


class NegativePairs(JointMethod):
    """A prediction and a label of one image belong together; of two images they do not.

    Args:
        network: The network to train.
        negatives: How many other images of the batch make a negative pair with each label, the
            next ones in the order of the batch; "all" for all of them.
        options: Those of `JointMethod`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: MTPSL section 3.2, "Alternative loss and regularization strategies".
    """

    minimum_images: ClassVar[int] = 2

    def __init__(self, network: Network, *, negatives: int | str = 1, **options: Any) -> None:
        super().__init__(network, **options)
        if negatives != "all" and (not isinstance(negatives, int) or negatives < 1):
            raise ValueError(f"`negatives` should be 1 or more, or `all`; found {negatives}.")
        self.negatives = negatives

    def present(self, look: Look) -> list[Pair]:
        """None where there is no other image to make a negative pair with."""
        return super().present(look) if len(look.batch) > 1 else []

    def maps(self, pairs: Sequence[Pair], look: Look, rng: torch.Generator) -> Maps:
        """All maps of these pairs, in one pass through the mapping."""
        images = len(look.batch)
        others = images - 1
        if isinstance(self.negatives, int):
            others = min(self.negatives, others)
        space = self.joint
        points = [
            space.prediction(pair, image=(pair.image + away) % images)
            for away in range(others + 1)
            for pair in pairs
        ]
        points += [space.label(pair) for pair in pairs]
        mapped = space(points, look.batch, look.last, rng).unflatten(0, (others + 2, len(pairs)))
        return Maps(mapped[0], mapped[1:-1], mapped[-1])
