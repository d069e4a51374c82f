"""Losses of predictions that are on or off at each pixel, given as logits."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mtmodels.losses.pixel import at_least_single, masked, masked_label

EDGE_WEIGHT = 0.95
"""Weight of an edge pixel in the PASCAL survey code; any other pixel weighs 1 - 0.95."""


def bce(
    prediction: Float[Tensor, "n 1 h w"],
    label: Shaped[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Binary cross-entropy of logits with labels in [0, 1]."""
    logit = at_least_single(prediction)
    target = masked_label(label, valid).to(logit.dtype)
    return masked(F.binary_cross_entropy_with_logits(logit, target, reduction="none")[:, 0], valid)


def balanced_bce(
    prediction: Float[Tensor, "n 1 h w"],
    label: Shaped[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Binary cross-entropy in which each side weighs the share of the other in the image.

    An image of one side only has loss 0.

    Reference: Xie and Tu 2015 (HED), eq. 2.
    Differs from the PASCAL survey code: it takes the shares over the batch, so that the loss of an
    image depends on its neighbours; here each image stands alone.
    """
    loss = bce(prediction, label, valid)
    on = masked_label(label, valid)[:, 0].bool()
    count = valid.sum((1, 2), keepdim=True).clamp(min=1)
    share_on = on.sum((1, 2), keepdim=True, dtype=loss.dtype) / count
    return loss * torch.where(on, 1 - share_on, share_on)


def edge_bce(
    prediction: Float[Tensor, "n 1 h w"],
    label: Shaped[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Binary cross-entropy with weight 0.95 on, 0.05 off: edges in the PASCAL survey code."""
    loss = bce(prediction, label, valid)
    on = masked_label(label, valid)[:, 0].bool()
    return torch.where(on, EDGE_WEIGHT * loss, (1 - EDGE_WEIGHT) * loss)


def soft_bce(
    prediction: Float[Tensor, "n 1 h w"],
    target: Float[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Binary cross-entropy of logits with the probability that the logits `target` give."""
    return bce(prediction, torch.sigmoid(at_least_single(target)), valid)


def hard_bce(
    prediction: Float[Tensor, "n 1 h w"],
    target: Float[Tensor, "n 1 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Binary cross-entropy of logits with the likelier side of the logits `target`."""
    return bce(prediction, target > 0, valid)
