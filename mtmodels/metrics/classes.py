"""Scores of labels that name a class for each pixel."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int, Integer
from torch import Tensor

from mtdata import Task
from mtmodels.encodings import highest
from mtmodels.metrics.base import Metric
from mtmodels.metrics.confusion import accuracy, confusion, intersection_over_union
from mtmodels.metrics.ratio import ratio
from mtmodels.metrics.resizing import Size, nearest
from mtmodels.metrics.scores import better


class _Classes(Metric):
    better = better(("miou", "pixel_accuracy", "iou"))
    compiles = True

    @staticmethod
    def resized(
        prediction: Float[Tensor, "n c h w"], size: Size
    ) -> Float[Tensor, "n c height width"]:
        """The nearest pixel decides."""
        return nearest(prediction, size)

    def _confusion(
        self,
        prediction: Float[Tensor, "n c h w"],
        label: Integer[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> Int[Tensor, "n c c"]:
        if prediction.shape[1] != self.task.channels:  # it would be counted as another class
            raise ValueError(
                f"`{self.task.name}` should have a channel for each of its {self.task.channels} "
                f"classes; found {prediction.shape[1]}."
            )
        if passes := self.compiled_for(prediction):
            return passes.confusion(prediction, label[:, 0], valid)
        return confusion(highest(prediction), label[:, 0], valid, classes=self.task.channels)


class PooledClasses(_Classes):
    """Protocol `mtpsl`: one confusion matrix over all valid pixels of the split.

    `miou` is the mean over the classes that occur in a label or a prediction, `iou` the list of all
    classes (NaN for one that occurs in neither). Percent.

    *Differs from the released code*, whose mean is NaN where a class never occurs.
    """

    matrix: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        zeros = torch.zeros(task.channels, task.channels, dtype=torch.long)
        self.add_state("matrix", zeros)

    def update(
        self,
        prediction: Float[Tensor, "n c h w"],
        label: Integer[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the pixels of a batch of logits."""
        self.add(matrix=self._confusion(prediction, label, valid))

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The scores of the pixels that were added."""
        iou = 100 * intersection_over_union(states["matrix"])
        found = 100 * accuracy(states["matrix"])
        return {"miou": iou.nanmean(-1), "pixel_accuracy": found, "iou": iou}


class CommonClasses(PooledClasses):
    """Protocol `common`: as `PooledClasses`, with the mean accuracy of classes.

    `class_accuracy` is the mean, over the classes that labels show, of the share of their pixels
    that is predicted as such. Percent.
    """

    better = better(("miou", "pixel_accuracy", "class_accuracy", "iou"))

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The scores of the pixels that were added."""
        matrix = states["matrix"]
        of_class = 100 * ratio(matrix.diagonal(dim1=-2, dim2=-1), matrix.sum(-1))
        return {**super().scores(states), "class_accuracy": of_class.nanmean(-1)}


class PerImageClasses(_Classes):
    """Protocol `xtasc`: each image is scored alone, then the mean over images is taken.

    The mIoU of an image is the mean over the classes that its labels or its prediction show; void
    pixels are removed first. `iou` is, for each class, the mean over the images that show it.
    An image without a valid pixel counts in no mean. Percent.
    """

    miou_sum: Tensor
    accuracy_sum: Tensor
    scored: Tensor
    iou_sum: Tensor
    shown: Tensor

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        for name in ("miou_sum", "accuracy_sum", "scored"):
            self.add_state(name, torch.zeros((), dtype=torch.float64))
        for name in ("iou_sum", "shown"):
            self.add_state(name, torch.zeros(task.channels).double())

    def update(
        self,
        prediction: Float[Tensor, "n c h w"],
        label: Integer[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Score the images of a batch of logits."""
        matrix = self._confusion(prediction, label, valid)
        iou = intersection_over_union(matrix)
        self.add(
            miou_sum=iou.nanmean(-1).nan_to_num(),
            accuracy_sum=accuracy(matrix).nan_to_num(),
            scored=matrix.sum((-2, -1)) > 0,
            iou_sum=iou.nan_to_num(),
            shown=~iou.isnan(),
        )

    @classmethod
    def scores(cls, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The means over the images that were added."""
        return {
            "miou": 100 * ratio(states["miou_sum"], states["scored"]),
            "pixel_accuracy": 100 * ratio(states["accuracy_sum"], states["scored"]),
            "iou": 100 * ratio(states["iou_sum"], states["shown"]),
        }


class ShownClasses(PooledClasses):
    """Protocol `pascal`, parts of people: an image that shows none is left out.

    Background is class 0. Otherwise as `PooledClasses`.
    """

    def update(
        self,
        prediction: Float[Tensor, "n c h w"],
        label: Integer[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the pixels of a batch of logits."""
        shown = ((label[:, 0] > 0) & valid).any(2).any(1)
        super().update(prediction, label, valid & shown[:, None, None])
