"""The distance of two feature maps, image by image."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mtmodels.losses.pixel import at_least_single

SMALLEST = 1e-6
"""Shorter vectors count as shorter than unit, which bounds the gradient of a cell near zero."""


def map_distance(
    a: Float[Tensor, "n d h w"],
    b: Float[Tensor, "n d h w"],
    cells: Bool[Tensor, "n h w"] | None = None,
) -> Float[Tensor, " n"]:
    """1 - cosine over the channels of a cell, mean over the cells, in [0, 2].

    In single precision or better: the squares of small features vanish in half.

    Args:
        a: Maps.
        b: The maps to compare them with.
        cells: Which cells count, where not all do; a map without one has distance 0.

    Reference: MTPSL eq. 3 (L_ct); per cell and without pooling, as in its released code.
    """
    a, b = (F.normalize(at_least_single(x), dim=1, eps=SMALLEST) for x in (a, b))
    cosine = (a * b).sum(1)
    if cells is None:
        return 1 - cosine.mean((1, 2))
    return ((1 - cosine) * cells).sum((1, 2)) / cells.sum((1, 2)).clamp(min=1)
