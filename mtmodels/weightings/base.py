"""What every weighting promises: it owns the backward pass of a step."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mtmodels.methods.base import ParameterGroup, learning
from mtmodels.methods.terms import Terms
from mtmodels.options import Options, options_class

Backward = Callable[[Tensor], None]
"""How a scalar is sent backwards: `Fabric.backward`, or `Tensor.backward` in a test."""
Gradients = dict[Tensor, Tensor]
"""The gradients of one loss, by the parameters that it reaches."""


@dataclass(frozen=True)
class EpochStatistics:
    """Of the terms of the tasks, over the steps of an epoch that had them.

    Each is divided by the number of images that show the task (`Terms.images`): how many of a batch
    do is chance, which would be most of the variance.

    Args:
        means: Mean of each task.
        variances: Its variance, divided by the number of steps.
        steps: How many steps had each task.
    """

    means: Mapping[str, float]
    variances: Mapping[str, float]
    steps: Mapping[str, int]


class Weighting(nn.Module, ABC):
    """Turns the terms of a step into gradients.

    Args:
        tasks: Names of the tasks of the run.
        options: The fields of what `options` is declared as.

    Raises:
        ValueError: where an option cannot be.
    """

    options: Options

    summary: ClassVar[str]
    reference: ClassVar[str]
    adds_up: ClassVar[bool] = False
    """Whether gradients of the parts of a batch may be added: it weighs by nothing that only the
    whole batch shows, such as the gradients of tasks. What it does once a step, it does so by
    `begin_step`."""
    averages: ClassVar[bool] = False
    """Whether what it measures of gradients is of the whole batch where several processes have a
    part of it each: `mtmodels.processes` gives the means. What `adds_up` needs none."""
    takes_gradients: ClassVar[bool] = False
    """Whether it asks for the gradients of single terms, which the loss scale of fp16 is not in."""
    needs_shared: bool = False
    """Whether it measures gradients on the last layer that all tasks share."""
    needs_maps: bool = False
    """Whether it measures gradients on maps within the network; a compiled one has none."""
    needs_own: ClassVar[bool] = False
    """Whether it measures gradients on the first layer that each task has for itself."""

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__()
        self.options = options_class(type(self)).read(options)
        self.tasks = tuple(tasks)
        self.order: Sequence[nn.Parameter] = ()
        """All that learns, in one order in all processes; empty before the first step."""
        self.compiled: frozenset[Tensor] = frozenset()
        """What tasks have for themselves of a network that runs compiled: such a parameter has a
        gradient of 0 where a plain one has None. What all share is reached by every term."""

    @abstractmethod
    def backward(self, terms: Terms, shared: Sequence[nn.Parameter], backward: Backward) -> Tensor:
        """Send the gradients of a step backwards; returns the total, detached.

        Args:
            terms: What the method made; a task absent there takes no part, but for the auxiliary
                terms that it owns (`Terms.owners`), which have its factor of now, or the last one.
            shared: `Network.shared_parameters()`.
            backward: How a scalar is sent backwards.
        """

    @abstractmethod
    def weights(self) -> dict[str, float]:
        """The factor on each task's loss now, for the log."""

    def auxiliary(self, terms: Terms) -> list[Tensor]:
        """The terms of no task as they are; those that a task owns with its factor, a constant."""
        factors = self.weights() if terms.owners else {}
        owners = terms.owners
        return [factors.get(owners.get(n, ""), 1.0) * t for n, t in terms.auxiliary.items()]

    def watch(self, network: nn.Module, shared: Sequence[nn.Parameter]) -> None:
        """Look at the network once, before the first step: a hook may be set there.

        Args:
            network: What the method trains.
            shared: `Network.shared_parameters()`.
        """
        return  # most weightings see terms alone

    def begin_step(self, parts: int) -> None:
        """Know that a batch comes in so many parts, each of whose gradients counts 1 / `parts`."""
        return  # most weigh each part by itself

    def end_epoch(self, statistics: EpochStatistics) -> None:
        """Take note of the losses of the epoch that ended."""
        return  # most weightings have no history

    def idle(self, *, epochs: int, steps: int) -> Iterator[str]:
        """Say what of it does nothing in a run so long, in a sentence each.

        Args:
            epochs: Of the run.
            steps: Of an epoch.
        """
        return iter(())

    def parameter_groups(self) -> list[ParameterGroup]:
        """What learns here, with a rate of its own where that is wanted; no factor decays to 0."""
        return [ParameterGroup(learning(self), weight_decay=0.0)] if learning(self) else []


def reached(row: Gradients, compiled: Set[Tensor]) -> Gradients:
    """The gradients without those that are 0 throughout, which is how a compiled network says none.

    Args:
        row: Of one device; they go over it in one pass, and to the processor in one message.
        compiled: The parameters of that network; all others have None where they have none.
    """
    doubtful = [parameter for parameter in row if parameter in compiled]
    if not doubtful:
        return row
    largest = torch._foreach_norm([row[parameter] for parameter in doubtful], math.inf)
    is_none = (torch.stack(largest) == 0).tolist()
    none = {parameter for parameter, is_none in zip(doubtful, is_none, strict=True) if is_none}
    return {parameter: grad for parameter, grad in row.items() if parameter not in none}
