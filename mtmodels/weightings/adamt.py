"""The weighting of AdaMT-Net: by how much each task would move the first layer of its decoder."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mtmodels.methods.terms import Terms
from mtmodels.networks.base import Network
from mtmodels.weightings.aggregation import as_scalar, combined, task_gradients
from mtmodels.weightings.base import Backward, Gradients, Weighting


class AdaMT(Weighting):
    """What is shared gets sum of m_t g_t over sum of m, and a task's own layers its gradient.

    m_t is the mean size of the gradient of L_t on the weights of the first convolution that task t
    has for itself; both sums go over the tasks of the batch.

    Args:
        tasks: Names of the tasks of the run.

    Reference: Jha et al. 2020, "AdaMT-Net", as the code released with XTasC-Net repeats it.
    Differs from that code where the gradient of the second task holds that of the first, and m of
    the first task scales all decoders.
    """

    averages: ClassVar[bool] = True
    takes_gradients: ClassVar[bool] = True
    needs_own: ClassVar[bool] = True
    summary: ClassVar[str] = "shared gradients weighed by those on the first layer of each decoder"
    reference: ClassVar[str] = "Jha et al. 2020 (AdaMT-Net); compared with in XTasC-Net"

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks, **options)
        self._first: dict[str, Tensor] = {}
        self._weights = dict.fromkeys(self.tasks, 1.0)

    def watch(self, network: nn.Module, shared: Sequence[nn.Parameter]) -> None:
        """Find the first convolution of each task."""
        assert isinstance(network, Network)
        for task in self.tasks:
            layer = network.first_layer(task)
            assert layer is not None  # refused before, by what `needs_own` declares
            self._first[task] = layer.weight

    def backward(self, terms: Terms, shared: Sequence[nn.Parameter], backward: Backward) -> Tensor:
        """Send the weighed gradients backwards; see `Weighting.backward`."""
        losses = {t: terms.tasks[t] for t in self.tasks if t in terms.tasks}
        auxiliary = self.auxiliary(terms)
        parts = [*losses.values(), *auxiliary]
        if not parts:
            return torch.zeros(())
        sent = parts
        if len(losses) > 1:
            rows, common, aim = task_gradients([*losses.values()], self.order, self.compiled)
            if common:
                aim |= combined(rows, common, self._factors(dict(zip(losses, rows, strict=True))))
            sent = [as_scalar(aim), *auxiliary]
        backward(torch.stack(sent).sum())
        return torch.stack(parts).sum().detach()

    def weights(self) -> dict[str, float]:
        """The factors that were last found for each task; 1 before."""
        return dict(self._weights)

    def get_extra_state(self) -> dict[str, float]:
        """The last factors."""
        return dict(self._weights)

    def set_extra_state(self, state: Mapping[str, float]) -> None:
        """Go back to what `get_extra_state` took down."""
        self._weights = dict(state)

    def _factors(self, rows: Mapping[str, Gradients]) -> list[float]:
        """Those of the tasks of a batch, 1 in sum."""
        # In a compiled network a gradient that is 0 is taken for none.
        firsts = [(self._first[task], row) for task, row in rows.items()]
        sizes = torch.stack(
            [row.get(p, torch.zeros_like(p)).abs().double().mean() for p, row in firsts]
        )
        total = sizes.sum()
        # Where no task moves its first layer, none moves what lies before it.
        shares = sizes / total if total > 0 else torch.full_like(sizes, 1 / len(sizes))
        factors: list[float] = shares.tolist()
        self._weights.update(zip(rows, factors, strict=True))
        return factors
