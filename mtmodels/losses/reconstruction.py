"""Losses of an auto-encoder's raw output against the encoded label or prediction that it read."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mtmodels.losses.pixel import at_least_single, masked, masked_label

SMALLEST = 1e-6


def channel_bce(
    prediction: Float[Tensor, "n c h w"],
    label: Float[Tensor, "n c h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Binary cross-entropy of logits with values in [0, 1], the sum over channels."""
    logits = at_least_single(prediction)
    target = masked_label(label, valid).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return masked(loss.sum(1), valid)


def squeezed_l1(
    prediction: Float[Tensor, "n c h w"],
    label: Float[Tensor, "n c h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Absolute difference of the sigmoid and a value in [0, 1], the mean over channels."""
    label = at_least_single(masked_label(label, valid))
    return masked((at_least_single(prediction).sigmoid() - label).abs().mean(1), valid)


def direction(
    prediction: Float[Tensor, "n 3 h w"],
    label: Float[Tensor, "n 3 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """1 - cosine of the angle with a unit vector whose components lie in [0, 1] for [-1, 1]."""
    unit = F.normalize(at_least_single(prediction), dim=1, eps=SMALLEST)
    return masked(1 - (unit * (2 * at_least_single(masked_label(label, valid)) - 1)).sum(1), valid)
