"""Scores of surface normals: angles in degrees."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from mtdata import Task
from mtmodels.metrics.base import Metric
from mtmodels.metrics.ratio import percent, ratio
from mtmodels.metrics.scores import better

THRESHOLDS = (11.25, 22.5, 30.0)
STEPS_PER_DEGREE = 4096
_BINS = 180 * STEPS_PER_DEGREE + 1


def angles(prediction: Float[Tensor, "p 3"], label: Float[Tensor, "p 3"]) -> Float[Tensor, " p"]:
    """Angle between vectors of any length, in degrees; 90 where one has no direction.

    atan2(|a x b|, a . b) equals acos(a . b) for unit vectors, and unlike it is exact near zero.
    """
    a, b = prediction.double(), label.double()
    sine = torch.linalg.cross(a, b).norm(dim=-1)
    cosine = (a * b).sum(-1)
    angle = torch.rad2deg(torch.atan2(sine, cosine))
    return torch.where((sine == 0) & (cosine == 0), 90.0, angle)


def histogram(angle: Float[Tensor, " p"]) -> Int[Tensor, " bins"]:
    """Count angles by their nearest step of 1/4096 degree."""
    return torch.bincount((angle * STEPS_PER_DEGREE).round().long(), minlength=_BINS)


def median(counts: Int[Tensor, " bins"]) -> float:
    """Median in degrees, to half a step (0.00013 degrees); NaN where nothing was counted."""
    total = int(counts.sum())
    if total == 0:
        return float("nan")
    middle = torch.tensor([(total - 1) // 2, total // 2], device=counts.device)
    step = torch.searchsorted(counts.cumsum(0), middle, right=True)
    return float(step.double().mean()) / STEPS_PER_DEGREE


def within(angle: Float[Tensor, " p"]) -> Int[Tensor, " 3"]:
    """Count the angles below each threshold; one that equals it is not below."""
    return torch.stack([(angle < limit).sum() for limit in THRESHOLDS])


class PooledNormals(Metric):
    """Protocols `mtpsl` and `xtasc` (whose paper has no normals): all valid pixels are pooled.

    `mean`, `median` and `rmse` of the angle in degrees, and the percentage of pixels `within`
    11.25, 22.5 and 30 degrees. The median is of the whole split, from a histogram: memory does not
    grow with the split.

    *Differs from the released code*, whose "median" column holds the RMSE.
    """

    better = better(("mean", "median", "rmse", "within_11.25", "within_22.5", "within_30"))
    counts: Tensor
    sums: Tensor
    within: Tensor

    def __init__(self, task: Task, **options: Any) -> None:
        super().__init__(task, **options)
        self.add_state("counts", torch.zeros(_BINS, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("sums", torch.zeros(2, dtype=torch.float64), dist_reduce_fx="sum")
        zeros = torch.zeros(len(THRESHOLDS), dtype=torch.long)
        self.add_state("within", zeros, dist_reduce_fx="sum")

    def update(
        self,
        prediction: Float[Tensor, "n 3 h w"],
        label: Float[Tensor, "n 3 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the pixels of a batch."""
        self.images += len(prediction)
        angle = angles(prediction.movedim(1, -1)[valid], label.movedim(1, -1)[valid])
        self.counts += histogram(angle)
        self.sums += torch.stack([angle.sum(), angle.square().sum()])
        self.within += within(angle)

    def compute(self) -> dict[str, float | list[float]]:
        """The scores over the pixels that were added."""
        count = self.counts.sum()
        scores: dict[str, float | list[float]] = {
            "mean": float(ratio(self.sums[0], count)),
            "median": median(self.counts),
            "rmse": float(ratio(self.sums[1], count).sqrt()),
        }
        for limit, inside in zip(THRESHOLDS, self.within, strict=True):
            scores[f"within_{limit:g}"] = percent(ratio(inside, count))
        return scores
