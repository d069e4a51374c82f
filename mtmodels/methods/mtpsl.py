"""Cross-task consistency in joint task-pair spaces, regularised by the features of the image."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from mtmodels.losses import at_least_single, map_distance
from mtmodels.methods.base import Stage
from mtmodels.methods.parts.helpful_pairs import left_as_it_is
from mtmodels.methods.parts.joint import JointMethod, JointOptions, pair_means
from mtmodels.methods.parts.joint_space import Point
from mtmodels.methods.parts.pairs import Pair, shown_pairs
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network, Output
from mtmodels.options import Weight


class MTPSLOptions(JointOptions):
    """What MTPSL can be told."""

    regulariser: Weight = 0.5
    """A factor on the distances to the features; 0 for none. 0.5 as released, 1 in equation 4."""
    detach_features: bool = True
    """Whether the features are a target only, as released; the paper does not say."""
    centre: bool = False
    """Whether maps and features are compared less their mean over the batch, a pair of tasks at a
    time; as released they are not."""
    mapping_epochs: Annotated[int, Field(ge=0)] = 0
    """Epochs of a stage in which the mapping learns from labels alone, before anything else."""


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

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        if self.options.mapping_epochs and not self.options.regulariser:
            raise ValueError(
                "`regulariser` should be above 0 with `mapping_epochs`, as a mapping that learns "
                "from labels alone would send all of them to one point; found 0."
            )

    def compare(
        self, pairs: Sequence[Pair], views: Views, output: Output, rng: torch.Generator
    ) -> Float[Tensor, " p"]:
        """Equation 4 without its supervised part, a pair at a time."""
        return self._compare(pairs, list(map(self.joint.prediction, pairs)), views, output, rng)

    def stages(self) -> Sequence[Stage]:
        """The mapping learns from labels first, where that is wanted."""
        epochs = self.options.mapping_epochs
        return [Stage("mapping", epochs, self.learn, self.mapping_groups)] if epochs else ()

    def learn(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """A step of the stage: as in the training, with the label of s in place of its prediction.

        The features are those of the network as it begins, which learns nothing here.
        """
        pairs = shown_pairs(self.supervision.seen(views.last))
        if not pairs:
            return Terms()
        with torch.no_grad(), left_as_it_is(self.network):
            output = self.network(views.last.image)
        points = list(map(self.joint.label_of_source, pairs))
        values = self._compare(pairs, points, views, output, rng)
        own = Terms(auxiliary={"mapping": values.sum() / len(views.last)})
        return own + pair_means("mapping", pairs, values)

    def check_labels(self, shown: NDArray[np.bool_]) -> None:
        """Refuse a stage for which no image shows two tasks."""
        if self.options.mapping_epochs and not (shown.sum(1) > 1).any():
            raise ValueError(
                "the mapping should learn from images that show two tasks or more in its stage "
                "(`mapping_epochs`); found none. Leave the stage out, or choose another --regime."
            )

    def _compare(
        self,
        pairs: Sequence[Pair],
        sources: Sequence[Point],
        views: Views,
        output: Output,
        rng: torch.Generator,
    ) -> Float[Tensor, " p"]:
        """How far what is said of s and the label of t are from each other and the features."""
        points = [*sources, *map(self.joint.label, pairs)]
        first, labelled = self.joint(points, views.last, output.predictions, rng).chunk(2)
        features = output.features.detach() if self.options.detach_features else output.features
        of_image = features[[pair.image for pair in pairs]]
        cells = self.cells(pairs, views.last, first)
        if self.options.centre:
            first, labelled, of_image = (
                centred(maps, pairs, cells) for maps in (first, labelled, of_image)
            )
        return consistency(first, labelled, of_image, self.options.regulariser, cells)


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


def centred(
    maps: Float[Tensor, "p d h w"],
    pairs: Sequence[Pair],
    cells: Bool[Tensor, "p h w"] | None = None,
) -> Float[Tensor, "p d h w"]:
    """Maps less the mean of each channel over the cells of all images with the same two tasks."""
    maps = at_least_single(maps)
    ends = [(pair.source, pair.target) for pair in pairs]
    same = torch.tensor([[a == b for b in ends] for a in ends], device=maps.device).to(maps.dtype)
    count = torch.ones_like(maps[:, 0]) if cells is None else cells.to(maps.dtype)
    with torch.autocast(maps.device.type, enabled=False):  # or products are rounded to 8 bits
        sums = same @ (maps * count[:, None]).sum((2, 3))
        means = sums / (same @ count.sum((1, 2))).clamp(min=1)[:, None]
    return maps - means[:, :, None, None]
