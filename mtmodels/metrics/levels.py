"""Probabilities in 8 bits, as the protocol of PASCAL-Context reads them, and thresholds on them."""

from collections.abc import Iterable
from fractions import Fraction

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

HIGHEST = 255


def levels(logit: Float[Tensor, "n 1 h w"], valid: Bool[Tensor, "n h w"]) -> UInt8[Tensor, "n h w"]:
    """The probability times 255, cut off to a whole number; 0 where it is not valid.

    The released code writes predictions as PNG files, and scores those.
    """
    chance = torch.where(valid, logit[:, 0].double().sigmoid(), 0)
    return (HIGHEST * chance).to(torch.uint8)


def lowest_above(thresholds: Iterable[Fraction]) -> list[int]:
    """For each threshold, the lowest level above it: level / 255 > threshold."""
    return [HIGHEST * t.numerator // t.denominator + 1 for t in thresholds]


def lowest_at(thresholds: Iterable[Fraction]) -> list[int]:
    """For each threshold, the lowest level that reaches it: level / 255 >= threshold."""
    return [-(-HIGHEST * t.numerator // t.denominator) for t in thresholds]
