"""The confusion matrix of each image, and what is read from it."""

import torch
from jaxtyping import Bool, Float, Int, Integer, Num
from torch import Tensor

from mtmodels.metrics.ratio import ratio


def confusion(
    prediction: Int[Tensor, "n h w"],
    label: Integer[Tensor, "n h w"],
    valid: Bool[Tensor, "n h w"],
    *,
    classes: int,
) -> Int[Tensor, "n {classes} {classes}"]:
    """Count the valid pixels of each image by class: rows are labels, columns predictions."""
    n = len(label)
    image = torch.arange(n, device=label.device)[:, None, None]
    cell = (image * classes + label.long()) * classes + prediction
    counts = torch.bincount(cell[valid], minlength=n * classes**2)
    return counts.reshape(n, classes, classes)


def intersection_over_union(matrix: Num[Tensor, "*n c c"]) -> Float[Tensor, "*n c"]:
    """IoU of each class, in [0, 1]: diagonal / (row + column - diagonal); NaN where it is 0 / 0."""
    hit = matrix.diagonal(dim1=-2, dim2=-1)
    return ratio(hit, matrix.sum(-1) + matrix.sum(-2) - hit)


def accuracy(matrix: Num[Tensor, "*n c c"]) -> Float[Tensor, "*n"]:
    """Share of the pixels on the diagonal, in [0, 1]; NaN where there is no pixel."""
    return ratio(matrix.diagonal(dim1=-2, dim2=-1).sum(-1), matrix.sum((-2, -1)))
