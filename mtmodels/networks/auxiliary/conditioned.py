"""Batch norm whose scale and shift depend on a code: FiLM."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.parameter import Parameter

from mtdata.errors import UsageError

Statistics = Literal["sample", "pass"]
"""What batch norm takes them over: the pixels of each sample, or those of all that come at once."""


class ConditionedNorm(nn.Module):
    """Normalises each channel, scales and shifts it, then once more by the code of the sample.

    The statistics are those of what is given, in training and in evaluation alike: mapping
    networks serve training only, so there is nothing to keep a running mean for.

    Args:
        channels: Of the map, `c`.
        codes: How many codes there are; 0 for no conditioning.
        over: "sample": over the pixels of each sample, as the released code has them by running
            one sample at a time. "pass": over all samples of the pass.

    Raises:
        UsageError: in a pass over each sample where a map has one pixel only.

    Reference: MTPSL section 3.2 ("a one layer fully-connected network" on a one-hot code, which
    picks a column of a matrix); FiLM, Perez et al. 2018. It is the identity at initialisation.
    """

    def __init__(self, channels: int, codes: int, *, over: Statistics = "sample") -> None:
        super().__init__()
        self.over = over
        self.weight = Parameter(torch.ones(channels))
        self.bias = Parameter(torch.zeros(channels))
        self.gamma = Parameter(torch.ones(channels, codes)) if codes else None
        self.beta = Parameter(torch.zeros(channels, codes)) if codes else None

    def forward(
        self, x: Float[Tensor, "n c h w"], code: Int[Tensor, " n"]
    ) -> Float[Tensor, "n c h w"]:
        """The map, normalised and modulated by the code of each sample."""
        scale, shift = (v.expand(len(x), -1) for v in (self.weight, self.bias))
        if self.gamma is not None and self.beta is not None:
            gamma, beta = self.gamma.T[code], self.beta.T[code]
            # gamma * (weight * x + bias) + beta, so that one pass over the pixels does both.
            scale, shift = gamma * scale, gamma * shift + beta
        if self.over == "sample":
            return _of_each_sample(x, scale, shift)
        normal = F.batch_norm(x, None, None, training=True)
        return torch.addcmul(shift[:, :, None, None], normal, scale[:, :, None, None])


def _of_each_sample(
    x: Float[Tensor, "n c h w"], scale: Float[Tensor, "n c"], shift: Float[Tensor, "n c"]
) -> Float[Tensor, "n c h w"]:
    """Batch norm of every sample on its own.

    In one call, seen as one sample of n*c channels; but on processors one by one where channels
    come last, as the other way would move every value twice (`benchmarks.training.pairs`).
    """
    n, c, h, w = x.shape
    if h * w == 1:
        raise UsageError(
            "the mapping norm over each sample should have maps of more than one pixel; found one. "
            "Take larger images, or --mapping-norm pass."
        )
    if x.device.type == "cpu" and not x.is_contiguous():
        samples = zip(x.split(1), scale, shift, strict=True)
        return torch.cat(
            [F.batch_norm(one, None, None, a, b, training=True) for one, a, b in samples]
        )
    seen = x.reshape(1, n * c, h, w)
    return F.batch_norm(
        seen, None, None, scale.reshape(-1), shift.reshape(-1), training=True
    ).reshape(n, c, h, w)


class Reader(nn.Module):
    """The input layer of a task: a convolution, its norm without a code, ReLU.

    Args:
        conv: Reads encoded predictions and labels of the task.
        over: What batch norm takes its statistics over.
    """

    def __init__(self, conv: nn.Conv2d, *, over: Statistics) -> None:
        super().__init__()
        self.conv = conv
        self.norm = ConditionedNorm(conv.out_channels, 0, over=over)

    def forward(self, encoded: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d hs ws"]:
        """What the trunk goes on from."""
        code = torch.zeros(len(encoded), dtype=torch.long, device=encoded.device)
        return F.relu(self.norm(self.conv(encoded), code), inplace=True)
