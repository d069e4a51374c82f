"""Scores of surface normals: angles in degrees."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from mtdata import Task
from mtmodels.metrics.base import Metric
from mtmodels.metrics.ratio import ratio
from mtmodels.metrics.scores import better
from mtmodels.metrics.tally import bincounts, by_image, kept, left_out

THRESHOLDS = (11.25, 22.5, 30.0)
STEPS_PER_DEGREE = 4096
_BINS = 180 * STEPS_PER_DEGREE + 1
QUARTERS = 4 * 180
"""Bins of a quarter of a degree, in which the angles of each image are counted."""


def angles(
    prediction: Float[Tensor, "n 3 h w"], label: Float[Tensor, "n 3 h w"]
) -> Float[Tensor, "n h w"]:
    """Angle between vectors of any length, in degrees; 90 where one has no direction.

    atan2(|a x b|, a . b) equals acos(a . b) for unit vectors, and unlike it is exact near zero.
    """
    (x, y, z), (u, v, w) = (_scaled(one).unbind(1) for one in (prediction, label))
    cosine = (x * u).addcmul_(y, v).addcmul_(z, w)
    # Two products and their difference: a fused multiply-add would not give 0 of equal vectors.
    first, second, third = (
        (a * b).sub_(c * d) for a, b, c, d in ((y, w, z, v), (z, u, x, w), (x, v, y, u))
    )
    sine = first.square_().addcmul_(second, second).addcmul_(third, third)
    # The least above 0 changes no angle but that without a direction: atan2(least, 0) is 90.
    sine.clamp_(min=torch.finfo(sine.dtype).tiny).sqrt_()
    return torch.rad2deg_(torch.atan2(sine, cosine, out=cosine))


def _scaled(vectors: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """The same directions, of lengths whose products neither vanish nor overflow.

    Those of unit vectors do not, and are left as they are. Others are brought to about 1 by powers
    of 2, which round nothing: that one pixel needs it changes no other.
    """
    square = float(torch.dot(vectors.flatten(), vectors.flatten()))  # in half the time of a maximum
    if 1e-6 * vectors.numel() < square < 1e12:
        return vectors
    _, power = vectors.abs().amax(1, keepdim=True).frexp()
    return vectors.ldexp(-power.clamp_(min=-126))


def steps(angle: Float[Tensor, "*n"]) -> Int[Tensor, "*n"]:
    """The nearest step of 1/4096 degree of each angle."""
    return (angle * STEPS_PER_DEGREE).round_().int()


def histogram(step: Int[Tensor, "*n"]) -> Int[Tensor, " bins"]:
    """Count angles by their steps."""
    return torch.bincount(step.flatten(), minlength=_BINS)


def by_quarter(angle: Float[Tensor, "n h w"]) -> Int[Tensor, "n quarters"]:
    """Count the angles of each image in bins of a quarter of a degree, 180 in the last."""
    return bincounts((4 * angle).int().clamp_(max=QUARTERS - 1), QUARTERS)


def median(counts: Int[Tensor, " bins"]) -> float:
    """Median in degrees, to half a step (0.00013 degrees); NaN where nothing was counted."""
    total = int(counts.sum())
    if total == 0:
        return float("nan")
    middle = torch.tensor([(total - 1) // 2, total // 2], device=counts.device)
    step = torch.searchsorted(counts.cumsum(0), middle, right=True)
    return float(step.double().mean()) / STEPS_PER_DEGREE


def rough_median(counts: Num[Tensor, "*n bins"]) -> Float[Tensor, "*n"]:
    """Median in degrees from counts of quarters of a degree, linear within one; NaN for none."""
    reached = counts.double().cumsum(-1)
    half = reached[..., -1:] / 2
    bin_ = torch.searchsorted(reached, half).clamp(max=counts.shape[-1] - 1)
    inside, upto = counts.double().gather(-1, bin_), reached.gather(-1, bin_)
    return ((bin_ + 1 - ratio(upto - half, inside)) / 4)[..., 0]


def within(quarters: Int[Tensor, "n quarters"]) -> Int[Tensor, "n 3"]:
    """Count the angles of each image below each threshold, which are whole quarters of a degree."""
    return quarters.cumsum(-1)[:, [int(4 * limit) - 1 for limit in THRESHOLDS]]


def _counted(prediction: Tensor, label: Tensor, valid: Tensor) -> tuple[Tensor, ...]:
    """The steps of the angles, and of each image its sums and its counts of quarters.

    What does not count is an angle of 0.
    """
    angle = kept(angles(prediction, label), valid)
    return steps(angle), _sums(angle), by_quarter(angle)


def _sums(angle: Float[Tensor, "n h w"]) -> Float[Tensor, "n 2"]:
    """For each image, the sums of its angles and of their squares: of rows, then of those."""
    rows = (angle.sum(-1), torch.linalg.vecdot(angle, angle))
    return torch.stack([row.sum(-1, dtype=torch.double) for row in rows], dim=-1)


class PooledNormals(Metric):
    """Protocols `mtpsl` and `xtasc` (whose paper has no normals): all valid pixels are pooled.

    `mean`, `median` and `rmse` of the angle in degrees, and the percentage of pixels `within`
    11.25, 22.5 and 30 degrees. The median is of the whole split, from a histogram: memory does not
    grow with the split. What each image adds has angles counted in quarters of a degree, from which
    the median of other choices of the images is within a hundredth or so.

    *Differs from the released code*, whose "median" column holds the RMSE.
    """

    better = better(("mean", "median", "rmse", "within_11.25", "within_22.5", "within_30"))
    counts: Tensor
    sums: Tensor
    within: Tensor
    quarters: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.add_state("counts", torch.zeros(_BINS, dtype=torch.long))
        self.add_state("sums", torch.zeros(2, dtype=torch.float64))
        zeros = torch.zeros(len(THRESHOLDS), dtype=torch.long)
        self.add_state("within", zeros)
        zeros = torch.zeros(QUARTERS, dtype=torch.long)
        self.add_state("quarters", zeros)

    def update(
        self,
        prediction: Float[Tensor, "n 3 h w"],
        label: Float[Tensor, "n 3 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the pixels of a batch."""
        step, sums, quarters = by_image(_counted, prediction, label.to(prediction.dtype), valid)
        hidden = left_out(valid)
        self.counts += histogram(step)
        self.counts[0] -= hidden.sum()
        quarters[:, 0] -= hidden
        self.add(sums=sums, within=within(quarters), quarters=quarters)

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The scores of the pixels that were added; the median is rough without `counts`."""
        count = states["quarters"].sum(-1)
        fine = states.get("counts")
        middle = rough_median(states["quarters"]) if fine is None else torch.tensor(median(fine))
        scores = {
            "mean": ratio(states["sums"][..., 0], count),
            "median": middle,
            "rmse": ratio(states["sums"][..., 1], count).sqrt(),
        }
        for limit, inside in zip(THRESHOLDS, states["within"].unbind(-1), strict=True):
            scores[f"within_{limit:g}"] = 100 * ratio(inside, count)
        return scores
