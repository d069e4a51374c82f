"""The memory layout that a network trains in."""

import torch
from torch import nn

from mtmodels.fabric import Fabric
from mtmodels.networks.blocks import is_depthwise

NARROW = 16


def memory_format(module: nn.Module, fabric: Fabric) -> torch.memory_format:
    """Channels last on cards, and on processors where they pay; contiguous elsewhere.

    They pay where a processor multiplies bf16, and in fp32 for networks with depthwise convolutions
    (`python -m benchmarks.layout`). Contiguous tensors stay clear of a fault: oneDNN (as of torch
    2.14) writes out of bounds in the backward pass of a strided 1x1 convolution over fewer channels
    than a vector holds (8 with AVX2, 16 with AVX-512) in channels-last, whatever the precision;
    narrow ResNets have one.

    Args:
        module: What trains or predicts.
        fabric: Device and precision.
    """
    if fabric.device.type != "cpu":
        return torch.channels_last
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    halves = fabric.strategy.precision.precision != "32-true"
    pays = halves or any(map(is_depthwise, layers))
    if not pays or any(map(_breaks, layers)):
        return torch.contiguous_format
    return torch.channels_last


def _breaks(layer: nn.Conv2d) -> bool:
    return layer.kernel_size == (1, 1) and max(layer.stride) > 1 and layer.in_channels < NARROW
