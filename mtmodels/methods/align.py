"""The alignment loss: a transferred prediction is compared with the label."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata.reading.batch import Batch
from mtmodels.methods.parts.supervision import Seen
from mtmodels.methods.parts.transfer import TransferMethod, TransferOptions


class Align(TransferMethod):
    """l_{t->s} compares with the label of s, over the images that show both t and s.

    Where no image of a batch shows both, L_t is (1 - lambda_t) l_t. A regime under which none ever
    does, as `one`, is refused. For the arguments see `TransferMethod`.

    Reference: XTasC-Net eq. 8 and 11 ("Align-Net").
    """

    options: TransferOptions
    summary: ClassVar[str] = "transferred predictions agree with the labels (Align-Net)"
    reference: ClassVar[str] = "XTasC-Net eq. 8 and 11"

    def check_labels(self, shown: NDArray[np.bool_]) -> None:
        """Refuse labels of which no image shows two tasks: nothing could be aligned."""
        if not (shown.sum(1) > 1).any():
            raise ValueError(
                "alignment compares the prediction of one task with the label of another, over "
                "images that show both; found none that shows two. Choose another --regime, or "
                "--method xtc, which needs no label for it."
            )

    def transfer_loss(
        self,
        source: str,
        target: str,
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        batch: Batch,
        seen: Seen,
    ) -> Float[Tensor, ""] | None:
        """The loss of `target` on its labels; None where no image shows both tasks."""
        if not seen.any(source, target):
            return None
        transferred = self.transfer(source, target, predictions)
        return self.supervision.loss(target, transferred, batch, seen=seen, also=[source])
