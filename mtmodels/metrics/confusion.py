"""The confusion matrix of each image, and what is read from it."""

import torch
from jaxtyping import Bool, Float, Int, Integer, Num
from torch import Tensor

from mtmodels.metrics.ratio import ratio
from mtmodels.metrics.tally import bincounts, kept, left_out


def confusion(
    prediction: Integer[Tensor, "n h w"],
    label: Integer[Tensor, "n h w"],
    valid: Bool[Tensor, "n h w"],
    *,
    classes: int,
) -> Int[Tensor, "n {classes} {classes}"]:
    """Count the valid pixels of each image by class: rows are labels, columns predictions."""
    small = torch.uint8 if classes**2 <= 256 else torch.int32
    cell = kept(prediction.to(small).add_(label.to(small), alpha=classes), valid)
    counts = bincounts(cell, classes**2)
    # What does not count was put into the first cell, which is faster than to leave it out.
    counts[:, 0] -= left_out(valid)
    return counts.reshape(len(label), classes, classes)


def intersection_over_union(matrix: Num[Tensor, "*n c c"]) -> Float[Tensor, "*n c"]:
    """IoU of each class, in [0, 1]: diagonal / (row + column - diagonal); NaN where it is 0 / 0."""
    hit = matrix.diagonal(dim1=-2, dim2=-1)
    return ratio(hit, matrix.sum(-1) + matrix.sum(-2) - hit)


def accuracy(matrix: Num[Tensor, "*n c c"]) -> Float[Tensor, "*n"]:
    """Share of the pixels on the diagonal, in [0, 1]; NaN where there is no pixel."""
    return ratio(matrix.diagonal(dim1=-2, dim2=-1).sum(-1), matrix.sum((-2, -1)))
