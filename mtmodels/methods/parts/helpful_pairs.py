"""Which ordered pairs of tasks help: what held-out labels say of their gradients."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from mtdata.reading.batch import Batch
from mtmodels import processes
from mtmodels.methods.base import Finding
from mtmodels.methods.parts.pairs import Pair, pair_code
from mtmodels.methods.parts.supervision import Supervision
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network
from mtmodels.options import CountsWith, Options, Positive, Share

Ends = tuple[str, str]
"""Source and target of a pair, whatever the image."""
HELPFUL = CountsWith("helpful_pairs", bool, "helpful_pairs: true")


class HelpfulPairOptions(Options):
    """Which of the ordered pairs of tasks are kept, by what held-out labels say of them."""

    helpful_pairs: bool = False
    """Whether a pair rests while its gradient disagrees with that of held-out labels; with
    `--holdout` alone."""
    helpful_every: Annotated[Positive, HELPFUL] = 200
    """Steps from one look at held-out labels to the next."""
    helpful_batches: Annotated[Positive, HELPFUL] = 4
    """Held-out batches a look."""
    helpful_memory: Annotated[Share, HELPFUL] = 0.7
    """How much of the running mean stays at a look."""
    helpful_threshold: Annotated[float, Field(ge=-1, le=1), HELPFUL] = 0.0
    """The running mean of the cosine below which a pair rests."""


class HelpfulPairs(nn.Module):
    """Remembers how each ordered pair agrees with held-out labels, and which of them go on.

    The agreement of a pair is the cosine between the gradient of its consistency and that of the
    supervised loss of held-out images, by the parameters that all tasks share: above 0 where a step
    against the one lowers the other. A running mean of it decides. A pair that rests is still
    asked, and may come back; one that was never asked goes on.

    Args:
        tasks: The tasks, in order.
        options: How much is remembered, and what is enough.
    """

    agreement: Tensor
    asked: Tensor

    def __init__(self, tasks: Sequence[str], options: HelpfulPairOptions) -> None:
        super().__init__()
        self.tasks, self.options = tuple(tasks), options
        self.names = [(s, t) for s in tasks for t in tasks if s != t]
        self.register_buffer("agreement", torch.zeros(len(self.names)))
        self.register_buffer("asked", torch.zeros(len(self.names), dtype=torch.int64))

    def take(self, found: Mapping[Ends, Tensor]) -> Finding:
        """Take in the cosines of the pairs that a look could ask.

        Args:
            found: By source and target.
        """
        memory = self.options.helpful_memory
        for (source, target), cosine in found.items():
            at = pair_code(source, target, self.tasks)
            before = cosine if self.asked[at] == 0 else self.agreement[at]
            self.agreement[at] = memory * before + (1 - memory) * cosine
            self.asked[at] += 1
        known = zip(self.names, self.agreement.tolist(), self.asked.tolist(), strict=True)
        agreement = {ends: value for ends, value, asked in known if asked}
        rests = self._resting()
        return Finding(
            cosine={_name(ends): float(value) for ends, value in found.items()},
            agreement={_name(ends): value for ends, value in agreement.items()},
            kept={_name(ends): ends not in rests for ends in agreement},
            threshold=self.options.helpful_threshold,
        )

    def kept(self, pairs: Sequence[Pair]) -> list[Pair]:
        """Those of some pairs that do not rest."""
        rests = self._resting()
        return [pair for pair in pairs if (pair.source, pair.target) not in rests]

    def _resting(self) -> set[Ends]:
        low = (self.agreement < self.options.helpful_threshold) & (self.asked > 0)
        return {ends for ends, rests in zip(self.names, low.tolist(), strict=True) if rests}


def label_gradient(
    network: Network, supervision: Supervision, held: Sequence[Batch]
) -> Float[Tensor, " n"] | None:
    """The gradient of the labels of some batches by what all tasks share, their mean.

    Nothing is dropped: pairs are compared with what the labels say, and not with a draw of it,
    which each process would have another of.

    Args:
        network: What predicts.
        supervision: What compares predictions with labels.
        held: The batches, as they are; one that shows no label does not count.

    Returns:
        None where no batch shows a label.
    """
    shared, found = shared_by_tasks(network), []
    for views in map(Views, held):
        with _undropped(network):
            terms = supervision.terms(views, views.predict(network)).tasks
        if terms:
            found.append(gradient(torch.stack(list(terms.values())).sum(), shared))
    return torch.stack(found).mean(0) if found else None


def shared_by_tasks(network: Network) -> list[nn.Parameter]:
    """What all tasks share: the parameters whose name has no task as a part."""
    tasks = {task.name for task in network.tasks}
    named = network.named_parameters()
    return [p for name, p in named if p.requires_grad and not tasks & set(name.split("."))]


def gradient(
    loss: Tensor, parameters: Sequence[nn.Parameter], *, again: bool = False
) -> Float[Tensor, " n"]:
    """Of a loss by some parameters, as one vector; 0 where it does not depend on them.

    Args:
        loss: A scalar.
        parameters: What to derive by.
        again: Whether another gradient is taken of what the loss was computed from.
    """
    if not loss.requires_grad:
        return torch.cat([torch.zeros_like(p).flatten() for p in parameters])
    found = torch.autograd.grad(loss, parameters, retain_graph=again, allow_unused=True)
    both = zip(parameters, found, strict=True)
    return torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in both])


def summed_pairs(
    found: Mapping[Ends, Float[Tensor, " n"]], shared: Sequence[nn.Parameter]
) -> dict[Ends, Float[Tensor, " n"]]:
    """The gradient of each pair over the parts of a step that all processes have.

    Args:
        found: Of the part of this one; a pair that it lacks another one may have.
        shared: What these are gradients by.
    """
    told = processes.gathered(list(found))
    none = torch.cat([torch.zeros_like(p).flatten() for p in shared])
    every = dict.fromkeys(ends for of_one in told for ends in of_one)
    return {ends: processes.summed(found.get(ends, none)) for ends in every}


def cosine(a: Float[Tensor, " n"], b: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Of the angle between two gradients; 0 where one of them is."""
    # In double precision: the squares of millions of small numbers are summed.
    a, b = (F.normalize(x.double(), dim=0, eps=torch.finfo(torch.float64).tiny) for x in (a, b))
    return a @ b


@contextmanager
def _undropped(module: nn.Module) -> Iterator[None]:
    """Drop nothing; norms stay in the mode that they are in."""
    drops = [one for one in module.modules() if isinstance(one, _DropoutNd) and one.training]
    try:
        for one in drops:
            one.eval()
        yield
    finally:
        for one in drops:
            one.train()


@contextmanager
def left_as_it_is(module: nn.Module) -> Iterator[None]:
    """Bring the buffers of a module, the statistics of its norms, back to what they were."""
    before = {name: buffer.clone() for name, buffer in module.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in module.named_buffers():
                buffer.copy_(before[name])


def _name(ends: Ends) -> str:
    """The name of a pair in the log."""
    return f"{ends[0]}_with_{ends[1]}"
