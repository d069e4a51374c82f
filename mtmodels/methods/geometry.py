"""What is known of tasks: depth tells normals, parts lie in persons, edges part classes."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from mtmodels.methods.base import Method
from mtmodels.methods.parts.relation_terms import RelationOptions, Relations
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network


class GeometryOptions(SupervisionOptions, RelationOptions):
    """What known relations can be told."""


class Geometry(Method):
    """Tasks without a label learn from others by relations that no network has to find.

    Args:
        network: The network to train.
        options: Those of `GeometryOptions`.

    Raises:
        ValueError: where no relation between the tasks is known, or an option cannot be.

    Reference: planes in inverse depth as in the normals of this package; the chord of neighbours
    against a normal as in Qi et al. 2018 (GeoNet). None of the papers that this package stands on
    has it.
    """

    options: GeometryOptions
    summary: ClassVar[str] = "relations that are known: normals follow from depth and camera"
    reference: ClassVar[str] = "Qi et al. 2018 (GeoNet)"
    uses_unlabelled = True
    missing_alone = True
    minimum_tasks: ClassVar[int] = 2

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks, self.options)
        self.relations = Relations(network.tasks, self.options)
        self.cameras_for = self.relations.cameras_for
        self.uses_unlabelled = self.relations.use_unlabelled

    def idle(self, shown: NDArray[np.bool_]) -> Iterator[str]:
        """Where no image shows what a relation needs."""
        return self.relations.idle(shown)

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and one a relation that says something."""
        outputs = views.predict(self.network)
        own = self.relations.terms(views, outputs, progress=progress)
        return self.supervision.terms(views, outputs) + own
