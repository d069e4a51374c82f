"""Scores of saliency at fifteen thresholds."""

from collections.abc import Mapping
from fractions import Fraction

import torch
from jaxtyping import Bool, Float, Int, Integer, UInt8
from torch import Tensor

from mtdata import Task
from mtmodels.metrics.base import Metric
from mtmodels.metrics.levels import levels, lowest_above
from mtmodels.metrics.ratio import ratio
from mtmodels.metrics.resizing import Size, resized_chance
from mtmodels.metrics.scores import better

THRESHOLDS = tuple(Fraction(step, 20) for step in range(4, 19))
"""0.2, 0.25, ... 0.9."""
_ONE = 2**40
"""Shares are added in steps of 2^-40: a sum of whole numbers does not hang on its order."""


def on_above(
    level: UInt8[Tensor, "n h w"],
    label: Integer[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Int[Tensor, "n 2 t"]:
    """For each image and threshold, valid pixels above it where the label is off, and on."""
    n = len(level)
    image = torch.arange(n, device=level.device)[:, None, None]
    cell = (2 * image + (label[:, 0] > 0)) * 256 + level
    counts = torch.bincount(cell[valid], minlength=n * 512).reshape(n, 2, 256)
    above = counts.flip(-1).cumsum(-1).flip(-1)
    return above[..., lowest_above(THRESHOLDS)]


class Saliency(Metric):
    """Protocol `pascal`: IoU and F of what is on, the best of fifteen thresholds; percent.

    `miou` is the mean IoU over images, where an image with nothing on in label and prediction has
    1; `max_f` is F of the mean precision and the mean recall, which are 0 where they are 0 / 0.
    Both are the largest over the thresholds, each at its own. An image without a valid pixel counts
    nowhere.

    Reference: Maninis et al. 2019, and the code of Vandenhende et al. 2021.
    """

    better = better(("miou", "max_f"))
    shares: Tensor
    scored: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        zeros = torch.zeros(3, len(THRESHOLDS), dtype=torch.long)
        self.add_state("shares", zeros)
        self.add_state("scored", torch.tensor(0))

    @staticmethod
    def resized(
        prediction: Float[Tensor, "n 1 h w"], size: Size
    ) -> Float[Tensor, "n 1 height width"]:
        """The probability is interpolated."""
        return resized_chance(prediction, size)

    def update(
        self,
        prediction: Float[Tensor, "n 1 h w"],
        label: Integer[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add a batch of logits."""
        false, hit = on_above(levels(prediction, valid), label, valid).unbind(1)
        true = ((label[:, 0] > 0) & valid).sum((1, 2))[:, None].expand_as(hit)
        shares = torch.stack(
            [
                ratio(hit, true + false).nan_to_num(1),
                ratio(hit, hit + false).nan_to_num(0),
                ratio(hit, true).nan_to_num(0),
            ],
            dim=1,
        )
        some = valid.any(2).any(1)
        steps = (shares * _ONE).round().long() * some[:, None, None]
        self.add(shares=steps, scored=some)

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The scores over the images that were added."""
        shares = states["shares"]
        scored = (_ONE * states["scored"])[..., None, None].expand(shares.shape)
        iou, precision, recall = ratio(shares, scored).unbind(-2)
        f = ratio(2 * precision * recall, precision + recall)
        # Where nothing is found at any threshold, F is 0; where nothing was scored it is unknown.
        f = torch.where(precision + recall == 0, 0.0, f)
        return {"miou": 100 * iou.amax(-1), "max_f": 100 * f.amax(-1)}
