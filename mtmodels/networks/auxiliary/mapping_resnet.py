"""The trunk of the mapping network on PASCAL-Context: ResNet-18 behind input layers by task."""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from mtmodels.networks.auxiliary.conditioned import ConditionedNorm, Reader, Statistics
from mtmodels.networks.blocks import scaled

PLANES = (64, 128, 256, 512)
BLOCKS = 2


def strided(
    channels_in: int, channels_out: int, size: int, *, stride: int, dilation: int
) -> nn.Conv2d:
    """A convolution without bias, its weights drawn as those of a ResNet are."""
    layer = nn.Conv2d(
        channels_in,
        channels_out,
        size,
        stride=stride,
        padding=dilation * (size // 2),
        dilation=dilation,
        bias=False,
    )
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return layer


class ResNetTrunk(nn.Module):
    """The residual blocks of ResNet-18; all norms are conditioned.

    The paper changes ResNet-18 "to have task specific input layers before the residual blocks":
    here each task has the 7x7 convolution at half size. Where the features are finer than 1/32,
    the last stages dilate in place of striding, as the network's own do.

    Args:
        codes: How many codes there are; 0 for none.
        channels: Of the last map.
        stride: By how much it shrinks height and width: 8, 16 or 32.
        width: A factor on the channels of all other maps.
        over: What batch norm takes its statistics over.

    Raises:
        ValueError: where `stride` is no such number.

    Reference: MTPSL section 4 (its code for PASCAL was not released); He et al. 2016.
    """

    def __init__(
        self, *, codes: int, channels: int, stride: int, width: float, over: Statistics
    ) -> None:
        super().__init__()
        if stride not in (8, 16, 32):
            raise ValueError(
                f"a ResNet as mapping should make maps at 1/8, 1/16 or 1/32 of the size; found "
                f"1/{stride}, where the network has its own. Give `mapping=segnet`, or another "
                "`feature_stride` of the network."
            )
        self.over, self.norm_stride = over, stride
        planes = [scaled(c, width) for c in PLANES[:-1]] + [channels]
        self.first = planes[0]
        self.blocks = nn.ModuleList()
        channels_in, reached, dilation = planes[0], 4, 1
        for i, channels_out in enumerate(planes):
            step = 2 if i and reached < stride else 1
            dilation *= 1 if i == 0 or step == 2 else 2
            reached *= step
            for block in range(BLOCKS):
                self.blocks.append(
                    Block(
                        channels_in,
                        channels_out,
                        codes=codes,
                        over=over,
                        stride=step if block == 0 else 1,
                        dilation=dilation,
                    )
                )
                channels_in = channels_out

    def reader(self, channels_in: int) -> nn.Module:
        """The input layer of a task: a 7x7 convolution at half size."""
        conv = strided(channels_in, self.first, 7, stride=2, dilation=1)
        return Reader(conv, over=self.over)

    def start(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c hp wp"]:
        """The max-pool in front of the blocks."""
        return F.max_pool2d(x, 3, stride=2, padding=1)

    def parts(self) -> list[list[Callable[[Tensor, Tensor], Tensor]]]:
        """The blocks, stage by stage."""
        blocks = list(self.blocks)
        return [[*blocks[i : i + BLOCKS]] for i in range(0, len(blocks), BLOCKS)]


class Block(nn.Module):
    """Two 3x3 convolutions and a way around them."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        codes: int,
        over: Statistics,
        stride: int,
        dilation: int,
    ) -> None:
        super().__init__()
        self.conv1 = strided(channels_in, channels_out, 3, stride=stride, dilation=dilation)
        self.norm1 = ConditionedNorm(channels_out, codes, over=over)
        self.conv2 = strided(channels_out, channels_out, 3, stride=1, dilation=dilation)
        self.norm2 = ConditionedNorm(channels_out, codes, over=over)
        self.around: nn.Conv2d | None = None
        if stride > 1 or channels_in != channels_out:
            self.around = strided(channels_in, channels_out, 1, stride=stride, dilation=1)
            self.norm_around = ConditionedNorm(channels_out, codes, over=over)

    def forward(
        self, x: Float[Tensor, "m c h w"], code: Int[Tensor, " m"]
    ) -> Float[Tensor, "m d hs ws"]:
        """The residual block."""
        y = F.relu(self.norm1(self.conv1(x), code), inplace=True)
        y = self.norm2(self.conv2(y), code)
        if self.around is not None:
            x = self.norm_around(self.around(x), code)
        return F.relu(x + y, inplace=True)
