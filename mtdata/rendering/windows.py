"""Which pixels of an eye may see a solid: a rectangle around its box as the eye sees it."""

from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from mtdata.rendering.arrays import Arrays
from mtdata.rendering.rays import Eye

Floats = NDArray[np.float64]
Window = tuple[int, int, int, int]
"""First row, end row, first column, end column."""

_NEAR = 0.02
_CORNERS = np.array(list(product((-1.0, 1.0), repeat=3)))
_EDGES = np.array(
    [(i, j) for i, j in combinations(range(8), 2) if (_CORNERS[i] != _CORNERS[j]).sum() == 1]
)


def _corners(eye: Eye, arrays: Arrays) -> Floats:
    """Corners of the boxes in the frame of the eye: right, up and ahead; [3, n, 8]."""
    corner = arrays.reach[:, None] * _CORNERS
    c, s = arrays.plain_turn[:, :1], arrays.plain_turn[:, 1:]
    away = arrays.centre - np.array(eye.position)
    x = c * corner[..., 0] + s * corner[..., 2] + away[:, :1]
    y = corner[..., 1] + away[:, 1:2]
    z = c * corner[..., 2] - s * corner[..., 0] + away[:, 2:]
    right, up, back = eye.axes
    ahead = (-back[0], -back[1], -back[2])
    return np.stack([a * x + b * y + d * z for a, b, d in (right, up, ahead)])


def _clipped(corners: Floats) -> Floats:
    """Points around what of each box lies before the eye, [3, m, 20], for boxes that are partly so.

    Corners behind are replaced by the places where edges pass the plane just before the eye.
    """
    first, second = corners[..., _EDGES[:, 0]], corners[..., _EDGES[:, 1]]
    a, b = first[2] - _NEAR, second[2] - _NEAR
    share = np.clip(a / np.where(a == b, 1.0, a - b), 0.0, 1.0)
    cuts = np.where((a < 0) != (b < 0), first + share * (second - first), np.nan)
    kept = np.where(corners[2] > _NEAR, corners, np.nan)
    return np.concatenate((kept, cuts), axis=-1)


def _bounds(eye: Eye, points: Floats) -> NDArray[np.int64]:
    """First and end row, first and end column around points [3, n, k]; not a number is no point."""
    right, up, ahead = points
    camera, (h, w) = eye.camera, eye.size
    column = camera.cx + camera.fx * right / ahead
    row = camera.cy - camera.fy * up / ahead
    # A pixel to spare on each side outweighs rounding.
    spans = [
        f(a, axis=1) + d
        for a in (row, column)
        for f, d in ((np.fmin.reduce, -1.0), (np.fmax.reduce, 2.0))
    ]
    limit = np.array((h, h, w, w))[:, None]
    bounds: NDArray[np.int64] = np.clip(np.stack(spans), 0, limit).astype(np.int64)
    return bounds


def windows(eye: Eye, arrays: Arrays) -> list[Window | None]:
    """A window for each solid, None where no pixel can see it."""
    corners = _corners(eye, arrays)
    before = corners[2] > _NEAR
    whole, none = before.all(axis=1), ~before.any(axis=1)
    bounds = np.zeros((4, len(whole)), np.int64)
    bounds[:, whole] = _bounds(eye, corners[:, whole])
    partly = np.flatnonzero(~whole & ~none)
    if partly.size:
        bounds[:, partly] = _bounds(eye, _clipped(corners[:, partly]))
    empty = (bounds[0] >= bounds[1]) | (bounds[2] >= bounds[3])
    boxes = zip(*bounds.tolist(), empty.tolist(), strict=True)
    return [None if nothing else (a, b, c, d) for a, b, c, d, nothing in boxes]
