"""Crop and mirror of a whole batch at once, gathered from what a device keeps, with torch.

What `stored` beside it does to one sample. The same bits on any device: classes, depth and validity
are picked, and images are mixed in the integers in which OpenCV mixes them on x86. For normals the
order of the same sums differs (by 1e-6 where neighbours agree, by 2e-5 where they all but cancel).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from numpy.typing import NDArray
from torch import Tensor

from mtdata.reading.geometry.base import WEAK, Change
from mtdata.reading.geometry.crop import Crop
from mtdata.reading.geometry.flip import Flip
from mtdata.tasks.kinds import Kind
from mtdata.tasks.resize import centres

STEPS = 2048
"""Weights of pixels of an image are multiples of 1/STEPS, as those of OpenCV are."""


@dataclass(frozen=True)
class Axis:
    """For each image of a batch, what the pixels of its rows, or its columns, are made of.

    Args:
        near: The nearest pixel of the whole image.
        low: The one before the place that a pixel comes from.
        high: The one behind it.
        share: What of the mean of the two is of `high`.
    """

    near: Int[Tensor, "b r c"]
    low: Int[Tensor, "b r c"]
    high: Int[Tensor, "b r c"]
    share: Float[Tensor, "b r c"]


@dataclass(frozen=True)
class Windows:
    """The part of each image of a batch that is magnified to the whole, and perhaps mirrored.

    Args:
        rows: With axes [b, h, 1].
        columns: With axes [b, 1, w].
    """

    rows: Axis
    columns: Axis

    @classmethod
    def of(
        cls, changes: Sequence[Sequence[Change]], size: tuple[int, int], device: torch.device
    ) -> "Windows":
        """Those of some crops and flips.

        Args:
            changes: For each image, at most a crop, then at most a flip.
            size: Height and width of the images.
            device: Where they are.
        """
        height, width = size
        rows, columns = [], []
        for each in changes:
            crop = next((change for change in each if isinstance(change, Crop)), Crop(1.0))
            top, left, h, w = crop.box(*size)
            rows.append(_axis(top, h, height, border=False, mirrored=False))
            mirrored = any(isinstance(change, Flip) for change in each)
            columns.append(_axis(left, w, width, border=True, mirrored=mirrored))
        return cls(
            _stacked(rows, (height, 1), device),
            _stacked(columns, (1, width), device),
        )


def pick(
    kept: Shaped[Tensor, "n h w *c"], at: Int[Tensor, " b"], windows: Windows
) -> Shaped[Tensor, "b h w *c"]:
    """The nearest pixels of the images `at`."""
    return kept[at.view(-1, 1, 1), windows.rows.near, windows.columns.near]


def images(
    kept: UInt8[Tensor, "n h w 3"], at: Int[Tensor, " b"], windows: Windows
) -> UInt8[Tensor, "b h w 3"]:
    """The images `at`, bilinear, to the last bit as OpenCV makes them."""
    (up, down), (left, right) = (_weights(axis) for axis in (windows.rows, windows.columns))
    at, columns = at.view(-1, 1, 1), windows.columns

    def across(rows: Int[Tensor, "b h 1"]) -> Int[Tensor, "b h w 3"]:
        mixed = kept[at, rows, columns.low].int() * left
        mixed += kept[at, rows, columns.high].int() * right
        return mixed >> 4

    above = (across(windows.rows.low) * up) >> 16
    below = (across(windows.rows.high) * down) >> 16
    return ((above + below + 2) >> 2).to(torch.uint8)


def vectors(
    kept: Float[Tensor, "n h w c"],
    valid: Bool[Tensor, "n h w"],
    at: Int[Tensor, " b"],
    windows: Windows,
) -> Float[Tensor, "b h w c"]:
    """Unit vectors `at`, bilinear with weight zero on void pixels, which are zero, made unit again.

    Zero where the nearest pixel is void; the nearest one where the mean all but cancels.
    """
    rows, columns = windows.rows, windows.columns
    place = at.view(-1, 1, 1)
    right, down = columns.share[..., None], rows.share[..., None]

    def across(row: Int[Tensor, "b h 1"]) -> Float[Tensor, "b h w c"]:
        left = kept[place, row, columns.low] * (1 - right)
        return left + kept[place, row, columns.high] * right

    mixed = across(rows.low) * (1 - down) + across(rows.high) * down
    square = (mixed * mixed).sum(-1, keepdim=True)
    unit = mixed / square.sqrt().clamp(min=torch.finfo(kept.dtype).tiny)
    unit = torch.where(square < WEAK**2, pick(kept, at, windows), unit)
    return unit * pick(valid, at, windows)[..., None]


def corrected(
    label: Shaped[Tensor, "b h w *c"],
    kind: Kind,
    changes: Sequence[Sequence[Change]],
    *,
    paper: bool,
) -> Shaped[Tensor, "b h w *c"]:
    """What crops and flips do to the values of labels: a factor on each channel."""
    channels = label.shape[3:].numel()
    factors = np.ones((len(changes), channels), np.float32)
    ones = np.ones((1, 1, channels), np.float32)
    for row, each in enumerate(changes):
        for change in each:
            # They are linear and mix no channels: what they make of ones says all.
            factors[row] *= change.correct(kind, ones, paper=paper)[0, 0]
    if (factors == 1).all():
        return label
    on = torch.from_numpy(factors).to(label.device, non_blocking=True)
    return label * on.view(-1, 1, 1, *label.shape[3:])


def _axis(
    start: int, length: int, target: int, *, border: bool, mirrored: bool
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Near, low and high, [3, target], and the share, [target], in the arithmetic of OpenCV.

    Beyond the outermost pixels it takes these, and where there is a `border`, with all the weight.
    """
    place = ((np.arange(target) + 0.5) * (length / target) - 0.5).astype(np.float32)
    low = np.floor(place).astype(np.int64)
    share = place - low.astype(np.float32)
    if border:
        share[(low < 0) | (low >= length - 1)] = 0
    places = np.stack([centres(target, length), low, low + 1]).clip(0, length - 1) + start
    step = -1 if mirrored else 1
    return places[:, ::step], share[::step]


def _stacked(
    axes: Sequence[tuple[NDArray[np.int64], NDArray[np.float32]]],
    shape: tuple[int, int],
    device: torch.device,
) -> Axis:
    places = torch.from_numpy(np.stack([places for places, _ in axes], 1))
    shares = torch.from_numpy(np.stack([share for _, share in axes])).view(-1, *shape)
    near, low, high = places.view(3, -1, *shape).to(device, non_blocking=True)
    return Axis(near, low, high, shares.to(device, non_blocking=True))


def _weights(axis: Axis) -> tuple[Int[Tensor, "b r c 1"], Int[Tensor, "b r c 1"]]:
    """The weights of low and high in whole steps."""
    share = axis.share[..., None]
    low, high = ((part * STEPS).round().int() for part in (1 - share, share))
    return low, high
