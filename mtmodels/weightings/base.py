"""What every weighting promises: it owns the backward pass of a step."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from torch import Tensor, nn

from mtmodels.methods.terms import Terms

Backward = Callable[[Tensor], None]
"""How a scalar is sent backwards: `Fabric.backward`, or `Tensor.backward` in a test."""


class Weighting(nn.Module, ABC):
    """Turns the terms of a step into gradients.

    Args:
        tasks: Names of the tasks of the run.
    """

    summary: ClassVar[str]
    reference: ClassVar[str]

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self.tasks = tuple(tasks)

    @abstractmethod
    def backward(self, terms: Terms, shared: Sequence[nn.Parameter], backward: Backward) -> Tensor:
        """Send the gradients of a step backwards; returns the total, detached.

        Args:
            terms: What the method made; a task absent there takes no part.
            shared: `Network.shared_parameters()`.
            backward: How a scalar is sent backwards.
        """

    @abstractmethod
    def weights(self) -> dict[str, float]:
        """The factor on each task's loss now, for the log."""

    def end_epoch(self, means: Mapping[str, float]) -> None:
        """Take note of the mean loss of each task over the epoch that ended."""
