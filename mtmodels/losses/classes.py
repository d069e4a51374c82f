"""Losses of predictions that choose a class for each pixel."""

import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mtmodels.losses.pixel import at_least_single, masked, masked_label


def cross_entropy(
    prediction: Float[Tensor, "n c h w"],
    label: Shaped[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Cross-entropy of logits with class ids 0..c-1. Reference: XTasC-Net eq. 12."""
    log_probability = F.log_softmax(at_least_single(prediction), dim=1)
    index = masked_label(label, valid).long()
    return masked(-log_probability.gather(1, index)[:, 0], valid)


def soft_cross_entropy(
    prediction: Float[Tensor, "n c h w"],
    target: Float[Tensor, "n c h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Cross-entropy of logits with the softmax of the logits `target`.

    Least, but not zero, where both agree. Reference: XTasC-Net eq. 13.
    """
    log_probability = F.log_softmax(at_least_single(prediction), dim=1)
    weight = F.softmax(at_least_single(masked_label(target, valid)), dim=1)
    return masked(-(weight * log_probability).sum(1), valid)


def hard_cross_entropy(
    prediction: Float[Tensor, "n c h w"],
    target: Float[Tensor, "n c h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Cross-entropy of logits with the likeliest class of the logits `target`.

    What the code released with XTasC-Net computes in place of its eq. 13.
    """
    return cross_entropy(prediction, target.argmax(1, keepdim=True), valid)
