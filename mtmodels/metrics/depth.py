"""Scores of depth and inverse depth, in the units of the task."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtdata import Task
from mtmodels.metrics.base import Metric
from mtmodels.metrics.ratio import ratio
from mtmodels.metrics.scores import better
from mtmodels.metrics.tally import kept


def error_sums(
    prediction: Float[Tensor, "n 1 h w"],
    label: Float[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n 4"]:
    """For each image, sums over the counted pixels: |p - y|, |p - y| / y, (p - y)^2 and 1.

    A pixel counts where it is valid and y > 0: the released meters take a disparity of zero for
    "nothing measured", and the relative error has no value there.
    """
    truth = label[:, 0]
    counted = valid & (truth > 0)
    error = kept(prediction[:, 0] - truth, counted).abs_()
    relative = kept(error / truth, counted)
    # A row of float32 adds up with an error of 1e-7 at the most, and rows in float64.
    rows = (error.sum(-1), relative.sum(-1), torch.linalg.vecdot(error, error), counted.sum(-1))
    return torch.stack([row.sum(-1, dtype=torch.double) for row in rows], dim=-1)


class PooledDepth(Metric):
    """Errors pooled over the counted pixels of the split.

    `abs_err` = mean |p - y|, `rel_err` = mean |p - y| / y (a ratio), `rmse`.
    """

    better = better(("abs_err", "rel_err", "rmse"))
    compiles = True
    lowest: ClassVar[float | None] = None
    """Predictions below it are raised to it."""
    sums: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.add_state("sums", torch.zeros(4, dtype=torch.float64))

    def update(
        self,
        prediction: Float[Tensor, "n 1 h w"],
        label: Float[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the pixels of a batch."""
        if passes := self.compiled_for(prediction):
            self.add(sums=passes.error_sums(prediction, label, valid, lowest=self.lowest))
            return
        if self.lowest is not None:
            prediction = prediction.clamp(min=self.lowest)
        self.add(sums=error_sums(prediction, label, valid))

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The means over the pixels that were added."""
        absolute, relative, square, count = states["sums"].unbind(-1)
        return {
            "abs_err": ratio(absolute, count),
            "rel_err": ratio(relative, count),
            "rmse": ratio(square, count).sqrt(),
        }


class ClampedDepth(PooledDepth):
    """Protocol `mtpsl`: as `PooledDepth`, with predictions clamped to 1e-9 or more, as released.

    The columns that the released meters call "rel" hold the RMSE.
    """

    lowest: ClassVar[float | None] = 1e-9


STEPS, RELEASED_STEPS = 65535, 65536


class XTasCDepth(PooledDepth):
    """Protocol `xtasc`: as `PooledDepth`, with normalised disparity as its code defines it.

    A Cityscapes file holds p. Here, as with MTAN and MTPSL, its disparity is p / 65535, and that of
    a pixel at infinity, p = 1, a truth so small that its relative error is in the hundreds. The
    code of XTasC-Net takes (p - 1) / 65536, which is 0 there, and zeros count nowhere. So labels
    and predictions are brought to that form before they are compared.

    *Differs from the released code*, which pools over a batch of 8 shuffled images and averages
    the batches: over a split of one batch both agree, and this value does not hang on the order.
    """

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.shifted = task.kind.units == "disparity"

    def update(
        self,
        prediction: Float[Tensor, "n 1 h w"],
        label: Float[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the pixels of a batch."""
        if self.shifted:
            label, prediction = (
                (value.double() * STEPS - 1) / RELEASED_STEPS for value in (label, prediction)
            )
            # A step of the file is 1, so that less than half of one is rounding.
            valid = valid & (label[:, 0] > 0.5 / RELEASED_STEPS)
        super().update(prediction, label, valid)
