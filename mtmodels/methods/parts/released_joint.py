"""Joint tensors as the code released with JTR makes and reconstructs them, slip by slip."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mtdata.reading.batch import Batch
from mtdata.tasks.task import Task
from mtmodels.encodings import value_label
from mtmodels.kinds import kind_model
from mtmodels.losses import at_least_single, channel_bce
from mtmodels.methods.parts.joint_tensor import (
    Joint,
    JointTensor,
    all_valid,
    put_labels,
    share_below,
    unlabelled_alone,
)
from mtmodels.methods.parts.supervision import Seen

MEAN, DEVIATION = 2.3618, 1.5876
"""Of depth in metres on NYUv2; the released code has them for disparity as well."""
SQUEEZE = 1e-5
DRAWN = ("classes", "binary")
"""Kinds whose predictions are drawn; the released code has classes alone."""


class ReleasedJointTensor(JointTensor):
    """As `JointTensor`, with what the released code does otherwise.

    Reference: docs/methods/jtr.md lists the differences; each line of code that makes one names it.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__(tasks)
        self.spreads.clear()  # the place in a distribution is that of depth on NYUv2

    def forward(
        self,
        batch: Batch,
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        seen: Seen,
        rng: torch.Generator,
        *,
        second: bool = False,
    ) -> Joint | None:
        """The joint tensors of a view, see `JointTensor.forward`."""
        images = seen.host.any(0).nonzero()[:, 0].to(batch.device)
        if not len(images):
            return None
        valid = all_valid(batch, seen)
        mask = valid[:, None]
        predicted, shown, predicted_target, shown_target = [], [], [], []
        for i, task in enumerate(self.tasks):
            free = unlabelled_alone(predictions[task.name], seen.device[i])
            own = self.read_label(task, batch)  # masked by its own valid pixels alone
            drawn = task.kind.name in DRAWN
            # Every place has a draw of its own, and in the second view one has none.
            soft = kind_model(task).as_value(free) * mask if drawn and second else None
            predicted.append(self._masked(task, free, mask, rng) if soft is None else soft)
            again = self._masked(task, free, mask, rng)
            shown.append(put_labels(again, own, batch, task.name, seen))
            predicted_target.append(self._masked(task, free, mask, rng))
            raw = self._masked(task, free, mask, rng) if drawn else at_least_single(free)
            label = own if drawn else self._raw_label(task, batch)
            shown_target.append(put_labels(raw, label, batch, task.name, seen))
        stacks = (predicted, shown, predicted_target, shown_target)
        one, other, target, other_target = (torch.cat(parts, dim=1)[images] for parts in stacks)
        inside = None if batch.extents is None else batch.inside()[images]
        targets = target.detach(), other_target.detach()
        return Joint(one, other, valid[images], *targets, inside)

    def squeeze(self, task: Task, value: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The place of a depth among those of NYUv2, whatever the data."""
        return share_below(value, MEAN, DEVIATION)

    def lost(
        self,
        task: Task,
        made: Float[Tensor, "n c h w"],
        target: Float[Tensor, "n c h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> Float[Tensor, " n"]:
        """The part of one task: a sum divided by the entries of the target that are not 0."""
        made, everywhere = at_least_single(made), torch.ones_like(valid)
        count = target.flatten(1).count_nonzero(1).clamp(min=1)
        if task.kind.name in DRAWN:
            loss = channel_bce(made, target, everywhere)
        elif kind_model(task).unbounded:
            # Of a prediction the target is a place in the distribution already.
            place = self.squeeze(task, target)
            loss = (((made.sigmoid() - 0.5) * (1 - SQUEEZE) + 0.5) - place).abs().sum(1)
        else:
            # Three entries a pixel, and of a prediction the target is not a direction.
            loss = -(F.normalize(made, dim=1) * target).sum(1)
            return 1 + (loss * valid).sum((1, 2)) / count
        return (loss * valid).sum((1, 2)) / count

    def _masked(
        self, task: Task, prediction: Float[Tensor, "b c h w"], mask: Tensor, rng: torch.Generator
    ) -> Float[Tensor, "b c h w"]:
        """A prediction as it is read: depth and normals are set to 0 before, classes behind."""
        if task.kind.name in DRAWN:
            return self.read(task, prediction, rng) * mask
        return self.read(task, prediction * mask, rng)

    def _raw_label(self, task: Task, batch: Batch) -> Float[Tensor, "n c h w"] | None:
        """The labels in their own units; None where there are none."""
        if task.name not in batch.labels:
            return None
        return value_label(batch.labels[task.name], batch.valid[task.name], task.channels)
