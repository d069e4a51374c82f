"""What `xtc` and `align` share: predictions of one task transferred to the others."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.reading.batch import Batch
from mtmodels.methods.parts.per_task import per_task
from mtmodels.methods.parts.supervision import Seen
from mtmodels.methods.supervised_method import SupervisedMethod
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.auxiliary.transfer_network import TransferNetwork
from mtmodels.networks.base import Network

CONSISTENCY_WEIGHT = 1e-4


class TransferMethod(SupervisedMethod):
    """L_t = (1 - lambda_t) l_t + lambda_t x mean over s != t of l_{t->s}.

    l_t compares the prediction of t with its label; l_{t->s} what a transfer network makes of that
    prediction, for task s, with a target that a member chooses. There is one transfer network an
    ordered pair of tasks. Only training has them.

    Args:
        network: The network to train.
        consistency_weight: lambda_t in [0, 1], one for all tasks or by task; a command line and a
            configuration call it `lambda`. 1e-4 as in the paper on NYUv2; 0.01 on Cityscapes.
        transfer_width: A factor on the channels of the transfer networks; where it is not given,
            the width of the network times what suits it (1 for XTasC-Net, 0.25 for the compact
            one, which published transfer networks would make thirteen times as slow).
        options: Those of `SupervisedMethod`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: XTasC-Net eq. 11.
    """

    minimum_tasks: ClassVar[int] = 2
    default_tasks: ClassVar[tuple[str, ...]] = ("semantic", "depth")
    aliases: ClassVar[Mapping[str, str]] = {"lambda": "consistency_weight"}

    def __init__(
        self,
        network: Network,
        *,
        consistency_weight: float | Mapping[str, float] = CONSISTENCY_WEIGHT,
        transfer_width: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(network, **options)
        self.consistency_weight = _lambdas(consistency_weight, self.supervision.names)
        width = transfer_width if transfer_width is not None else _fitting_width(network)
        if not width > 0:
            raise ValueError(f"`transfer_width` should be above 0; found {width}.")
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
        batch, names = views.all, self.supervision.names
        seen = self.supervision.seen(batch)
        predictions = self.network(batch.image).predictions
        direct = self.supervision.direct(predictions, batch, seen)
        transferred = {
            t: {
                s: loss
                for s in names
                if s != t
                and (loss := self.transfer_loss(t, s, predictions, batch, seen)) is not None
            }
            for t in names
        }
        return self._terms(direct, transferred)

    def _terms(
        self, direct: Mapping[str, Tensor], transferred: Mapping[str, Mapping[str, Tensor]]
    ) -> Terms:
        """Equation 11 for every task, and its parts."""
        tasks: dict[str, Tensor] = {}
        auxiliary: dict[str, Tensor] = {}
        parts: dict[str, Tensor] = {}
        for t in self.supervision.names:
            weight, factor = self.consistency_weight[t], self.supervision.weights[t]
            pairs = transferred[t]
            share = factor * weight / (len(transferred) - 1)
            parts |= {f"{t}/to_{s}": loss.detach() for s, loss in pairs.items()}
            if t in direct:
                parts[f"{t}/direct"] = direct[t].detach()
                tasks[t] = factor * (1 - weight) * direct[t] + share * sum(pairs.values())
            elif pairs:
                # Not in `tasks`: a weighting that learns from L_t would take a task without a label
                # for one that is learnt perfectly.
                auxiliary[f"{t}/consistency"] = share * torch.stack([*pairs.values()]).sum()
        return Terms(tasks, auxiliary, parts)


def _fitting_width(network: Network) -> float:
    """The width of the transfer networks unless told otherwise."""
    return network.width * network.transfer_width


def pair_name(source: str, target: str) -> str:
    """The name of a transfer network among the parameters."""
    return f"{source}_to_{target}"


def _lambdas(value: float | Mapping[str, float], tasks: tuple[str, ...]) -> dict[str, float]:
    lambdas = per_task("lambda", value, tasks, default=CONSISTENCY_WEIGHT)
    for name, weight in lambdas.items():
        if not 0 <= weight <= 1:
            raise ValueError(f"`lambda` of task `{name}` should be in [0, 1]; found {weight}.")
    return lambdas
