"""The form that all losses share: one value a pixel, zero where the label is not valid.

A loss looks at one image at a time, so that it does not matter how images are put into batches.
Labels are masked before any arithmetic: whatever lies in a pixel that is not valid (NaN, a class
id out of range) reaches neither the value nor the gradient.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

PixelLoss = Callable[
    [Float[Tensor, "n c h w"], Shaped[Tensor, "n d h w"], Bool[Tensor, "n h w"]],
    Float[Tensor, "n h w"],
]
"""(prediction, label, valid) -> loss of each pixel, zero where not valid."""


def masked(value: Float[Tensor, "n h w"], valid: Bool[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """The value where valid, zero elsewhere."""
    return value.where(valid, value.new_zeros(()))


def masked_label(
    label: Shaped[Tensor, "n d h w"], valid: Bool[Tensor, "n h w"]
) -> Shaped[Tensor, "n d h w"]:
    """The label where valid, zero elsewhere."""
    return label.where(valid[:, None], label.new_zeros(()))


def at_least_single(value: Tensor) -> Tensor:
    """The value in float32 where it is an integer or a half; float64 stays float64.

    Losses are computed in single precision or better, whatever the network ran in.
    """
    return value.to(torch.promote_types(value.dtype, torch.float32))
