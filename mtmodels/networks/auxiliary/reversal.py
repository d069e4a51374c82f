"""Reversal of gradients: what is behind it descends a loss, what is before it climbs."""

from typing import Any

import torch
from torch import Tensor


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return -gradient


def reverse_gradient(x: Tensor) -> Tensor:
    """The same values; on the way back the gradient changes its sign.

    One backward pass then gives two players of a game their gradients, as two would that update
    each with the other held still.

    Reference: Ganin and Lempitsky 2015.
    """
    reversed_: Tensor = _Reversal.apply(x)
    return reversed_
