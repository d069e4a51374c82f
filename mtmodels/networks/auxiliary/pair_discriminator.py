"""Tells from two feature maps, cell by cell, whether they are of the same image."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtmodels.losses import at_least_single
from mtmodels.losses.maps import SMALLEST
from mtmodels.networks.blocks import convolution

SLOPE = 0.2


class PairDiscriminator(nn.Module):
    """Three convolutions over the two maps, one behind the other in the channels.

    The vector of each cell is made unit first, so that lengths, which carry no meaning where maps
    are compared by cosine, tell nothing. There is no batch norm: statistics over positive and
    negative pairs would mix what is to be told apart.

    Args:
        channels: Of each of the two maps, `d`; the inner layers have half as many.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inside = max(1, channels // 2)
        self.layers = nn.Sequential(
            convolution(2 * channels, inside, bias=True),
            nn.LeakyReLU(SLOPE),
            convolution(inside, inside, bias=True),
            nn.LeakyReLU(SLOPE),
            convolution(inside, 1, size=1, bias=True),
        )

    def forward(
        self, predicted: Float[Tensor, "n d h w"], labelled: Float[Tensor, "n d h w"]
    ) -> Float[Tensor, "n h w"]:
        """A logit for each cell, positive where the two are of the same image."""
        unit = [F.normalize(at_least_single(x), dim=1, eps=SMALLEST) for x in (predicted, labelled)]
        return at_least_single(self.layers(torch.cat(unit, dim=1)))[:, 0]
