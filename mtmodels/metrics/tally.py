"""Passes over whole maps: image by image where a cache helps, without branches at masks."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int, Integer, Shaped
from torch import Tensor

_WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Whole numbers by their size in bytes."""


class NotFiniteError(ArithmeticError):
    """A prediction holds NaN or infinity."""


def pieces(images: int, device: torch.device) -> Iterator[slice]:
    """Parts of a batch: on a processor as many images at a time as threads, elsewhere all.

    What is read and made of one image fits into the cache of a core; of a batch it takes up to
    three times as long. (Threads of Python, with an image each, take longer than one of them.)
    """
    size = torch.get_num_threads() if device.type == "cpu" else max(images, 1)
    return (slice(first, first + size) for first in range(0, images, size))


def all_finite(values: Float[Tensor, "*n"]) -> bool:
    """Whether none of the values is NaN or infinite."""
    # A sum is finite only where all are, and takes a thirtieth of the time; it may overflow too.
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())


def kept(values: Shaped[Tensor, "*n"], valid: Bool[Tensor, "*n"]) -> Shaped[Tensor, "*n"]:
    """The values that are valid, and 0 in place of the others, NaN too: `where` in half the time.

    Every bit of a value is kept or none, which processors do for whole vectors; `where` branches.
    """
    whole = _WHOLE[values.element_size()]
    return (values.view(whole) & valid.to(whole).neg_()).view(values.dtype)


def bincounts(cell: Integer[Tensor, "n ..."], cells: int) -> Int[Tensor, "n {cells}"]:
    """How often each image has each of the numbers 0 to `cells` - 1, all of which are below it."""
    n = len(cell)
    if cell.device.type == "cpu" and n > 0:  # counts on one core in any case
        return torch.stack([torch.bincount(one.flatten(), minlength=cells) for one in cell])
    first = torch.arange(n, device=cell.device, dtype=torch.int32) * cells
    cell = cell.flatten(1).int() + first[:, None]
    return torch.bincount(cell.flatten(), minlength=n * cells).reshape(n, cells)


def left_out(valid: Bool[Tensor, "n h w"]) -> Int[Tensor, " n"]:
    """How many pixels of each image are not valid."""
    _, h, w = valid.shape
    return h * w - valid.sum((1, 2), dtype=torch.int32)
