"""Geometric changes of tensors, with torch: views of the methods, and data kept on a device.

The rules are those of `mtdata.reading.geometry.opencv`; a test holds the two equal. Gradients pass.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from torch.nn import functional as F

from mtdata.reading.geometry.base import WEAK, Change
from mtdata.reading.geometry.crop import Crop, Paste
from mtdata.reading.geometry.flip import Flip
from mtdata.reading.geometry.rotate import Rotate
from mtdata.tasks.kinds import Kind, Normals
from mtdata.tasks.resize import centres

ROUNDING = 1e-3
"""By how much the weights of a mean may add up to less than 1 where all of it is valid: bfloat16
and float16 round, and so do matrices of means."""


def apply(
    values: Shaped[Tensor, "b c h w"],
    changes: Sequence[Change],
    *,
    kind: Kind | None = None,
    valid: Bool[Tensor, "b h w"] | None = None,
    prediction: bool = False,
    paper: bool = False,
) -> tuple[Shaped[Tensor, "b c h w"], Bool[Tensor, "b h w"]]:
    """Change each image of a batch by a value of its own.

    Args:
        values: Images, labels or predictions.
        changes: One change an image.
        kind: The kind of label or prediction; None for images.
        valid: Where the values mean something; None for everywhere.
        prediction: Whether these are predictions (logits, depth), which are bilinear whatever
            the kind.
        paper: Divide inverse depth by the zoom, as the code released with the papers does.

    Returns:
        The changed values and where they are valid; labels and predictions are zero elsewhere.
    """
    if len(changes) != len(values):
        raise ValueError(f"`changes` should be one an image, {len(values)}; found {len(changes)}.")
    if valid is None:
        valid = values.new_ones(values.shape[0], *values.shape[2:], dtype=torch.bool)
    linear = kind is None or prediction or kind.interpolation == "linear"
    with torch.autocast(values.device.type, enabled=False):  # or products are rounded to 8 bits
        outcomes = [
            _one(x, v, change, kind, linear=linear, paper=paper)
            for x, v, change in zip(values, valid, changes, strict=True)
        ]
    return torch.stack([x for x, _ in outcomes]), torch.stack([v for _, v in outcomes])


def _one(
    x: Shaped[Tensor, "c h w"],
    valid: Bool[Tensor, "h w"],
    change: Change,
    kind: Kind | None,
    *,
    linear: bool,
    paper: bool,
) -> tuple[Shaped[Tensor, "c h w"], Bool[Tensor, "h w"]]:
    seen = _move(valid[None], change, linear=False)[0]
    moved = _move(torch.where(valid, x, 0), change, linear=linear)
    if kind is None:
        return moved, seen
    if linear and not isinstance(kind, Normals):  # those get their length back below
        # A mean of what is valid alone: zeros in place of the rest would make it too small.
        share = _move(valid[None].to(moved), change, linear=True)
        least = torch.finfo(moved.dtype).tiny
        moved = torch.where(share < 1 - ROUNDING, moved / share.clamp(min=least), moved)
    if isinstance(kind, Normals) and not isinstance(change, Flip):
        weak = moved.norm(dim=0) < WEAK
        near = _move(x, change, linear=False)
        moved = torch.where(weak, near, F.normalize(moved, dim=0))
    return torch.where(seen, _correct(moved, change, kind, paper=paper), 0), seen


def _correct(
    x: Shaped[Tensor, "c h w"], change: Change, kind: Kind, *, paper: bool
) -> Shaped[Tensor, "c h w"]:
    """What the change does to unit vectors says what it does to all values: it is linear."""
    unit = np.eye(kind.channels, dtype=np.float64)
    matrix = change.correct(kind, unit, paper=paper)
    if np.array_equal(matrix, unit):
        return x
    return torch.einsum("chw,cd->dhw", x, torch.as_tensor(matrix, dtype=x.dtype, device=x.device))


def _move(x: Shaped[Tensor, "c h w"], change: Change, *, linear: bool) -> Shaped[Tensor, "c h w"]:
    """Move pixels; zero where none comes from inside."""
    height, width = x.shape[-2:]
    match change:
        case Flip():
            return x.flip(-1)
        case Crop():
            top, left, h, w = change.box(height, width)
            return _resize(x[:, top : top + h, left : left + w], height, width, linear=linear)
        case Paste():
            top, left, h, w = change.box(height, width)
            around = (left, width - w - left, top, height - h - top)
            return F.pad(_resize(x, h, w, linear=linear), around)
        case Rotate():
            return _rotate(x, change, linear=linear)
        case _:
            raise TypeError(f"`change` should be a flip, crop or rotation; found {change!r}.")


def _resize(
    x: Shaped[Tensor, "c h w"], height: int, width: int, *, linear: bool
) -> Shaped[Tensor, "c hh ww"]:
    h, w = x.shape[-2:]
    if (h, w) == (height, width):
        return x
    if not linear:
        rows, columns = (
            torch.as_tensor(centres(a, b), device=x.device) for a, b in ((height, h), (width, w))
        )
        return x[:, rows][:, :, columns]
    if height < h:
        down, across = (_means(a, b).to(x) for a, b in ((h, height), (w, width)))
        return down @ x @ across.T
    return F.interpolate(x[None], (height, width), mode="bilinear", align_corners=False)[0]


def _means(source: int, target: int) -> Float[Tensor, "target source"]:
    """Weights that shrink a row of pixels to the means over equal parts of it."""
    edge = torch.arange(target + 1, dtype=torch.float64) * source / target
    start = torch.arange(source, dtype=torch.float64)
    overlap = torch.minimum(edge[1:, None], start + 1) - torch.maximum(edge[:-1, None], start)
    return overlap.clamp(min=0) * target / source


def _rotate(x: Shaped[Tensor, "c h w"], change: Rotate, *, linear: bool) -> Shaped[Tensor, "c h w"]:
    height, width = x.shape[-2:]
    matrix = torch.as_tensor(change.matrix(height, width), dtype=torch.float64, device=x.device)
    rows, columns = (
        torch.arange(size, dtype=torch.float64, device=x.device) for size in (height, width)
    )
    column = matrix[0, 0] * columns + matrix[0, 1] * rows[:, None] + matrix[0, 2]
    row = matrix[1, 0] * columns + matrix[1, 1] * rows[:, None] + matrix[1, 2]
    if linear:
        grid = torch.stack([(2 * column + 1) / width - 1, (2 * row + 1) / height - 1], dim=-1)
        return F.grid_sample(x[None], grid[None].to(x), align_corners=False)[0]
    row, column = (row + 0.5).floor().long(), (column + 0.5).floor().long()
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    near = x[:, row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return torch.where(inside, near, torch.zeros_like(near))
