"""The confusion matrix of each image, and what is read from it."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Integer, Num
from torch import Tensor

from mtmodels.metrics.ratio import ratio
from mtmodels.metrics.tally import bincounts, kept


def highest(logits: Float[Tensor, "n c h w"]) -> Integer[Tensor, "n h w"]:
    """The class of the highest logit, the first of several; of NaN any number."""
    classes = logits.shape[1]
    if logits.device.type != "cpu":
        return logits.argmax(1)
    # argmax goes pixel by pixel here and takes 30 times as long; numpy compares into bytes in a
    # quarter of the time of torch.
    single = logits if logits.dtype == torch.float64 else logits.float()
    values = single.contiguous().numpy()
    best = values[:, 0].copy()
    above = np.empty(best.shape, bool)
    found = np.zeros(best.shape, np.min_scalar_type(classes))
    for number in range(1, classes):
        np.greater(values[:, number], best, out=above)
        # Classes come in rising order: the last that is above all before it has the highest number.
        np.maximum(found, above.view(np.uint8) * found.dtype.type(number), out=found)
        np.maximum(values[:, number], best, out=best)
    return torch.from_numpy(found.astype(np.int32) if classes > 255 else found)


def confusion(
    prediction: Integer[Tensor, "n h w"],
    label: Integer[Tensor, "n h w"],
    valid: Bool[Tensor, "n h w"],
    *,
    classes: int,
) -> Int[Tensor, "n {classes} {classes}"]:
    """Count the valid pixels of each image by class: rows are labels, columns predictions."""
    small = torch.uint8 if classes**2 <= 256 else torch.int32
    cell = kept(label.to(small) * classes + prediction.to(small), valid)
    counts = bincounts(cell, classes**2)
    # What does not count was put into the first cell, which is faster than to leave it out.
    counts[:, 0] -= (~valid).sum((1, 2))
    return counts.reshape(len(label), classes, classes)


def intersection_over_union(matrix: Num[Tensor, "*n c c"]) -> Float[Tensor, "*n c"]:
    """IoU of each class, in [0, 1]: diagonal / (row + column - diagonal); NaN where it is 0 / 0."""
    hit = matrix.diagonal(dim1=-2, dim2=-1)
    return ratio(hit, matrix.sum(-1) + matrix.sum(-2) - hit)


def accuracy(matrix: Num[Tensor, "*n c c"]) -> Float[Tensor, "*n"]:
    """Share of the pixels on the diagonal, in [0, 1]; NaN where there is no pixel."""
    return ratio(matrix.diagonal(dim1=-2, dim2=-1).sum(-1), matrix.sum((-2, -1)))
