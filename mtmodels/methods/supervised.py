"""Supervised learning on the labels there are."""

from collections.abc import Mapping
from typing import ClassVar

import torch

from mtmodels.method import Method
from mtmodels.methods.supervision import Supervision
from mtmodels.network import Network
from mtmodels.terms import Terms
from mtmodels.views import Views


class Supervised(Method):
    """Each task learns from the images that show it; with one task, single-task learning.

    Args:
        network: The network to train.
        losses: The loss of a task by name; the default of its kind where it is not given.
        task_weights: A factor on the terms of a task; 1 where it is not given.
        reduction: "image" or "pixels", for all tasks or by task.
        normalise: "batch", or "paper" to divide by the number of labelled tasks of an image.

    Raises:
        ValueError: for a task, loss, reduction or normalisation that there is not.

    Reference: MTPSL eq. 1; "Base ST-Net" and "Base MT-Net" of XTasC-Net.
    """

    summary: ClassVar[str] = "supervised on the labels there are; single-task with one task"
    reference: ClassVar[str] = "MTPSL eq. 1"

    def __init__(
        self,
        network: Network,
        *,
        losses: Mapping[str, str] | None = None,
        task_weights: Mapping[str, float] | None = None,
        reduction: str | Mapping[str, str] = "image",
        normalise: str = "batch",
    ) -> None:
        super().__init__(network)
        self.supervision = Supervision(
            network.tasks,
            losses=losses,
            task_weights=task_weights,
            reduction=reduction,
            normalise=normalise,
        )

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image of the batch shows."""
        batch, supervision = views.all, self.supervision
        direct = supervision.direct(
            self.network(batch.image).predictions, batch, supervision.seen(batch)
        )
        return Terms(
            tasks={name: supervision.weights[name] * loss for name, loss in direct.items()},
            parts={f"{name}/direct": loss.detach() for name, loss in direct.items()},
        )
