"""Layers that several networks are made of."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def scaled(channels: int, width: float) -> int:
    """A number of channels times the width of a network, at least 1."""
    return max(1, round(channels * width))


class Predicting(nn.Conv2d):
    """The convolution that predicts: in the precision of its weights, whatever the rest has.

    bfloat16 knows 3 m to a centimetre. What is known of a depth would be rounded by that before a
    loss, a score or the normals of a plane see it.
    """

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """The convolution."""
        kind = x.device.type
        if x.dtype == self.weight.dtype and not torch.is_autocast_enabled(kind):
            return super().forward(x)
        with torch.autocast(kind, enabled=False):
            return super().forward(x.to(self.weight.dtype))


def convolution(
    channels_in: int,
    channels_out: int,
    *,
    size: int = 3,
    bias: bool,
    layer: type[nn.Conv2d] = nn.Conv2d,
) -> nn.Conv2d:
    """A convolution that keeps height and width; weights Xavier-normal, bias zero."""
    made = layer(channels_in, channels_out, size, padding=size // 2, bias=bias)
    nn.init.xavier_normal_(made.weight)
    if made.bias is not None:
        nn.init.zeros_(made.bias)
    return made


def is_depthwise(layer: nn.Module) -> bool:
    """Whether it is a convolution of which each output channel sees one input channel."""
    return isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels > 1


def start_uniform(*networks: nn.Module) -> None:
    """Draw the weights of their convolutions anew: Xavier-uniform, in place of Xavier-normal."""
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)


def normalised_block(channels_in: int, channels_out: int, *, count: int) -> nn.Sequential:
    """`count` times 3x3 convolution (with bias), batch norm, ReLU."""
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += [
            convolution(channels_in, channels_out, bias=True),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        ]
        channels_in = channels_out
    return nn.Sequential(*layers)


def last_convolution(module: nn.Module) -> nn.Conv2d:
    """The convolution that was added to a module last."""
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)][-1]


def upsample(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Magnify to twice the size by bilinear interpolation, corner on corner."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)


def magnify(x: Float[Tensor, "b c h w"], size: torch.Size) -> Float[Tensor, "b c h2 w2"]:
    """Bilinear interpolation to a size, pixel areas aligned."""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
