"""GradNorm: weights that make all tasks pull alike at the last layer that they share."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mtmodels import processes
from mtmodels.methods.base import ParameterGroup
from mtmodels.methods.terms import Terms
from mtmodels.options import Factor, Options, Weight
from mtmodels.weightings.base import Backward, Weighting


class GradNormOptions(Options):
    """What GradNorm can be told."""

    alpha: Weight = 1.5
    """How much harder a task pulls that learns slowly: 1.5 in the scripts of MTPSL, 0.12 in those
    of KD4MTL, 0.16 in XTasC-Net's."""
    rate: Factor = 1e-4
    """The learning rate of the weights: as released, that of the network."""


class GradNorm(Weighting):
    """sum of w_t L_t, where w_t learns so that |w_t dL_t/dW| becomes mean times r_t^alpha.

    W is the last layer that all tasks share, r_t = (l_t / l_t at first) over its mean, l_t being
    L_t over the number of images that show the task: how many of the first batch did is chance,
    and would stay in r_t for ever. Tasks that are absent from a batch are in no mean, and their
    weights stay: after a step the weights of those that were present are scaled to the sum that
    they had, so that all have K in sum. "At first" is the first batch in which the loss of the task
    was above 0; before it l_t / l_t at first is 1.

    Args:
        tasks: Names of the tasks of the run.
        options: Those of `GradNormOptions`.

    Reference: Chen et al. 2018, "GradNorm", equations 1 and 2.
    Differs from the code released with XTasC-Net, where "at first" moves on through the first
    epoch, and the ratio is 1 until it ends; and from KD4MTL's, where W is the map that this layer
    makes.
    """

    options: GradNormOptions
    summary: ClassVar[str] = "weights by which all tasks pull alike at the last shared layer"
    reference: ClassVar[str] = "Chen et al. 2018; compared with in XTasC-Net and MTPSL"
    averages: ClassVar[bool] = True
    takes_gradients: ClassVar[bool] = True
    needs_shared: bool = True
    first: Tensor
    moved: Tensor
    kept: Tensor

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks, **options)
        # By name only: a ParameterDict has an order of its own.
        self.learnt = nn.ParameterDict({t: nn.Parameter(torch.tensor(1.0)) for t in self.tasks})
        self.register_buffer("first", torch.full((len(self.tasks),), math.nan))
        # Of the last step: which weights it could move, and what they had in sum before.
        self.register_buffer("moved", torch.zeros(len(self.tasks), dtype=torch.bool))
        self.register_buffer("kept", torch.tensor(0.0))

    def backward(self, terms: Terms, shared: Sequence[nn.Parameter], backward: Backward) -> Tensor:
        """Send the total backwards, and to the weights what they should learn."""
        self._rescale()
        losses = [*terms.tasks.values()]
        of_image = {t: loss.detach().float() / _shown(terms, t) for t, loss in terms.tasks.items()}
        self._note_first(of_image)
        factors = {t: weight.detach() for t, weight in self.learnt.items()}
        parts = [factors[t] * loss for t, loss in terms.tasks.items()]
        parts += self.auxiliary(terms)
        if not parts:
            return torch.zeros(())
        total = torch.stack(parts).sum()
        if len(losses) > 1 and shared:
            total = total + self._balance(of_image, losses, shared)
        backward(total)
        return torch.stack(parts).sum().detach()

    def weights(self) -> dict[str, float]:
        """K in sum, but for what the last step moved."""
        return {t: w.item() for t, w in self._scaled().items()}

    def parameter_groups(self) -> list[ParameterGroup]:
        """The weights, with a rate of their own."""
        group = list(self.learnt.values())
        return [ParameterGroup(group, rate=self.options.rate, weight_decay=0.0)]

    def _note_first(self, losses: Mapping[str, Tensor]) -> None:
        for name, loss in losses.items():
            i = self.tasks.index(name)
            begins = self.first[i].isnan() & (loss > 0)
            self.first[i] = torch.where(begins, loss, self.first[i])

    def _balance(
        self,
        of_image: Mapping[str, Tensor],
        losses: Sequence[Tensor],
        shared: Sequence[nn.Parameter],
    ) -> Tensor:
        """What moves the weights; its value is 0, its gradient that of the sum of distances."""
        norms = torch.stack([_norm(loss, shared) for loss in losses])
        index = [self.tasks.index(name) for name in of_image]
        first, last = self.first[index], torch.stack([*of_image.values()])
        ratios = torch.where(first.isnan(), torch.ones_like(last), last / first.clamp(min=1e-12))
        slowness = ratios / ratios.mean().clamp(min=1e-12)
        weights = torch.stack([self.learnt[name] for name in of_image])
        pulls = weights * norms
        target = pulls.detach().mean() * slowness**self.options.alpha
        self.moved.zero_()
        self.moved[index] = True
        self.kept = weights.detach().sum()
        distance = (pulls - target).abs().sum()
        return distance - distance.detach()

    def _scaled(self) -> dict[str, Tensor]:
        """The weights, those that the last step moved with the sum that they had."""
        weights = torch.stack([self.learnt[t].detach() for t in self.tasks]).clamp(min=1e-6)
        if self.moved.any():
            factor = self.kept / weights[self.moved].sum()
            weights = torch.where(self.moved, weights * factor, weights)
        return dict(zip(self.tasks, weights, strict=True))

    @torch.no_grad()
    def _rescale(self) -> None:
        for name, weight in self._scaled().items():
            self.learnt[name].copy_(weight)
        self.moved.zero_()


def _shown(terms: Terms, task: str) -> Tensor:
    """How many images show a task; 1 where none does, and a term that it has is of something else.

    It may be less than 1, of a pasted part of a label.
    """
    images = terms.images.get(task, torch.ones(()))
    return images.where(images > 0, 1)


def _norm(loss: Tensor, shared: Sequence[nn.Parameter]) -> Tensor:
    """The length of the gradient of a loss on the shared layer."""
    found = torch.autograd.grad(loss, list(shared), retain_graph=True, allow_unused=True)
    given: dict[Tensor, Tensor] = {
        p: g for p, g in zip(shared, found, strict=True) if g is not None
    }
    reached = [g.float().norm() for g in processes.averaged(shared, given).values()]
    return torch.stack(reached).norm() if reached else torch.zeros(())
