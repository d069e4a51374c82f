"""The confusion matrix of each image, and what is read from it."""

import torch
from jaxtyping import Bool, Float, Int, Integer, Num
from torch import Tensor

from mtmodels.metrics.ratio import ratio


def highest(logits: Float[Tensor, "n c h w"]) -> Integer[Tensor, "n h w"]:
    """The class of the highest logit, the first of several: argmax, which takes 3 times as long."""
    best = logits[:, 0].clone()
    found = torch.zeros_like(best, dtype=_fits(logits.shape[1]))
    for number in range(1, logits.shape[1]):
        channel = logits[:, number]
        # Classes come in rising order: the last that is above all before it has the highest number.
        found = torch.maximum(found, (channel > best).to(found.dtype).mul_(number))
        best = torch.maximum(best, channel)
    return found


def _fits(count: int) -> torch.dtype:
    """The smallest type for this many whole numbers from 0."""
    return torch.uint8 if count <= 256 else torch.int16 if count <= 2**15 else torch.int32


def confusion(
    prediction: Integer[Tensor, "n h w"],
    label: Integer[Tensor, "n h w"],
    valid: Bool[Tensor, "n h w"],
    *,
    classes: int,
) -> Int[Tensor, "n {classes} {classes}"]:
    """Count the valid pixels of each image by class: rows are labels, columns predictions."""
    n, cells = len(label), classes**2
    # What does not count goes into a cell of its own, which is faster than to leave it out.
    cell = (label.int() * classes + prediction.int()).where(valid, cells)
    image = torch.arange(n, device=label.device, dtype=torch.int32)[:, None, None]
    counts = torch.bincount((cell + image * (cells + 1)).flatten(), minlength=n * (cells + 1))
    return counts.reshape(n, cells + 1)[:, :cells].reshape(n, classes, classes)


def intersection_over_union(matrix: Num[Tensor, "*n c c"]) -> Float[Tensor, "*n c"]:
    """IoU of each class, in [0, 1]: diagonal / (row + column - diagonal); NaN where it is 0 / 0."""
    hit = matrix.diagonal(dim1=-2, dim2=-1)
    return ratio(hit, matrix.sum(-1) + matrix.sum(-2) - hit)


def accuracy(matrix: Num[Tensor, "*n c c"]) -> Float[Tensor, "*n"]:
    """Share of the pixels on the diagonal, in [0, 1]; NaN where there is no pixel."""
    return ratio(matrix.diagonal(dim1=-2, dim2=-1).sum(-1), matrix.sum((-2, -1)))
