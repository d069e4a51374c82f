"""Scores of surface normals: angles in degrees."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from mtdata import Task
from mtmodels.metrics.base import Metric
from mtmodels.metrics.ratio import ratio
from mtmodels.metrics.scores import better
from mtmodels.metrics.tally import bincounts, kept, left_out

THRESHOLDS = (11.25, 22.5, 30.0)
STEPS_PER_DEGREE = 512
"""Bins of the angles of a split; more would leave the cache of a core."""
QUARTERS = 4 * 180
"""Bins of a quarter of a degree, which are kept of each image."""


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


def by_step(angle: Float[Tensor, "n h w"]) -> Int[Tensor, "n bins"]:
    """Count the angles of each image in bins of 1/512 degree, 180 in the last."""
    bins = 180 * STEPS_PER_DEGREE
    return bincounts((angle * STEPS_PER_DEGREE).int().clamp_(max=bins - 1), bins)


def median(counts: Num[Tensor, "*n bins"]) -> Float[Tensor, "*n"]:
    """Median in degrees of angles that were counted in bins from 0 to 180; NaN of none.

    The angles of a bin are taken to lie in it evenly, those of the first one to be 0, as of what is
    perfect; so the median is at most a bin away.
    """
    reached = counts.double().cumsum(-1)
    total = reached[..., -1:]
    # The rank of the middle one, or of both; ranks are those of the middles of equal parts.
    ranks = torch.cat([(total - 1).div(2).floor(), total.div(2).floor()], -1) + 0.5
    bin_ = torch.searchsorted(reached, ranks).clamp(max=counts.shape[-1] - 1)
    inside, upto = counts.double().gather(-1, bin_), reached.gather(-1, bin_)
    places = (bin_ + 1 - ratio(upto - ranks, inside)).where((bin_ > 0) | (total == 0), 0)
    return places.mean(-1) * (180 / counts.shape[-1])


def within(quarters: Int[Tensor, "n quarters"]) -> Int[Tensor, "n 3"]:
    """Count the angles of each image below each threshold, which are whole quarters of a degree."""
    return quarters.cumsum(-1)[:, [int(4 * limit) - 1 for limit in THRESHOLDS]]


def _sums(angle: Float[Tensor, "n h w"]) -> Float[Tensor, "n 2"]:
    """For each image, the sums of its angles and of their squares: of rows, then of those."""
    rows = (angle.sum(-1), torch.linalg.vecdot(angle, angle))
    return torch.stack([row.sum(-1, dtype=torch.double) for row in rows], dim=-1)


class PooledNormals(Metric):
    """Every protocol (the paper of `xtasc` has no normals): all valid pixels are pooled.

    `mean`, `median` and `rmse` of the angle in degrees, and the percentage of pixels `within`
    11.25, 22.5 and 30 degrees. The median is of the whole split, from a histogram: memory does not
    grow with the split. What each image adds has angles counted in quarters of a degree, from which
    the median of other choices of the images is within a hundredth or so.

    *Differs from the released code*, whose "median" column holds the RMSE.
    """

    better = better(("mean", "median", "rmse", "within_11.25", "within_22.5", "within_30"))
    compiles = True
    counts: Tensor
    sums: Tensor
    within: Tensor
    quarters: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.add_state("counts", torch.zeros(180 * STEPS_PER_DEGREE, dtype=torch.long))
        self.add_state("sums", torch.zeros(2, dtype=torch.float64))
        self.add_state("within", torch.zeros(len(THRESHOLDS), dtype=torch.long))
        zeros = torch.zeros(QUARTERS, dtype=torch.long)
        self.add_state("quarters", zeros)

    def update(
        self,
        prediction: Float[Tensor, "n 3 h w"],
        label: Float[Tensor, "n 3 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the pixels of a batch."""
        given = prediction, label.to(prediction.dtype), valid
        passes = self.compiled_for(prediction)
        found = passes.angles(*given, into=self.counts, parts=QUARTERS) if passes else None
        quarters, sums = found or self._counted(*given)
        self.add(sums=sums, within=within(quarters), quarters=quarters)

    def _counted(
        self,
        prediction: Float[Tensor, "n 3 h w"],
        label: Float[Tensor, "n 3 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> tuple[Int[Tensor, "n quarters"], Float[Tensor, "n 2"]]:
        angle = kept(angles(prediction, label), valid)
        counts = by_step(angle)
        counts[:, 0] -= left_out(valid)  # those were kept as angles of 0
        self.counts += counts.sum(0)
        return counts.unflatten(-1, (QUARTERS, -1)).sum(-1), _sums(angle)

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The scores of the pixels that were added; the median is rough without `counts`."""
        count = states["quarters"].sum(-1)
        scores = {
            "mean": ratio(states["sums"][..., 0], count),
            "median": median(states.get("counts", states["quarters"])),
            "rmse": ratio(states["sums"][..., 1], count).sqrt(),
        }
        for limit, inside in zip(THRESHOLDS, states["within"].unbind(-1), strict=True):
            scores[f"within_{limit:g}"] = 100 * ratio(inside, count)
        return scores
