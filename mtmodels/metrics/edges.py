"""Scores of edges: F of a one-to-one matching, the best threshold of the whole split."""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from mtdata import Task
from mtmodels.metrics.base import Metric
from mtmodels.metrics.levels import levels, lowest_at
from mtmodels.metrics.matching import EdgeImage, edge_counts
from mtmodels.metrics.ratio import ratio
from mtmodels.metrics.resizing import Size, resized_chance
from mtmodels.metrics.scores import better

THRESHOLDS = 99


class Edges(Metric):
    """Protocol `pascal`: `ods_f`, F at the threshold that is best for all images; percent.

    At each threshold k / 100, k = 1..99, prediction and label are thinned to lines one pixel wide,
    and pixels of one are matched to pixels of the other, one to one, up to 0.0075 of the diagonal
    of the image away. Matched, predicted and true pixels are summed over the images.

    Args:
        task: The task.
        thresholds: How many, n: k / (n + 1) for k = 1..n. The published scores have 99.
        spread: A `map`, over processes say: matching takes longer than all other scores together.

    Reference: Martin, Fowlkes and Malik 2004; `correspondPixels` of the Berkeley benchmark.
    """

    better = better(("ods_f",))
    takes = ("thresholds", "spread")
    counts: Tensor

    def __init__(
        self,
        task: Task,
        *,
        thresholds: int = THRESHOLDS,
        spread: Callable[..., Iterable[Any]] = map,
    ) -> None:
        super().__init__(task)
        self._lowest = np.array(
            lowest_at(Fraction(k, thresholds + 1) for k in range(1, thresholds + 1))
        )
        self._spread = spread
        zeros = torch.zeros(3, thresholds, dtype=torch.long)
        self.add_state("counts", zeros)

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
        level = levels(prediction, valid).cpu().numpy()
        boundary = ((label[:, 0] > 0) & valid).cpu().numpy()
        images = [EdgeImage(a, b, self._lowest) for a, b in zip(level, boundary, strict=True)]
        counts = np.array(list(self._spread(edge_counts, images)), np.int64)
        counts = counts.reshape(len(images), *self.counts.shape)
        self.add(counts=torch.from_numpy(counts).to(self.counts.device))

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The score of the pixels that were added."""
        matched, predicted, true = states["counts"].unbind(-2)
        f = 100 * ratio(2 * matched, predicted + true)
        best = f.nan_to_num(-1).amax(-1)
        return {"ods_f": best.where(best >= 0, torch.nan)}
