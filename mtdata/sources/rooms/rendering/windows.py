"""Which pixels of an eye may see a solid: a rectangle around its box as the eye sees it."""

from itertools import combinations, product

import numpy as np

from mtdata.sources.rooms.rendering.arrays import Arrays
from mtdata.sources.rooms.rendering.gather import Floats, Index
from mtdata.sources.rooms.rendering.rays import Eye

_NEAR = 0.02
_CORNERS = np.array(list(product((-1.0, 1.0), repeat=3)))
_EDGES = np.array(
    [(i, j) for i, j in combinations(range(8), 2) if (_CORNERS[i] != _CORNERS[j]).sum() == 1]
)


def _corners(eye: Eye, arrays: Arrays, solids: Index) -> Floats:
    """Corners of the boxes in the frame of the eye: right, up and ahead; [3, 8, n]."""
    x, y, z = _CORNERS.T[..., None] * arrays.reach[solids].T[:, None]
    c, s = arrays.turn[solids].T
    away = (arrays.centre[solids] - np.array(eye.position)).T
    x, y, z = c * x + s * z + away[0], y + away[1], c * z - s * x + away[2]
    right, up, back = eye.axes
    return np.stack(
        [
            right[0] * x + right[1] * y + right[2] * z,
            up[0] * x + up[1] * y + up[2] * z,
            -back[0] * x - back[1] * y - back[2] * z,
        ]
    )


def _clipped(corners: Floats) -> Floats:
    """Points around what of each box lies before the eye, [3, 20, m], for boxes that are partly so.

    Corners behind are replaced by the places where edges pass the plane just before the eye.
    """
    first, second = corners[:, _EDGES[:, 0]], corners[:, _EDGES[:, 1]]
    a, b = first[2] - _NEAR, second[2] - _NEAR
    share = np.clip(a / np.where(a == b, 1.0, a - b), 0.0, 1.0)
    cuts = np.where((a < 0) != (b < 0), first + share * (second - first), np.nan)
    kept = np.where(corners[2] > _NEAR, corners, np.nan)
    return np.concatenate((kept, cuts), axis=1)


def _bounds(eye: Eye, points: Floats) -> Index:
    """First and end row, first and end column around points [3, k, n]; not a number is no point."""
    right, up, ahead = points
    camera, (h, w) = eye.camera, eye.size
    near = 1 / ahead
    column, row = camera.cx + camera.fx * right * near, camera.cy - camera.fy * up * near
    # A pixel to spare on each side outweighs rounding.
    bounds = np.stack(
        (
            np.fmin.reduce(row) - 1,
            np.fmax.reduce(row) + 2,
            np.fmin.reduce(column) - 1,
            np.fmax.reduce(column) + 2,
        )
    )
    limit = np.array((h, h, w, w))[:, None]
    kept: Index = np.minimum(np.maximum(bounds, 0), limit).astype(np.intp)
    return kept


def windows(eye: Eye, arrays: Arrays, solids: Index) -> Index:
    """First row, end row, first column and end column for each of some solids, [4, n].

    All are 0 where no pixel can see it.
    """
    corners = _corners(eye, arrays, solids)
    nearest, farthest = corners[2].min(axis=0), corners[2].max(axis=0)
    whole = np.flatnonzero(nearest > _NEAR)
    partly = np.flatnonzero((nearest <= _NEAR) & (farthest > _NEAR))
    bounds = np.zeros((4, solids.size), np.intp)
    bounds[:, whole] = _bounds(eye, corners[..., whole])
    if partly.size:
        bounds[:, partly] = _bounds(eye, _clipped(corners[..., partly]))
    bounds[:, (bounds[0] >= bounds[1]) | (bounds[2] >= bounds[3])] = 0
    return bounds


def pairs(bounds: Index, width: int) -> tuple[Index, Index]:
    """Every pixel of every window: which window, and the index of the pixel in its picture."""
    wide = bounds[3] - bounds[2]
    count = wide * (bounds[1] - bounds[0])
    window = np.repeat(np.arange(count.size), count)
    # Where a window starts among the pairs is where counting its pixels starts from 0.
    start = np.cumsum(count) - count
    within = np.arange(window.size) - np.repeat(start, count)
    row = within.astype(np.int32) // np.repeat(np.maximum(wide, 1).astype(np.int32), count)
    first = np.repeat(bounds[0] * width + bounds[2], count)
    return window, first + within + row * np.repeat(width - wide, count)
