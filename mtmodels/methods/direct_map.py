"""The prediction of one task, mapped to another, against the label of that other."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from mtmodels.methods.parts.label_mapping import LabelMappingMethod
from mtmodels.methods.parts.pairs import present_pairs
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network, Output


class DirectMap(LabelMappingMethod):
    """A network makes the label of t of the prediction of s; both learn from how well it does.

    Args:
        network: The network to train.
        options: Those of `LabelMappingOptions`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: MTPSL section 3.2, "Direct-Map", whose code was never released.
    """

    summary: ClassVar[str] = "predictions, mapped to another task, agree with its labels"
    reference: ClassVar[str] = "MTPSL section 3.2, Direct-Map"

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.missing_alone = self.options.pairs == "unlabelled"

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and what the method adds."""
        outputs = views.predict(self.network)
        own = self.consistency(views, outputs, progress=progress, rng=rng)
        return self.supervision.terms(views, outputs) + own

    def consistency(
        self, views: Views, outputs: Sequence[Output], *, progress: float, rng: torch.Generator
    ) -> Terms:
        """L_ct of the mapped predictions and the labels of the last view."""
        batch, predictions = views.last, outputs[-1].predictions
        pairs = present_pairs(self.supervision.seen(batch), self.options.pairs)
        compare = self.against_labels(self.encode(pairs, predictions, rng), batch)
        weight = self.options.consistency_weight * self.options.ramp(progress)
        return self.sum_over_pairs("consistency", pairs, compare, batch=len(batch), weight=weight)
