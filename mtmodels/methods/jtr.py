"""Joint-task regularisation: an auto-encoder of all tasks at once compares what is predicted."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtmodels.losses import map_distance
from mtmodels.methods.base import Method, ParameterGroup, learning
from mtmodels.methods.parts.further_views import FurtherViewOptions
from mtmodels.methods.parts.joint_tensor import Joint, JointTensor
from mtmodels.methods.parts.pairs import cells_of
from mtmodels.methods.parts.released_joint import ReleasedJointTensor
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import View, Views
from mtmodels.networks.auxiliary.auto_encoder import AutoEncoder
from mtmodels.networks.auxiliary.conditioned import Statistics
from mtmodels.networks.base import Network, Output
from mtmodels.options import SECOND_VIEW, Share, Weight, Width


class JTROptions(SupervisionOptions, FurtherViewOptions):
    """What joint-task regularisation can be told."""

    distance_weight: Weight = 4.0
    """A factor on the distances of codes; 4 as released."""
    reconstruction_weight: Weight = 2.0
    """A factor on the reconstruction, and once more on the distance that the auto-encoder learns
    from; 2 as released."""
    as_released: bool = False
    """Whether to repeat the slips of the released code, which the published numbers have."""
    auto_encoder_width: Width | None = None
    """A factor on the channels of the auto-encoder; null for that of the network, and half of it
    beside a compact network."""
    auto_encoder_norm: Statistics = "sample"
    """What its batch norm takes statistics over: one image at a time, as released, or all."""
    auto_encoder_rate: Weight = 1.0
    """A factor on its learning rate."""
    colour: Annotated[Share, SECOND_VIEW] = 0.0
    """How strongly the colours of the further views change, each on its own."""


class JTR(Method):
    """Predictions of all tasks, and the same with labels in their place, have near codes.

    The network learns from the second view, where the auto-encoder is still; the auto-encoder from
    the third, where the predictions are. With two views both learn from the second, with one from
    the first. The cost is linear in the number of tasks.

    Args:
        network: The network to train.
        options: Those of `JTROptions`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: Nishi et al. 2024, "Joint-Task Regularization for Partially Labeled Multi-Task
    Learning" (CVPR), and its released code.
    """

    options: JTROptions
    summary: ClassVar[str] = "all predictions and all labels have near codes in one auto-encoder"
    reference: ClassVar[str] = "JTR (Nishi et al. 2024), section 3"
    minimum_tasks: ClassVar[int] = 2
    missing_alone = True
    default_views: ClassVar[int] = 3
    most_views = 3

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks, self.options)
        make = ReleasedJointTensor if self.options.as_released else JointTensor
        self.joint = make(network.tasks)
        width = self.options.auto_encoder_width
        if width is None:
            width = network.options.width * (0.5 if network.compact else 1.0)
        self.auto_encoder = AutoEncoder(
            sum(self.joint.channels), width=width, over=self.options.auto_encoder_norm
        )

    def views(self, count: int) -> Sequence[View]:
        """The labels of the first supervise; as released, the third is never flipped."""
        chosen = self.options
        others = [View(colour=chosen.colour, supervised=chosen.supervise == "all")] * (count - 1)
        if chosen.as_released and count > 2:
            others[-1] = View(flip=0.0, colour=chosen.colour, supervised=others[-1].supervised)
        return [View(), *others]

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, the distance of codes and the reconstruction."""
        outputs = views.predict(self.network)
        if self.training:
            self.joint.note(views.main)
        return self.supervision.terms(views, outputs) + self.regularisation(
            views, outputs, progress=progress, rng=rng
        )

    def regularisation(
        self, views: Views, outputs: Sequence[Output], *, progress: float, rng: torch.Generator
    ) -> Terms:
        """What the network learns of the second view, and the auto-encoder of the last.

        A sum over the images that show a task, divided by those of the batch.
        """
        chosen, images = self.options, len(views.main)
        auxiliary: dict[str, Tensor] = {}
        parts: dict[str, Tensor] = {}
        counts: dict[str, Tensor] = {}
        near = self._joint(views, outputs, min(1, len(views) - 1), rng)
        if near is not None:
            distance = self.distance(near)
            weight = chosen.distance_weight * chosen.ramp(progress)
            auxiliary["distance"] = weight * distance.sum() / images
            parts["distance"] = distance.detach().mean()
            counts["distance"] = distance.new_tensor(len(distance))
        far = self._joint(views, outputs, len(views) - 1, rng, second=True)
        if far is not None:
            distance, lost = self.learnt(far)
            weight, again = chosen.reconstruction_weight, chosen.distance_weight
            auxiliary["auto-encoder/distance"] = again * weight * distance.sum() / images
            auxiliary["auto-encoder/reconstruction"] = weight * lost.sum() / images
            parts["auto-encoder/distance"] = distance.detach().mean()
            parts["auto-encoder/reconstruction"] = lost.detach().mean()
            counts["auto-encoder/distance"] = distance.new_tensor(len(distance))
            counts["auto-encoder/reconstruction"] = lost.new_tensor(len(lost))
        return Terms(auxiliary=auxiliary, parts=parts, counts=counts)

    def distance(self, joint: Joint) -> Float[Tensor, " n"]:
        """How far the codes are apart, for the predictions to learn from."""
        codes = (self.auto_encoder.still_code(x) for x in (joint.shown, joint.predicted))
        return self._apart(joint, *codes)

    def learnt(self, joint: Joint) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """Distance and reconstruction, for the auto-encoder to learn from."""
        shown_code, shown = self.auto_encoder(joint.shown.detach())
        predicted_code, predicted = self.auto_encoder(joint.predicted.detach())
        lost = self.joint.reconstruction(shown, joint.shown_target, joint.valid)
        lost = lost + self.joint.reconstruction(predicted, joint.predicted_target, joint.valid)
        return self._apart(joint, shown_code, predicted_code), lost

    @staticmethod
    def _apart(joint: Joint, one: Tensor, other: Tensor) -> Float[Tensor, " n"]:
        """The distance of codes, where they are of the true image."""
        cells = None if joint.inside is None else cells_of(joint.inside, one)
        return map_distance(one, other, cells)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The network; the auto-encoder with a rate of its own."""
        network = ParameterGroup(learning(self, without=[self.auto_encoder]))
        own = ParameterGroup(learning(self.auto_encoder), self.options.auto_encoder_rate)
        return [network, own]

    def _joint(
        self,
        views: Views,
        outputs: Sequence[Output],
        which: int,
        rng: torch.Generator,
        *,
        second: bool = False,
    ) -> Joint | None:
        batch = views.batches[which]
        seen = self.supervision.seen(batch)
        joint: Joint | None = self.joint(
            batch, outputs[which].predictions, seen, rng, second=second
        )
        return joint
