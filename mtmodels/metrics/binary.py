"""Scores of labels that are on or off: pixel by pixel, at probability 0.5.

These are neither the saliency mIoU over 15 thresholds nor the edges' F with one-to-one matching of
the PASCAL protocol, and they are named apart from them.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int, Integer, Num
from torch import Tensor

from mtdata import Task
from mtmodels.metrics.base import Metric
from mtmodels.metrics.ratio import ratio
from mtmodels.metrics.scores import better


def outcomes(
    prediction: Float[Tensor, "n 1 h w"],
    label: Integer[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Int[Tensor, "n 2"]:
    """For each image: pixels on in both prediction and label, pixels on in one of them alone.

    A prediction is on where its logit is above 0, that is, its probability above 0.5.
    """
    predicted, on = prediction[:, 0] > 0, label[:, 0] > 0
    both, one = predicted & on & valid, (predicted ^ on) & valid
    return torch.stack([both.sum((1, 2)), one.sum((1, 2))], dim=-1)


def iou_and_f(outcome: Num[Tensor, "*n 2"]) -> Float[Tensor, "*n 2"]:
    """IoU and F1 of what is on, in [0, 1]; NaN where nothing is on in either."""
    both, one = outcome.unbind(-1)
    return torch.stack([ratio(both, both + one), ratio(2 * both, 2 * both + one)], dim=-1)


class PooledBinary(Metric):
    """Protocols `mtpsl` and `common`: IoU and F1 of what is on, over all valid pixels; percent."""

    better = better(("iou_at_0.5", "f_at_0.5"))
    outcome: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.add_state("outcome", torch.zeros(2, dtype=torch.long))

    def update(
        self,
        prediction: Float[Tensor, "n 1 h w"],
        label: Integer[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the pixels of a batch of logits."""
        self.add(outcome=outcomes(prediction, label, valid))

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The scores of the pixels that were added."""
        iou, f = (100 * iou_and_f(states["outcome"])).unbind(-1)
        return {"iou_at_0.5": iou, "f_at_0.5": f}


class PerImageBinary(Metric):
    """Protocol `xtasc`: IoU and F1 of the foreground of each image, then the mean; percent.

    An image with nothing on in label and prediction has no union and counts in no mean, as a class
    without a union does under this protocol.
    """

    better = better(("iou_at_0.5", "f_at_0.5"))
    sums: Tensor
    scored: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.add_state("sums", torch.zeros(2, dtype=torch.float64))
        self.add_state("scored", torch.zeros(2, dtype=torch.float64))

    def update(
        self,
        prediction: Float[Tensor, "n 1 h w"],
        label: Integer[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Score the images of a batch of logits."""
        scores = iou_and_f(outcomes(prediction, label, valid))
        self.add(sums=scores.nan_to_num(), scored=~scores.isnan())

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The means over the images that were added."""
        iou, f = (100 * ratio(states["sums"], states["scored"])).unbind(-1)
        return {"iou_at_0.5": iou, "f_at_0.5": f}
