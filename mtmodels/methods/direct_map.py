"""The prediction of one task, mapped to another, against the label of that other."""

from typing import ClassVar

import torch

from mtmodels.methods.label_mapping import LabelMappingMethod
from mtmodels.methods.semi_supervised import Extra, Look


class DirectMap(LabelMappingMethod):
    """A network makes the label of t of the prediction of s; both learn from how well it does.

    Args:
        network: The network to train.
        options: Those of `LabelMappingMethod`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: MTPSL section 3.2, "Direct-Map", whose code was never released.
    """

    summary: ClassVar[str] = "predictions, mapped to another task, agree with its labels"
    reference: ClassVar[str] = "MTPSL section 3.2, Direct-Map"

    def unsupervised(self, look: Look, *, progress: float, rng: torch.Generator) -> Extra:
        """L_ct of the mapped predictions and the labels of the last view."""
        pairs = self.present(look)
        compare = self.against_labels(self.encode(pairs, look.last, rng), look.batch)
        weight = self.consistency_weight * self.ramp(progress)
        return self.sum_over_pairs(
            "consistency", pairs, compare, batch=len(look.batch), weight=weight
        )
