"""The memory layout that a network trains in."""

import torch
from torch import nn

from mtmodels.fabric import Fabric

NARROW = 8


def memory_format(module: nn.Module, fabric: Fabric) -> torch.memory_format:
    """Channels last on cards and on processors that multiply bf16, contiguous elsewhere.

    In fp32 a processor gains nothing from channels-last (`python -m benchmarks.layout`), and
    contiguous tensors stay clear of a fault: oneDNN (as of torch 2.14, AVX2) writes out of bounds
    in the backward pass of a strided 1x1 convolution over fewer than 8 channels in channels-last,
    whatever the precision; narrow ResNets have one.

    Args:
        module: What trains or predicts.
        fabric: Device and precision.
    """
    if fabric.device.type != "cpu":
        return torch.channels_last
    halves = fabric.strategy.precision.precision != "32-true"
    if not halves or any(_breaks(layer) for layer in module.modules()):
        return torch.contiguous_format
    return torch.channels_last


def _breaks(layer: nn.Module) -> bool:
    return (
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and max(layer.stride) > 1
        and layer.in_channels < NARROW
    )
