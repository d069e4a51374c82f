"""How predictions and labels enter a mapping network, a kind at a time.

A prediction and a label of one task take the same form, so that one input layer can read both.

Reference: the released code of MTPSL (`Mapfns.pre_process_*`). Differs in one place: depth is
divided by its largest magnitude, where the code takes its maximum. The two are the same unless a
prediction has negative depths, as it can early in training; the quotient of the code then changes
sign or explodes. Nor is a prediction divided by less than `SMALLEST_PREDICTED`, so that its
gradient stays bounded as well.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer, Shaped
from torch import Tensor

from mtmodels.losses import at_least_single

EncodePrediction = Callable[
    [Float[Tensor, "n c h w"], torch.Generator | None], Float[Tensor, "n c h w"]
]
"""(prediction, rng) -> what the mapping reads; nothing is drawn where there is no generator."""
EncodeLabel = Callable[
    [Shaped[Tensor, "n d h w"], Bool[Tensor, "n h w"], int], Float[Tensor, "n c h w"]
]

SMALLEST = 1e-12
SMALLEST_PREDICTED = 1e-3
"""In the units of the task: a millimetre, or a thousandth of the disparity."""


def sampled_classes(
    logits: Float[Tensor, "n c h w"], rng: torch.Generator | None
) -> Float[Tensor, "n c h w"]:
    """A class drawn for each pixel, one-hot; the gradient is that of the soft draw.

    The probabilities themselves where there is nothing to draw with.

    Reference: straight-through Gumbel-softmax (Jang et al. 2017) at temperature 1.
    """
    logits = at_least_single(logits)
    if rng is None:
        return logits.softmax(1)
    soft = (logits + _gumbel(logits, rng)).softmax(1)
    hard = torch.zeros_like(soft).scatter_(1, soft.argmax(1, keepdim=True), 1)
    return hard - soft.detach() + soft


def sampled_binary(
    logit: Float[Tensor, "n 1 h w"], rng: torch.Generator | None
) -> Float[Tensor, "n 1 h w"]:
    """Yes or no drawn for each pixel: `sampled_classes` for the two classes of [0, logit]."""
    logit = at_least_single(logit)
    if rng is None:
        return logit.sigmoid()
    soft = (logit + _gumbel(logit, rng) - _gumbel(logit, rng)).sigmoid()
    return (soft > 0.5).to(soft) - soft.detach() + soft


def relative_depth(
    depth: Float[Tensor, "n c h w"], rng: torch.Generator | None
) -> Float[Tensor, "n c h w"]:
    """Depth as a share of the largest of its image; the gradient passes through that as well."""
    depth = at_least_single(depth)
    return depth / depth.abs().amax((1, 2, 3), keepdim=True).clamp(min=SMALLEST_PREDICTED)


def shifted_normals(
    normals: Float[Tensor, "n 3 h w"], rng: torch.Generator | None
) -> Float[Tensor, "n 3 h w"]:
    """Components from [-1, 1] to [0, 1]."""
    return (at_least_single(normals) + 1) / 2


def one_hot(
    label: Shaped[Tensor, "n 1 h w"], valid: Bool[Tensor, "n h w"], channels: int
) -> Float[Tensor, "n c h w"]:
    """The class of each pixel; void pixels are zero in all channels."""
    ids = torch.where(valid, label[:, 0].long(), channels)
    return F.one_hot(ids, channels + 1)[..., :channels].movedim(-1, 1).float()


def zero_or_one(
    label: Shaped[Tensor, "n 1 h w"], valid: Bool[Tensor, "n h w"], channels: int
) -> Float[Tensor, "n 1 h w"]:
    """Yes or no; void pixels are zero."""
    return torch.where(valid[:, None], label, 0).to(torch.float32)


def relative_depth_label(
    label: Float[Tensor, "n 1 h w"], valid: Bool[Tensor, "n h w"], channels: int
) -> Float[Tensor, "n 1 h w"]:
    """Depth as a share of the largest of its image; void pixels are zero."""
    depth = torch.where(valid[:, None], label, 0)
    return depth / depth.abs().amax((1, 2, 3), keepdim=True).clamp(min=SMALLEST)


def shifted_normals_label(
    label: Float[Tensor, "n 3 h w"], valid: Bool[Tensor, "n h w"], channels: int
) -> Float[Tensor, "n 3 h w"]:
    """Components from [-1, 1] to [0, 1]; void pixels are 0.5, as the vector (0, 0, 0) is."""
    return (torch.where(valid[:, None], label, 0) + 1) / 2


def value_label(
    label: Float[Tensor, "n c h w"], valid: Bool[Tensor, "n h w"], channels: int
) -> Float[Tensor, "n c h w"]:
    """The label as it is; void pixels are zero."""
    return at_least_single(torch.where(valid[:, None], label, 0))


def _gumbel(like: Tensor, rng: torch.Generator) -> Tensor:
    noise = torch.empty_like(like).exponential_(generator=rng)
    return -noise.clamp(min=torch.finfo(like.dtype).tiny).log()


def highest(logits: Float[Tensor, "n c h w"]) -> Integer[Tensor, "n h w"]:
    """The class of the highest logit, the first of several; of NaN any number."""
    if logits.device.type != "cpu":
        return logits.argmax(1)
    # argmax goes pixel by pixel here and takes eight times as long as max-pooling over the classes,
    # for which a pixel is a channel, so that it takes a vector of pixels at a time.
    n, classes, h, w = logits.shape
    pixels = at_least_single(logits.detach()).reshape(n, classes, 1, h * w).permute(0, 3, 1, 2)
    return F.max_pool2d(pixels, (classes, 1), return_indices=True)[1].reshape(n, h, w)
