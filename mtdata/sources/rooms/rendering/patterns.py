"""Two-coloured textures: how much of the second colour shows at a point of a surface.

Each function takes a `Spot` and gives shares in [0, 1].
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.rooms.rendering import noise
from mtdata.sources.rooms.rendering.gather import Floats
from mtdata.sources.rooms.rendering.scene import Texture


@dataclass(frozen=True, slots=True)
class Spot:
    """Points of surfaces with one texture, flat arrays.

    Args:
        u: Metres across the surface, in repeats of the texture.
        v: Metres up the surface, in repeats of the texture.
        side: Place on the face across and up, -1..1 between its edges, [2, n].
        extent: Half the width and height of the face in repeats, [2, n].
        front: Whether the face looks along z in the frame of its solid.
        seed: Of the material.
        coarse: Smooth noise over about 0.2 m.
    """

    u: Floats
    v: Floats
    side: Floats
    extent: Floats
    front: NDArray[np.bool_]
    seed: NDArray[np.uint32]
    coarse: Floats


Pattern = Callable[[Spot], Floats]


def _fraction(x: Floats) -> Floats:
    return x - np.floor(x)


def _plain(at: Spot) -> Floats:
    return np.float32(0.6) * at.coarse


def _grain(at: Spot) -> Floats:
    """Streaks along u, wavy and of several widths."""
    wave = at.v + np.float32(0.4) * at.coarse
    wide = noise.smooth(np.float32(0.35) * at.u, 4 * wave, at.seed)
    thin = noise.smooth(np.float32(0.9) * at.u, 17 * wave, at.seed + np.uint32(1))
    return np.float32(0.6) * wide + np.float32(0.4) * thin


def _planks(at: Spot) -> Floats:
    """Boards along v, one unit wide and nine long, each of its own tone, with gaps."""
    board = np.floor(at.u)
    start = at.v / 9 + noise.uniform(noise.cell(board, board, at.seed))
    tone = noise.uniform(noise.cell(board, np.floor(start), at.seed + np.uint32(1)))
    streak = noise.smooth(9 * at.u, np.float32(0.5) * at.v, at.seed + np.uint32(2))
    edge = np.minimum(_fraction(at.u), 9 * _fraction(start))
    share = np.float32(0.65) * tone + np.float32(0.35) * streak
    return np.where(edge < np.float32(0.05), np.float32(1.3), share)


def _tiles(at: Spot) -> Floats:
    """Squares that alternate, with joints."""
    a, b = np.floor(at.u), np.floor(at.v)
    odd = (a + b) - 2 * np.floor((a + b) / 2)
    tone = np.float32(0.12) * noise.uniform(noise.cell(a, b, at.seed))
    joint = np.minimum(_fraction(at.u), _fraction(at.v)) < np.float32(0.03)
    return np.where(joint, np.float32(0.6), np.float32(0.85) * odd + tone)


def _fabric(at: Spot) -> Floats:
    """Threads."""
    return noise.smooth(at.u, at.v, at.seed)


def _stripes(at: Spot) -> Floats:
    """Upright bands, one wide and one narrow a repeat."""
    place = _fraction(at.u)
    narrow = np.abs(place - np.float32(0.6)) < np.float32(0.05)
    share: Floats = ((place < np.float32(0.3)) | narrow).astype(np.float32)
    return share


def _plaid(at: Spot) -> Floats:
    """Crossing bands that darken where they meet."""
    across, up = _fraction(at.u) < np.float32(0.4), _fraction(at.v) < np.float32(0.4)
    return np.float32(0.5) * (across.astype(np.float32) + up.astype(np.float32))


def _bricks(at: Spot) -> Floats:
    """Courses of bricks, each shifted by half a brick, in mortar."""
    course = np.floor(3 * at.v)
    along = at.u + np.float32(0.5) * (course - 2 * np.floor(course / 2))
    tone = noise.uniform(noise.cell(np.floor(along), course, at.seed))
    a, b = _fraction(along), _fraction(3 * at.v)
    joint = (a < np.float32(0.06)) | (b < np.float32(0.15))
    return np.where(joint, np.float32(1), np.float32(0.45) * tone)


def _dots(at: Spot) -> Floats:
    """Round dots, every other row shifted."""
    row = np.floor(at.v)
    x = _fraction(at.u + np.float32(0.5) * (row - 2 * np.floor(row / 2))) - np.float32(0.5)
    y = _fraction(at.v) - np.float32(0.5)
    return (x * x + y * y < np.float32(0.08)).astype(np.float32)


def _panels(at: Spot) -> Floats:
    """Doors or drawers on a front: as many as fit, with a groove around each and a knob."""
    columns, rows = (np.maximum(np.rint(2 * e), 1) for e in at.extent)
    a = _fraction((at.side[0] * np.float32(0.4999) + np.float32(0.5)) * columns)
    b = _fraction((at.side[1] * np.float32(0.4999) + np.float32(0.5)) * rows)
    wide, tall = 2 * at.extent[0] / columns, 2 * at.extent[1] / rows
    edge = np.minimum(np.minimum(a, 1 - a) * wide, np.minimum(b, 1 - b) * tall)
    knob = ((a - np.float32(0.5)) * wide) ** 2 + ((b - np.float32(0.8)) * tall) ** 2
    dark = at.front & ((edge < np.float32(0.035)) | (knob < np.float32(0.002)))
    return np.where(dark, np.float32(1.7), _grain(at))


def _folds(at: Spot) -> Floats:
    """Cloth that hangs in folds along u."""
    place = np.abs(2 * _fraction(at.u + np.float32(0.6) * at.coarse) - 1)
    return np.float32(1.5) * place * place


PATTERNS: dict[Texture, Pattern] = {
    Texture.PLAIN: _plain,
    Texture.WOOD: _grain,
    Texture.PLANKS: _planks,
    Texture.TILES: _tiles,
    Texture.FABRIC: _fabric,
    Texture.STRIPES: _stripes,
    Texture.PLAID: _plaid,
    Texture.BRICKS: _bricks,
    Texture.DOTS: _dots,
    Texture.PANELS: _panels,
    Texture.FOLDS: _folds,
}
