"""The memory layout that a network trains in."""

import torch
from torch import nn

NARROW = 8


def memory_format(module: nn.Module, device: torch.device) -> torch.memory_format:
    """Channels last, which is faster, unless the processor's kernels break on it.

    oneDNN (as of torch 2.14, AVX2) writes out of bounds in the backward pass of a strided 1x1
    convolution over fewer than 8 channels in this layout; narrow ResNets have one.
    """
    if device.type == "cpu" and any(_breaks(layer) for layer in module.modules()):
        return torch.contiguous_format
    return torch.channels_last


def _breaks(layer: nn.Module) -> bool:
    return (
        isinstance(layer, nn.Conv2d)
        and layer.kernel_size == (1, 1)
        and max(layer.stride) > 1
        and layer.in_channels < NARROW
    )
