"""What weightings share that scale the losses and send their sum backwards."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtmodels.methods.terms import Terms
from mtmodels.weightings.base import Backward, Weighting


class TotalWeighting(Weighting):
    """One backward pass of one sum: the scaled terms of tasks, and the auxiliary ones as they are.

    An auxiliary term that a task owns has the factor of that task, without a say in it. A batch
    without any term (no valid label in it) has total 0 and sends nothing backwards.
    """

    @abstractmethod
    def scale(self, losses: Mapping[str, Tensor]) -> list[Tensor]:
        """What each task that is present adds to the total."""

    def backward(self, terms: Terms, shared: Sequence[nn.Parameter], backward: Backward) -> Tensor:
        """Send the total backwards; see `Weighting.backward`."""
        parts = self.scale(terms.tasks)  # first, as it may draw the factors of this step
        parts += self.auxiliary(terms)
        if not parts:
            return torch.zeros(())
        total = torch.stack(parts).sum()
        backward(total)
        return total.detach()
