"""SL learning on the labels there are."""

from typing import ClassVar

import torch

from mtmodels.methods.supervised_method import SupervisedMethod
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views


class SL(SupervisedMethod):
    """Each task learns from the images that show it; with one task, single-task learning.

    Args:
        network: The network to train.
        options: Those of `SupervisedMethod`.

    Raises:
        ValueError: for a task, loss, reduction or normalisation that there is not.

    Reference: MTPSL eq. 1; "Base ST-Net" and "Base MT-Net" of XTasC-Net.
    """

    summary: ClassVar[str] = "supervised on the labels there are; single-task with one task"
    reference: ClassVar[str] = "MTPSL eq. 1"

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
