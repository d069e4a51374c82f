"""Attention as MTAN has it: masks that pick from the maps of a stage."""

from dataclasses import dataclass

from torch import Tensor, nn

from mtmodels.networks.blocks import convolution


class Mask(nn.Sequential):
    """Which values of a map to take, each in (0, 1): two convolutions, then a sigmoid.

    Args:
        channels_in: Channels of what it looks at.
        channels: Channels of the map.
        between: Channels between the convolutions; those of the map where it is None.
        size: Of the convolutions.
    """

    def __init__(
        self, channels_in: int, channels: int, *, between: int | None = None, size: int = 1
    ) -> None:
        between = between or channels
        super().__init__(
            convolution(channels_in, between, size=size, bias=True),
            nn.BatchNorm2d(between),
            nn.ReLU(inplace=True),
            convolution(between, channels, size=size, bias=True),
            nn.BatchNorm2d(channels),
            nn.Sigmoid(),
        )


@dataclass(frozen=True)
class Stage:
    """What the attention of a stage works on.

    Args:
        seen: What masks are made from. Of SegNet the output of the first convolution on the way
            down, the unpooled map on the way up; of ResNet what the last residual block reads.
        offered: The last map of the stage, from which they pick.
    """

    seen: Tensor
    offered: Tensor
