"""Semi-supervised learning: the prediction of a crop is the crop of the prediction."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mtmodels.methods.base import Method
from mtmodels.methods.parts.crop_consistency import CropDistance, crop_terms
from mtmodels.methods.parts.further_views import FurtherViewOptions
from mtmodels.methods.parts.relation_terms import Relations, WithGeometryOptions
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import View, Views
from mtmodels.networks.base import Network
from mtmodels.options import Weight


class SSLOptions(SupervisionOptions, FurtherViewOptions, WithGeometryOptions):
    """What crop consistency can be told."""

    ssl_weight: Weight = 1.0
    """A factor on the consistency."""
    distance: CropDistance = "squared"
    """`squared`: the square difference of probabilities, depth and unit normals, as printed.
    `loss`: that of the kind of task against the moved prediction, which weighs as a label does."""


class SSL(Method):
    """Tasks without a label learn that predicting and cropping can change places.

    Args:
        network: The network to train.
        options: Those of `SSLOptions`.

    Raises:
        ValueError: for a value that cannot be.

    Reference: MTPSL eq. 2.
    """

    options: SSLOptions
    summary: ClassVar[str] = "the crop of a prediction is the prediction of the crop"
    reference: ClassVar[str] = "MTPSL eq. 2"
    uses_unlabelled = True
    missing_alone = True
    compares_crops = True
    minimum_views = 2
    default_views: ClassVar[int] = 2

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks, self.options)
        self.relations = Relations(network.tasks, self.options, wanted=self.options.with_geometry)
        self.cameras_for = self.relations.cameras_for

    def idle(self, shown: NDArray[np.bool_]) -> Iterator[str]:
        """Where relations were asked for and no image shows what they need."""
        return self.relations.idle(shown)

    def views(self, count: int) -> Sequence[View]:
        """The labels of the first supervise, unless `supervise` says otherwise."""
        return self.options.views(count)

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and one a task that an image does not show."""
        outputs = views.predict(self.network)
        weight = self.options.ssl_weight * self.options.ramp(progress)
        seen = self.supervision.seen(views.main)
        crops = crop_terms(
            self.network.tasks,
            views,
            outputs,
            seen,
            weight=weight,
            distance=self.options.distance,
        )
        known = self.relations.terms(views, outputs, progress=progress)
        return self.supervision.terms(views, outputs) + crops + known
