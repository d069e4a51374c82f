"""Predictions, labels and masks at the size that they are scored at, where that is another."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from mtdata.tasks.resize import centres

Size = tuple[int, int]
"""Height and width."""


def bilinear(prediction: Float[Tensor, "n c h w"], size: Size) -> Float[Tensor, "n c height width"]:
    """Values between the pixels of another size."""
    return F.interpolate(prediction, size, mode="bilinear", align_corners=False)


def resized_chance(
    logit: Float[Tensor, "n 1 h w"], size: Size
) -> Float[Tensor, "n 1 height width"]:
    """Logits at another size; it is their probability that is interpolated."""
    return bilinear(logit.double().sigmoid(), size).logit()


def nearest(array: Shaped[Tensor, "*n h w"], size: Size) -> Shaped[Tensor, "*n height width"]:
    """The values at the pixel centres of another size, as stores are built."""
    rows, columns = (
        torch.as_tensor(centres(new, old), device=array.device)
        for new, old in zip(size, array.shape[-2:], strict=True)
    )
    return array[..., rows[:, None], columns]
