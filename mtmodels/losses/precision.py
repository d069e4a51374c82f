"""Losses are computed in single precision or better, whatever the network ran in."""

import torch
from torch import Tensor


def at_least_single(value: Tensor) -> Tensor:
    """The value in float32 where it is an integer or a half; float64 stays float64."""
    return value.to(torch.promote_types(value.dtype, torch.float32))
