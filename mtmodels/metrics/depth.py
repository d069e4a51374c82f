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


FACTOR = 1.25
"""Accuracies of depth count pixels within this factor, its square and its cube."""
LOWEST = 1e-3
"""Predictions below it have no useful ratio to a label, and are raised to it: a millimetre."""


def factor_sums(
    prediction: Float[Tensor, "n 1 h w"],
    label: Float[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n 4"]:
    """For each image, sums over the pixels that `error_sums` counts, of f = max(p / y, y / p).

    (ln f)^2, which is (ln p - ln y)^2, and whether f is below `FACTOR`, its square and its cube.
    """
    truth, predicted = label[:, 0].clamp(min=LOWEST), prediction[:, 0].clamp(min=LOWEST)
    counted = valid & (label[:, 0] > 0)
    factor = torch.maximum(predicted / truth, truth / predicted)
    logarithm = kept(factor.log(), counted)
    within = ((factor < FACTOR**power) & counted for power in (1, 2, 3))
    rows = (torch.linalg.vecdot(logarithm, logarithm), *(inside.sum(-1) for inside in within))
    return torch.stack([row.sum(-1, dtype=torch.double) for row in rows], dim=-1)


class CommonDepth(PooledDepth):
    """Protocol `common`: as `PooledDepth`, and what papers on depth alone report.

    `rmse_log` is the RMSE of natural logarithms; `delta1`, `delta2` and `delta3` are the pixels, in
    percent, whose prediction is less than 1.25, 1.25^2 and 1.25^3 times as far as the label or as
    near. For these four, labels and predictions below 0.001 are raised to that.

    Reference: Eigen, Puhrsch and Fergus 2014.
    """

    better = better(("abs_err", "rel_err", "rmse", "rmse_log", "delta1", "delta2", "delta3"))
    compiles = False
    factors: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.add_state("factors", torch.zeros(4, dtype=torch.float64))

    def update(
        self,
        prediction: Float[Tensor, "n 1 h w"],
        label: Float[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the pixels of a batch."""
        self.add(
            sums=error_sums(prediction, label, valid),
            factors=factor_sums(prediction, label, valid),
        )

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The means over the pixels that were added."""
        count = states["sums"][..., 3]
        square, *within = (ratio(of, count) for of in states["factors"].unbind(-1))
        accuracies = {f"delta{power}": 100 * one for power, one in enumerate(within, start=1)}
        return {**super().scores(states), "rmse_log": square.sqrt(), **accuracies}


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
