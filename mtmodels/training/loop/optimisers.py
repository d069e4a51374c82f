"""Optimisers: what makes a step of a gradient."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

import torch
from pydantic import BeforeValidator, Field

from mtmodels.options import Options, Weight, as_tuple

Decay = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[tuple[Decay, Decay], BeforeValidator(as_tuple)]
Kind = TypeVar("Kind", bound=type[torch.optim.Optimizer])

DECORATED = ("add_param_group", "load_state_dict", "state_dict", "step", "zero_grad")
"""The methods of an optimiser that import the compiler of torch."""


class Optimiser(Options, ABC):
    """Makes an optimiser of torch; its fields are its options.

    What a group of parameters says of itself (`weight_decay`) stands above them.
    """

    summary: ClassVar[str]
    bounded: ClassVar[bool] = False
    """Whether a step moves a parameter by about its rate at most, however large the gradient."""

    decays: Literal["all", "weights"] = "all"
    """What weight decay holds for: `all` parameters, as released with the papers, or `weights`
    alone, and neither biases nor the factors of norms."""

    @abstractmethod
    def make(
        self, groups: Iterable[dict[str, Any]], *, lr: float, fused: bool
    ) -> torch.optim.Optimizer:
        """Make it.

        Args:
            groups: Groups of parameters, as torch takes them.
            lr: The learning rate.
            fused: Whether to update all parameters in one call, where the optimiser can.
        """


class Adam(Optimiser):
    """Adam (Kingma and Ba 2015) with the betas that the released code of the papers has."""

    summary: ClassVar[str] = "Adam"
    bounded: ClassVar[bool] = True

    betas: Betas = (0.9, 0.99)
    """How much of the running means of gradient and square stays after a step."""
    weight_decay: Weight = 0.0
    """A factor on the weights that is added to their gradient."""

    def make(
        self, groups: Iterable[dict[str, Any]], *, lr: float, fused: bool
    ) -> torch.optim.Optimizer:
        """Make `torch.optim.Adam`."""
        return light(torch.optim.Adam)(
            groups, lr=lr, betas=self.betas, weight_decay=self.weight_decay, fused=fused
        )


class AdamW(Optimiser):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    summary: ClassVar[str] = "Adam with decoupled weight decay"
    bounded: ClassVar[bool] = True

    betas: Betas = (0.9, 0.999)
    """How much of the running means of gradient and square stays after a step."""
    weight_decay: Weight = 0.01
    """The share of a weight that a step takes off, times the learning rate."""

    def make(
        self, groups: Iterable[dict[str, Any]], *, lr: float, fused: bool
    ) -> torch.optim.Optimizer:
        """Make `torch.optim.AdamW`."""
        return light(torch.optim.AdamW)(
            groups, lr=lr, betas=self.betas, weight_decay=self.weight_decay, fused=fused
        )


class SGD(Optimiser):
    """Stochastic gradient descent with momentum."""

    summary: ClassVar[str] = "stochastic gradient descent with momentum"

    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """How much of the last step stays in the next."""
    nesterov: bool = False
    """Whether the gradient is taken where the momentum leads to."""
    weight_decay: Weight = 0.0
    """A factor on the weights that is added to their gradient."""

    def make(
        self, groups: Iterable[dict[str, Any]], *, lr: float, fused: bool
    ) -> torch.optim.Optimizer:
        """Make `torch.optim.SGD`; never fused.

        The fused one (as of torch 2.14) fails where a parameter has its first gradient later than
        others, as the head of a task has that the first batches do not show.

        Raises:
            ValueError: for `nesterov` without momentum.
        """
        if self.nesterov and not self.momentum:
            raise ValueError("`nesterov` should go with a `momentum` above 0; found 0.")
        return light(torch.optim.SGD)(
            groups,
            lr=lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
        )


def light(kind: Kind) -> Kind:
    """An optimiser of torch that does not import torch's compiler, which takes 1.4 s of a core.

    Some of its methods import it on their first call, to tell it that it leaves them alone where
    it compiles what calls them. Nothing does that here (`loop/compiling.py` compiles networks), so
    they are what stands behind that. A method that a later torch wraps in another way is left as
    it is.
    """
    methods = {name: _bare(getattr(kind, name)) for name in DECORATED}
    methods["step"] = torch.no_grad()(methods["step"])
    return cast(Kind, type(kind.__name__, (kind,), methods))


def _bare(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method without what torch wraps it in for its compiler, and nothing else."""
    wrappers = {("torch._compile", "inner"), ("torch.optim.optimizer", "_use_grad")}

    def other(function: Callable[..., Any]) -> bool:
        return (function.__globals__["__name__"], function.__code__.co_name) not in wrappers

    bare: Callable[..., Any] = inspect.unwrap(method, stop=other)
    return bare
