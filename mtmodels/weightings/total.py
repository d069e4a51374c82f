"""What weightings share that scale the losses and send their sum backwards."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from mtmodels.methods.terms import Terms, joined
from mtmodels.weightings.base import Backward, Weighting


class TotalWeighting(Weighting):
    """One backward pass of one sum: the scaled terms of tasks, and the auxiliary ones as they are.

    An auxiliary term that a task owns has the factor of that task, without a say in it. A batch
    without any term (no valid label in it) has total 0 and sends nothing backwards.

    Of a batch in parts the gradients add up to those of the whole, also for what is learnt here and
    whatever tasks each part shows. So `scale` can see `parts`, how many there are, and `earlier`,
    the sum of the losses of each task in those before.

    Args:
        tasks: Names of the tasks of the run.
        options: The member's own.
    """

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks, **options)
        self.begin_step(1)

    def begin_step(self, parts: int) -> None:
        """Forget the parts of the step before; see `Weighting.begin_step`."""
        self.parts = parts
        self.earlier: dict[str, Tensor] = {}
        self._waiting: dict[str, Tensor] = {}

    @abstractmethod
    def scale(self, losses: Mapping[str, Tensor]) -> list[Tensor]:
        """What each task that is present adds to the total."""

    def backward(self, terms: Terms, shared: Sequence[nn.Parameter], backward: Backward) -> Tensor:
        """Send the total backwards; see `Weighting.backward`."""
        if self.parts > 1:
            terms = self._joined(terms)
        sent = self.scale(terms.tasks)  # first, as it may draw the factors of this step
        sent += self.auxiliary(terms)
        if not sent:
            return torch.zeros(())
        total = torch.stack(sent).sum()
        backward(total)
        if self.parts > 1:
            for task, loss in terms.tasks.items():
                self.earlier[task] = self.earlier.get(task, 0) + loss.detach()
        return total.detach()

    def _joined(self, terms: Terms) -> Terms:
        """The terms of a part, with what a task owns in its term if any part shows the task.

        So it is in a batch as a whole. What was sent before the task came is in its term for what
        is learnt from that, and is taken off the total again.
        """
        tasks, auxiliary, owners = joined(
            terms.tasks, terms.auxiliary, terms.owners, shown=self.earlier
        )
        for name, task in owners.items():
            self._waiting[task] = self._waiting.get(task, 0) + auxiliary[name].detach()
        for task in [task for task in self._waiting if task in tasks]:
            sent = self._waiting.pop(task)
            tasks[task] = tasks[task] + sent
            auxiliary[f"{task}/sent"], owners[f"{task}/sent"] = -sent, task
        return replace(terms, tasks=tasks, auxiliary=auxiliary, owners=owners)
