"""Semi-supervised learning: the prediction of a crop is the crop of the prediction."""

from typing import Any, ClassVar

import torch

from mtmodels.methods.parts.crop_consistency import crop_consistency
from mtmodels.methods.semi_supervised import Extra, Look, SemiSupervised, check_weight
from mtmodels.networks.base import Network


class SSL(SemiSupervised):
    """Tasks without a label learn that predicting and cropping can change places.

    Args:
        network: The network to train.
        ssl_weight: A factor on the consistency.
        options: Those of `SemiSupervised`.

    Raises:
        ValueError: for a value that cannot be.

    Reference: MTPSL eq. 2.
    """

    summary: ClassVar[str] = "the crop of a prediction is the prediction of the crop"
    reference: ClassVar[str] = "MTPSL eq. 2"
    minimum_views = 2

    def __init__(self, network: Network, *, ssl_weight: float = 1.0, **options: Any) -> None:
        super().__init__(network, **options)
        check_weight("ssl_weight", ssl_weight)
        self.ssl_weight = ssl_weight

    def unsupervised(self, look: Look, *, progress: float, rng: torch.Generator) -> Extra:
        """The consistency of each task that an image does not show."""
        seen = self.supervision.seen(look.views.main)
        terms = crop_consistency(self.network.tasks, look, seen)
        return crop_terms(terms, self.ssl_weight * self.ramp(progress))


def crop_terms(terms: dict[str, torch.Tensor], weight: float) -> Extra:
    """The terms scaled, under the names that the log has for them."""
    return Extra(
        {f"{task}/crops": weight * term for task, term in terms.items()},
        {f"{task}/crops": term.detach() for task, term in terms.items()},
    )
