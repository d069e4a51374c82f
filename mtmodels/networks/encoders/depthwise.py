"""Depthwise convolutions on processors: in fp32 where all else is in bf16.

oneDNN (as of torch 2.14) has no fast kernel for many of their gradients in bf16: the gradient of a
5x5 kernel on a small map takes five times, that of the input of a strided one a hundred times what
it takes in fp32. They are a hundredth of the work and were half of the time of a step
(`python -m benchmarks.training.layout`).
"""

import torch
from torch import Tensor, nn

from mtmodels.late import COMPILER, imported
from mtmodels.networks.blocks import is_depthwise

with imported("timm", without=COMPILER):
    from timm.layers.conv2d_same import Conv2dSame


class _Single(nn.Conv2d):
    """Convolves in fp32 under the autocast of a processor; everywhere else as it is told."""

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.float())


class _SingleSame(_Single, Conv2dSame):
    pass


SINGLE: dict[type[nn.Module], type[_Single]] = {nn.Conv2d: _Single, Conv2dSame: _SingleSame}


def in_single_precision(module: nn.Module) -> None:
    """Make the depthwise convolutions of a module such ones, in place; its state stays the same."""
    for layer in module.modules():
        if is_depthwise(layer) and type(layer) in SINGLE:
            layer.__class__ = SINGLE[type(layer)]
