"""The trunk of the mapping network on NYUv2 and Cityscapes: the encoder of SegNet."""

import itertools
import math
from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from mtmodels.networks.auxiliary.conditioned import ConditionedNorm, Reader, Statistics
from mtmodels.networks.blocks import convolution, scaled
from mtmodels.networks.encoders.segnet_encoder import STAGES


class SegNetTrunk(nn.Module):
    """Thirteen convolutions in five stages, each with its conditioned norm and ReLU.

    Where the features are finer than those of SegNet, the last stages keep their size.

    Args:
        codes: How many codes there are; 0 for none.
        channels: Of the last map.
        stride: By how much it shrinks height and width: a power of 2 up to 32.
        width: A factor on the channels of all other maps.
        over: What batch norm takes its statistics over.

    Raises:
        ValueError: where `stride` is no such number.
    """

    def __init__(
        self, *, codes: int, channels: int, stride: int, width: float, over: Statistics
    ) -> None:
        super().__init__()
        if stride not in (1, 2, 4, 8, 16, 32):
            raise ValueError(f"`stride` should be a power of 2 up to 32; found {stride}.")
        # The last pool stands behind the last norm.
        self.over, self.norm_stride = over, min(stride, 16)
        inside = [scaled(c, width) for _, c in STAGES]
        self.first = inside[0]
        outputs = [*inside[:-1], channels]
        pools = int(math.log2(stride))
        self.stages = nn.ModuleList(
            Stage([start, *[within] * (count - 1), end], codes=codes, over=over, pool=i < pools)
            for i, (start, within, end, (count, _)) in enumerate(
                zip([inside[0], *outputs[:-1]], inside, outputs, STAGES, strict=True)
            )
        )

    def reader(self, channels_in: int) -> nn.Module:
        """The input layer of a task: a 3x3 convolution."""
        return Reader(convolution(channels_in, self.first, bias=True), over=self.over)

    def start(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """The first convolution, which no code has a part in."""
        first = self.stages[0]
        assert isinstance(first, Stage)
        return first.start(x)

    def parts(self) -> list[list[Callable[[Tensor, Tensor], Tensor]]]:
        """What follows, stage by stage."""
        first, *others = [stage for stage in self.stages if isinstance(stage, Stage)]
        parts: list[Callable[[Tensor, Tensor], Tensor]] = [first.rest, *others]
        return [[part] for part in parts]


class Stage(nn.Module):
    """Convolutions, each with its conditioned norm and ReLU, then a 2x2 max-pool."""

    def __init__(self, widths: list[int], *, codes: int, over: Statistics, pool: bool) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            convolution(a, b, bias=True) for a, b in itertools.pairwise(widths)
        )
        self.norms = nn.ModuleList(ConditionedNorm(c, codes, over=over) for c in widths[1:])
        self.pool = pool

    def start(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d h w"]:
        """The first convolution."""
        result: Tensor = self.convs[0](x)
        return result

    def rest(
        self, x: Float[Tensor, "m d h w"], code: Int[Tensor, " m"]
    ) -> Float[Tensor, "m e hp wp"]:
        """All behind the first convolution."""
        for i, norm in enumerate(self.norms):
            x = F.relu(norm(self.convs[i](x) if i else x, code), inplace=True)
        return F.max_pool2d(x, 2) if self.pool else x

    def forward(
        self, x: Float[Tensor, "m c h w"], code: Int[Tensor, " m"]
    ) -> Float[Tensor, "m e hp wp"]:
        """The whole stage."""
        return self.rest(self.start(x), code)
