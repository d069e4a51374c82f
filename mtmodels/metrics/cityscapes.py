"""Scores of the classes of Cityscapes, as the official evaluator has them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from mtdata import Classes, Task
from mtdata.errors import UsageError
from mtdata.tasks.facts import CITYSCAPES7, CITYSCAPES19
from mtmodels.metrics.classes import PooledClasses
from mtmodels.metrics.confusion import intersection_over_union
from mtmodels.metrics.scores import better

CATEGORIES: Mapping[tuple[str, ...], Sequence[int]] = {
    CITYSCAPES19.names: (0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5, 5, 6, 6, 6, 6, 6, 6),
    CITYSCAPES7.names: range(7),
}
"""The category of each class, for the two sets of classes that a store of Cityscapes may have."""


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

    def __init__(self, task: Task, **options: Any) -> None:
        super().__init__(task, **options)
        names = task.kind.names if isinstance(task.kind, Classes) else ()
        if names not in CATEGORIES:
            raise UsageError(
                f"`{task.name}` should have the 19 or 7 classes of Cityscapes under the protocol "
                f"`cityscapes`; found {len(names)} others. Choose another --protocol."
            )
        self._member = F.one_hot(torch.tensor(CATEGORIES[names]))

    def compute(self) -> dict[str, float | list[float]]:
        """The scores over all that was added."""
        classes = self.matrix.cpu()  # a GPU multiplies no whole numbers
        found: dict[str, float | list[float]] = {}
        for name, matrix in (("", classes), ("category_", self._member.T @ classes @ self._member)):
            iou = intersection_over_union(matrix).tolist()
            found[f"{name}miou"] = 100 * _mean(iou)
            found[f"{name}iou"] = [100 * value for value in iou]
        return found


def _mean(values: Sequence[float]) -> float:
    """The mean of those that are numbers, added one by one as the evaluator does."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
