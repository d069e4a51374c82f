"""Scores of the classes of Cityscapes, as the official evaluator has them."""

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from mtdata import Classes, Task
from mtdata.errors import UsageError
from mtdata.tasks.facts import CITYSCAPES7, CITYSCAPES19
from mtmodels.metrics.classes import PooledClasses
from mtmodels.metrics.confusion import intersection_over_union
from mtmodels.metrics.ratio import ratio
from mtmodels.metrics.scores import better

CATEGORIES: Mapping[tuple[str, ...], Sequence[int]] = {
    CITYSCAPES19.names: (0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 5, 6, 6, 6, 6, 6, 6),
    CITYSCAPES7.names: range(7),
}
"""The category of each class, for the two sets of classes that a store of Cityscapes may have."""
_MEMBERS = {len(names): F.one_hot(torch.tensor(of)) for names, of in CATEGORIES.items()}
"""By the number of classes, which class is in which category."""


class CityscapesClasses(PooledClasses):
    """Protocol `cityscapes`: IoU of classes and categories over the pixels of the split; percent.

    `category_iou` has the seven categories in the order of `CITYSCAPES7`. Equal, to the last digit,
    to `evalPixelLevelSemanticLabeling` on 19 classes. The 7 classes of a store are the categories,
    with the ids that the evaluator leaves out (parking, bridges, trailers and their like), so that
    their scores are not its.

    Raises:
        UsageError: where the task has other classes.
    """

    better = better(("miou", "iou", "category_miou", "category_iou"))

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        names = task.kind.names if isinstance(task.kind, Classes) else ()
        if names not in CATEGORIES:
            raise UsageError(
                f"`{task.name}` should have the 19 or 7 classes of Cityscapes under the protocol "
                f"`cityscapes`; found {len(names)} others. Choose another --protocol."
            )

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The scores of the pixels that were added."""
        classes = states["matrix"].cpu()  # a GPU multiplies no whole numbers
        member = _MEMBERS[classes.shape[-1]].to(classes.dtype)
        found: dict[str, Tensor] = {}
        for name, matrix in (("", classes), ("category_", member.T @ classes @ member)):
            iou = intersection_over_union(matrix)
            found |= {f"{name}miou": 100 * _mean(iou), f"{name}iou": 100 * iou}
        return found


def _mean(iou: Float[Tensor, "*n c"]) -> Float[Tensor, "*n"]:
    """The mean of those that are numbers, added one by one as the evaluator does."""
    total = torch.zeros(iou.shape[:-1], dtype=iou.dtype)
    for of_class in iou.nan_to_num().unbind(-1):
        total = total + of_class
    return ratio(total, (~iou.isnan()).sum(-1))
