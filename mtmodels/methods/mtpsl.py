"""Cross-task consistency in joint task-pair spaces, regularised by the features of the image."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtmodels.losses import map_distance
from mtmodels.methods.joint import JointMethod, JointOptions
from mtmodels.methods.parts.pairs import Pair
from mtmodels.methods.views import Views
from mtmodels.networks.base import Output
from mtmodels.options import Weight


class MTPSLOptions(JointOptions):
    """What MTPSL can be told."""

    regulariser: Weight = 0.5
    """A factor on the distances to the features; 0 for none. 0.5 as released, 1 in equation 4."""
    detach_features: bool = True
    """Whether the features are a target only, as released; the paper does not say."""


class MTPSL(JointMethod):
    """The prediction of s and the label of t are mapped close to each other and to the features.

    Args:
        network: The network to train.
        options: Those of `MTPSLOptions`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: MTPSL eq. 4.
    """

    options: MTPSLOptions
    summary: ClassVar[str] = "predictions and labels of task pairs agree in joint spaces"
    reference: ClassVar[str] = "MTPSL eq. 4"

    def compare(
        self, pairs: Sequence[Pair], views: Views, output: Output, rng: torch.Generator
    ) -> Float[Tensor, " p"]:
        """Equation 4 without its supervised part, a pair at a time."""
        points = [self.joint.prediction(p) for p in pairs] + [self.joint.label(p) for p in pairs]
        predicted, labelled = self.joint(points, views.last, output.predictions, rng).chunk(2)
        features = output.features.detach() if self.options.detach_features else output.features
        of_image = features[[pair.image for pair in pairs]]
        cells = self.cells(pairs, views.last, predicted)
        return consistency(predicted, labelled, of_image, self.options.regulariser, cells)


def consistency(
    predicted: Float[Tensor, "p d h w"],
    labelled: Float[Tensor, "p d h w"],
    features: Float[Tensor, "p d h w"],
    regulariser: float,
    cells: Bool[Tensor, "p h w"] | None = None,
) -> Float[Tensor, " p"]:
    """The distance of two maps, and of each to the features of the image.

    Reference: MTPSL eq. 4; the weight of the regulariser is that of the released code.
    """
    distance = map_distance(predicted, labelled, cells)
    if regulariser == 0:
        return distance
    to_features = sum(map_distance(one, features, cells) for one in (predicted, labelled))
    return distance + regulariser * to_features
