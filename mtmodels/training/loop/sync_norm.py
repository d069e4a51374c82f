"""Batch norm over the images of all processes, on processors as on cards.

torch has one for cards alone. A norm is said to all in the forward and in the backward pass, so
every process has to run it: this is for the network, whose predictions all of them make.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm

from mtmodels import processes

TIMMS = "BatchNormAct2d"
"""A class of timm, which few runs need: `nn.BatchNorm2d` with its children behind it."""


class SyncNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d`, with statistics of the images of all processes while it trains.

    Its children follow it: the `drop` and `act` that a norm of timm has behind itself.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise; in evaluation, and in one process, as `nn.BatchNorm2d` does."""
        apart = not self.training or processes.count() == 1
        out = super().forward(input) if apart else self._over_all(input)
        for following in self.children():
            out = following(out)
        return out

    def _over_all(self, input: Tensor) -> Tensor:
        """Normalise by the images of all processes."""
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        # Around the mean of all, as the mean of squares less a square would lose digits.
        mean = _mean(x)
        variance = _mean((x - mean).square())
        if self.running_mean is not None and self.running_var is not None:
            self._note(mean.detach(), variance.detach(), x.numel() // x.shape[1])
        out = (x - mean) * (variance + self.eps).rsqrt()
        if self.weight is not None:
            out = out * self.weight[:, None, None] + self.bias[:, None, None]
        return out.to(input.dtype)

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor, values: int) -> None:
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        count = values * processes.count()
        for known, now in (
            (self.running_mean, mean),
            (self.running_var, variance * (count / max(count - 1, 1))),
        ):
            assert known is not None
            known.lerp_(now.flatten().to(known.dtype), share)


def _mean(x: Tensor) -> Tensor:
    """Of each channel, over the parts of one size that all processes have [1, c, 1, 1]."""
    own = x.mean((0, 2, 3), keepdim=True)
    total: Tensor = _Sum.apply(own)
    return total / processes.count()


class _Sum(torch.autograd.Function):
    """The sum over the processes; each gets the gradients of all of them."""

    @staticmethod
    def forward(ctx: FunctionCtx, own: Tensor) -> Tensor:
        return processes.summed(own)

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> Tensor:
        return processes.summed(gradients[0].contiguous())


def synchronise(network: nn.Module) -> None:
    """Put a norm over all processes in the place of each batch norm, with its parameters.

    Raises:
        ValueError: for a batch norm of which it is not known what else it does.
    """
    for module in list(network.modules()):
        for name, norm in module.named_children():
            if not isinstance(norm, _BatchNorm):
                continue
            if type(norm) is not nn.BatchNorm2d and type(norm).__name__ != TIMMS:
                raise ValueError(
                    "batch norms should be `torch.nn.BatchNorm2d` to be over all processes; found "
                    f"{type(norm).__name__}. Leave --sync-norm out, or choose another --network or "
                    "--encoder."
                )
            setattr(module, name, _like(norm))


def _like(norm: _BatchNorm) -> SyncNorm:
    made = SyncNorm(
        norm.num_features,
        eps=norm.eps,
        momentum=norm.momentum,
        affine=norm.affine,
        track_running_stats=norm.track_running_stats,
    )
    made.train(norm.training)
    for family in ("_parameters", "_buffers", "_modules"):
        getattr(made, family).update(getattr(norm, family))
    return made


def reaching(total: Tensor, predictions: Iterable[Tensor]) -> Tensor:
    """A total whose backward pass goes through all predictions, whatever it is made of.

    Where a part of a batch shows no label of a task, nothing would ask for the gradient of its
    norms, and the other processes would wait for it.
    """
    for prediction in predictions:
        total = total + 0 * prediction.sum().to(total)
    return total
