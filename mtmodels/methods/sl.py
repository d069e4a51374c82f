"""Supervised learning on the labels there are."""

from typing import Any, ClassVar

import torch

from mtmodels.methods.base import Method
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network


class SL(Method):
    """Each task learns from the images that show it; with one task, single-task learning.

    Args:
        network: The network to train.
        options: Those of `SupervisionOptions`.

    Raises:
        ValueError: for a task, loss, reduction or normalisation that there is not.

    Reference: MTPSL eq. 1; "Base ST-Net" and "Base MT-Net" of XTasC-Net.
    """

    options: SupervisionOptions
    summary: ClassVar[str] = "supervised on the labels there are; single-task with one task"
    reference: ClassVar[str] = "MTPSL eq. 1"

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks, self.options)

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image of the batch shows."""
        return self.supervision.terms(views, views.predict(self.network))
