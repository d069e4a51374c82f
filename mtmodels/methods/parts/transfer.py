"""What `xtc` and `align` share: predictions of one task transferred to the others."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from mtdata.reading.batch import Batch
from mtmodels.methods.base import Method
from mtmodels.methods.parts.pairs import pair_name
from mtmodels.methods.parts.supervision import Seen, Supervision, SupervisionOptions, per_task
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views, joined
from mtmodels.networks.auxiliary.transfer_network import TransferNetwork
from mtmodels.networks.base import Network
from mtmodels.options import Share, Width

CONSISTENCY_WEIGHT = 1e-4


class TransferOptions(SupervisionOptions):
    """How predictions are transferred from task to task."""

    consistency_weight: Share | Mapping[str, Share] = Field(CONSISTENCY_WEIGHT, alias="lambda")
    """lambda_t in [0, 1], one for all tasks or by task. 1e-4 as in the paper on NYUv2; 0.01 on
    Cityscapes."""
    transfer_width: Width | None = None
    """A factor on the channels of the transfer networks; null for that of the network, and a
    quarter of it beside a compact network, which published transfer networks would make thirteen
    times as slow."""


class TransferMethod(Method):
    """L_t = (1 - lambda_t) l_t + lambda_t x mean over s != t of l_{t->s}.

    l_t compares the prediction of t with its label; l_{t->s} what a transfer network makes of that
    prediction, for task s, with a target that a member chooses. There is one transfer network an
    ordered pair of tasks. Only training has them.

    Args:
        network: The network to train.
        options: Those of `TransferOptions`, or of the member.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: XTasC-Net eq. 11.
    """

    options: TransferOptions
    minimum_tasks: ClassVar[int] = 2
    default_tasks: ClassVar[tuple[str, ...]] = ("semantic", "depth")

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks, self.options)
        self.lambdas = per_task(
            "lambda",
            self.options.consistency_weight,
            self.supervision.names,
            default=CONSISTENCY_WEIGHT,
        )
        width = self.options.transfer_width
        if width is None:
            width = network.options.width * (0.25 if network.compact else 1.0)
        self.transfers = nn.ModuleDict(
            {
                pair_name(t.name, s.name): TransferNetwork(t, s, width=width)
                for t in network.tasks
                for s in network.tasks
                if s is not t
            }
        )

    @abstractmethod
    def transfer_loss(
        self,
        source: str,
        target: str,
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        batch: Batch,
        seen: Seen,
    ) -> Float[Tensor, ""] | None:
        """l_{source->target}, or None where no image of the batch has one."""

    def transfer(
        self, source: str, target: str, predictions: Mapping[str, Float[Tensor, "b c h w"]]
    ) -> Float[Tensor, "b d h w"]:
        """The prediction of `target` made from that of `source`."""
        prediction: Tensor = self.transfers[pair_name(source, target)](predictions[source])
        return prediction

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image of the batch shows; what the others keep is auxiliary."""
        outputs, names = views.predict(self.network), self.supervision.names
        supervised = self.supervision.terms(views, outputs)
        batch, seen = views.all, self.supervision.seen(views.all)
        predictions = joined(outputs)
        transferred = {
            t: {
                s: loss
                for s in names
                if s != t
                and (loss := self.transfer_loss(t, s, predictions, batch, seen)) is not None
            }
            for t in names
        }
        return self._terms(supervised, transferred)

    def _terms(self, supervised: Terms, transferred: Mapping[str, Mapping[str, Tensor]]) -> Terms:
        """Equation 11 for every task, and its parts."""
        tasks: dict[str, Tensor] = {}
        auxiliary: dict[str, Tensor] = {}
        parts: dict[str, Tensor] = {}
        owners: dict[str, str] = {}
        for t in self.supervision.names:
            weight, factor = self.lambdas[t], self.supervision.weights[t]
            pairs = transferred[t]
            share = factor * weight / (len(transferred) - 1)
            parts |= {f"{t}/to_{s}": loss.detach() for s, loss in pairs.items()}
            if t in supervised.tasks:
                tasks[t] = (1 - weight) * supervised.tasks[t] + share * sum(pairs.values())
            elif pairs:
                # Not in `tasks`: a weighting that learns from L_t would take a task without a label
                # for one that is learnt perfectly. It is scaled along with L_t all the same.
                auxiliary[f"{t}/consistency"] = share * torch.stack([*pairs.values()]).sum()
                owners[f"{t}/consistency"] = t
        own = replace(supervised, tasks=tasks, auxiliary=auxiliary, owners=owners)
        return own + Terms(parts=parts)
