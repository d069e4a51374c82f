"""Losses of predictions that are numbers or directions: depth, normals."""

from jaxtyping import Bool, Float
from torch import Tensor

from mtmodels.losses.pixel import at_least_single, masked, masked_label


def l1(
    prediction: Float[Tensor, "n c h w"],
    label: Float[Tensor, "n c h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """Absolute difference, the mean over channels, in the units of the label.

    Depth: XTasC-Net eq. 14 and 15. Normals: the loss of the PASCAL survey code.
    """
    label = at_least_single(masked_label(label, valid))
    return masked((at_least_single(prediction) - label).abs().mean(1), valid)


def cosine(
    prediction: Float[Tensor, "n 3 h w"],
    label: Float[Tensor, "n 3 h w"],
    valid: Bool[Tensor, "n h w"],
) -> Float[Tensor, "n h w"]:
    """1 - cosine of the angle between unit vectors, in [0, 2]. Reference: MTPSL."""
    label = at_least_single(masked_label(label, valid))
    return masked(1 - (at_least_single(prediction) * label).sum(1), valid)
