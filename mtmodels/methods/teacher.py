"""A moving average of the weights teaches the tasks that an image does not show."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtmodels.methods.parts.teaching import Teaching, TeachingOptions
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network
from mtmodels.options import Share

FIRST_STEPS = 10
"""The average begins as the network itself: after n steps it keeps (1 + n) / (10 + n) at most."""


class TeacherOptions(TeachingOptions):
    """What a moving teacher can be told."""

    decay: Share = 0.99
    """How much of the teacher stays after a step."""
    begin: Share = 0.1
    """The share of the training before which nothing is taught."""
    ramp_up: Share = 0.3
    """The share of the training, from `begin` on, over which the weight rises from 0."""
    norms: Literal["batch", "running"] = "batch"
    """What batch norm of the teacher uses: statistics of the batch, or the running ones, which lag
    behind the weights of a short training."""

    def ramp(self, progress: float) -> float:
        """0 up to `begin`, then linearly to 1 over `ramp_up`."""
        if progress < self.begin:
            return 0.0
        return min(1.0, (progress - self.begin) / self.ramp_up) if self.ramp_up > 0 else 1.0


class Teacher(Teaching):
    """What an average of the weights over the steps says of one view is learnt in another.

    The teacher reads the first view and its mirror image; the mean of both is the target.

    Args:
        network: The network to train.
        options: Those of `TeacherOptions`.

    Raises:
        ValueError: for a value that cannot be.

    Reference: Tarvainen and Valpola 2017, "Mean teachers are better role models"; confidence after
    Sohn et al. 2020 (FixMatch); `mix` after French et al. 2020 and Olsson et al. 2021 (ClassMix).
    None of the papers that this package stands on has it.
    """

    options: TeacherOptions
    summary: ClassVar[str] = "a moving average of the weights teaches what an image does not show"
    reference: ClassVar[str] = "Tarvainen and Valpola 2017; Sohn et al. 2020; Olsson et al. 2021"
    minimum_views = 2
    default_views: ClassVar[int] = 2
    first_taught: ClassVar[int] = 1
    steps: Tensor

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.teacher = deepcopy(network).requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def train(self, mode: bool = True) -> "Teacher":
        """The teacher drops nothing, and normalises as `norms` says."""
        super().train(mode)
        self.teacher.eval()
        if mode and self.options.norms == "batch":
            for layer, own in zip(self.teacher.modules(), self.network.modules(), strict=True):
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.train(own.training)  # those that `freeze_norm` keeps are kept here too
        return self

    def say(self, image: Float[Tensor, "b 3 h w"]) -> Sequence[dict[str, Tensor]]:
        """What the average predicts."""
        return [self.teacher(image).predictions]

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and one a task that an image does not show."""
        if len(views) < 2:
            raise ValueError("`views` should have a second view for the teacher; found one.")
        return super().forward(views, progress=progress, rng=rng)

    def after_step(self, *, progress: float) -> None:
        """Average the weights; statistics of norms are those of the network, which lag enough."""
        # A tensor, so that no step waits for the device.
        kept = ((1 + self.steps) / (FIRST_STEPS + self.steps)).clamp(max=self.options.decay)
        self.steps += 1
        with torch.no_grad():
            for mean, now in zip(self.teacher.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, (1 - kept).to(mean))
            for own, value in zip(self.teacher.buffers(), self.network.buffers(), strict=True):
                own.copy_(value)
