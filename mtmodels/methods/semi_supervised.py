"""What methods share that learn from labels in one view and from something else in another."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mtdata.errors import UnknownNameError
from mtdata.reading.batch import Batch
from mtmodels.methods.supervised_method import SupervisedMethod
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network

SUPERVISED_VIEWS = ("main", "all")


@dataclass(frozen=True)
class Look:
    """What the network says of the views of a batch.

    Args:
        views: The views.
        main: Predictions of the first view.
        last: Predictions of the second view; of the first where it is the only one.
        features: The feature map of that last view.
    """

    views: Views
    main: Mapping[str, Float[Tensor, "b c h w"]]
    last: Mapping[str, Float[Tensor, "b c h w"]]
    features: Float[Tensor, "b d hf wf"]

    @property
    def batch(self) -> Batch:
        """The last view."""
        return self.views.last

    def detached(self) -> "Look":
        """The same without a way back for gradients from the predictions of the last view."""
        return replace(self, last={name: p.detach() for name, p in self.last.items()})


@dataclass(frozen=True)
class Extra:
    """Terms beside the supervised ones, already scaled, and parts for the log."""

    terms: Mapping[str, Tensor] = field(default_factory=dict)
    parts: Mapping[str, Tensor] = field(default_factory=dict)


class SemiSupervised(SupervisedMethod):
    """Both views go through the network in one batch; labels supervise the first.

    Args:
        network: The network to train.
        ramp_up: The share of the training over which the factor on the consistency rises from 0.
        supervise: "main": the labels of the first view, as released. "all": of both views.
        normalise: "batch", or "paper" to divide by the numbers of tasks |T_n| and |U_n|.
        options: Those of `SupervisedMethod`, as the one above.

    Raises:
        ValueError: for a value that cannot be.
    """

    default_views: ClassVar[int] = 2

    def __init__(
        self,
        network: Network,
        *,
        ramp_up: float = 0.0,
        supervise: str = "main",
        **options: Any,
    ) -> None:
        super().__init__(network, **options)
        if not 0 <= ramp_up <= 1:
            raise ValueError(f"`ramp_up` should be in [0, 1]; found {ramp_up}.")
        if supervise not in SUPERVISED_VIEWS:
            raise UnknownNameError("views to supervise", supervise, SUPERVISED_VIEWS)
        self.ramp_up, self.supervise = ramp_up, supervise

    @abstractmethod
    def unsupervised(self, look: Look, *, progress: float, rng: torch.Generator) -> Extra:
        """What the method adds to the supervised terms."""

    def ramp(self, progress: float) -> float:
        """Rises linearly from 0 to 1 over the first `ramp_up` of the training; 1 where it is 0."""
        return min(1.0, progress / self.ramp_up) if self.ramp_up > 0 else 1.0

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and what the method adds."""
        output = self.network(views.all.image)
        halves = {name: views.split(p) for name, p in output.predictions.items()}
        main = {name: first for name, (first, _) in halves.items()}
        last = {name: second for name, (_, second) in halves.items()}
        _, features = views.split(output.features)
        extra = self.unsupervised(Look(views, main, last, features), progress=progress, rng=rng)
        everything = self.supervise == "all"
        batch, predictions = (views.all, output.predictions) if everything else (views.main, main)
        supervision = self.supervision
        direct = supervision.direct(predictions, batch, supervision.seen(batch))
        return Terms(
            tasks={name: supervision.weights[name] * loss for name, loss in direct.items()},
            auxiliary=extra.terms,
            parts={**{f"{n}/direct": x.detach() for n, x in direct.items()}, **extra.parts},
        )


def check_weight(name: str, value: float) -> None:
    """Refuse a weight below 0 or without bound.

    Raises:
        ValueError: where `value` is not in [0, inf).
    """
    if not 0 <= value < float("inf"):
        raise ValueError(f"`{name}` should be 0 or more; found {value}.")
