"""Prediction and label of one task, compared after a map to another task."""

from collections.abc import Sequence
from typing import ClassVar

import torch

from mtmodels.methods.parts.label_mapping import LabelMappingMethod
from mtmodels.methods.parts.pairs import labelled_sources
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Output


class PerceptualMap(LabelMappingMethod):
    """What a prediction and a label of s look like as t should be the same.

    The mapping from s to t learns from images that show t, without a say in the predictions that
    it reads. Where an image shows s, the predictions learn from the mapping, without a say in it.

    Args:
        network: The network to train.
        options: Those of `LabelMappingOptions`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: MTPSL section 3.2, "Perceptual-Map", whose code was never released.
    """

    summary: ClassVar[str] = "prediction and label agree after a map to another task"
    reference: ClassVar[str] = "MTPSL section 3.2, Perceptual-Map"

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and what the method adds."""
        outputs = views.predict(self.network)
        own = self.consistency(views, outputs, progress=progress, rng=rng)
        return self.supervision.terms(views, outputs) + own

    def consistency(
        self, views: Views, outputs: Sequence[Output], *, progress: float, rng: torch.Generator
    ) -> Terms:
        """What the mappings learn from, and what the predictions learn from."""
        batch, predictions = views.last, outputs[-1].predictions
        learnt = self.learnt(batch, predictions, rng)
        pairs = labelled_sources(self.supervision.seen(batch))
        agreement = self.sum_over_pairs(
            "consistency",
            pairs,
            self.against_mapped_labels(pairs, predictions, batch, rng),
            batch=len(batch),
            weight=self.options.consistency_weight * self.options.ramp(progress),
        )
        return learnt + agreement
