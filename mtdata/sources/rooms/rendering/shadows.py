"""Which points a lamp lights, by a shadow map: what the lamp itself sees of the furniture.

Reference: Williams 1978, "Casting curved shadows on curved surfaces".
"""

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.rooms.rendering import noise
from mtdata.sources.rooms.rendering.arrays import Arrays
from mtdata.sources.rooms.rendering.gather import Floats, taken
from mtdata.sources.rooms.rendering.rays import Eye, directions
from mtdata.sources.rooms.rendering.scene import Lamp, Shape, Vector
from mtdata.sources.rooms.rendering.surface import Surface
from mtdata.sources.rooms.rendering.trace import cast
from mtdata.tasks.sample import Camera

_WIDEST = 3.0
"""Tangent of the steepest angle to its aim at which a lamp throws shadows."""
_BIAS = np.float32(0.03)
"""Metres by which a surface has to lie behind another to be in its shadow."""


def _axes(aim: Vector) -> tuple[Vector, Vector, Vector]:
    """Right, up and back of an eye that looks along `aim`."""
    back = (-aim[0], -aim[1], -aim[2])
    up = (0.0, 0.0, -1.0) if aim[1] else (0.0, 1.0, 0.0)
    right = (
        up[1] * back[2] - up[2] * back[1],
        up[2] * back[0] - up[0] * back[2],
        up[0] * back[1] - up[1] * back[0],
    )
    return right, up, back


def _eye(lamp: Lamp, x: Floats, y: Floats, side: int) -> Eye:
    """An eye of `side` x `side` pixels that sees all tangents `x` and `y`, to `_WIDEST`."""
    left, right = max(float(x.min()), -_WIDEST), min(float(x.max()), _WIDEST)
    low, high = max(float(y.min()), -_WIDEST), min(float(y.max()), _WIDEST)
    fx, fy = side / max(right - left, 0.01), side / max(high - low, 0.01)
    return Eye(lamp.position, _axes(lamp.aim), Camera(fx, fy, -left * fx, high * fy), (side, side))


@cache
def _jitter(size: tuple[int, int]) -> Floats:
    """Offsets in -1..1, [2, n]: sixteen pairs in blocks of 4 x 4 pixels, even in both axes."""
    order = np.array(((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5)))
    rank = order[np.arange(size[0])[:, None] % 4, np.arange(size[1]) % 4].reshape(-1)
    words = rank.astype(np.uint32)
    return np.stack((rank / np.float32(7.5) - 1, 2 * noise.uniform(words) - 1)).astype(np.float32)


def _coarse(arrays: Arrays) -> Arrays:
    """The scene with an ellipsoid in place of each round solid: nobody sees it in a shadow."""
    flat = (arrays.shape == Shape.BOX) | (arrays.shape == Shape.PLANE)
    return replace(arrays, shape=np.where(flat, arrays.shape, Shape.ELLIPSOID), size=arrays.reach)


def lit(arrays: Arrays, lamp: Lamp, seen: Surface, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether light of the lamp reaches each of the `n` pixels of a picture of `size`.

    Each pixel asks at its own place of the lamp: a blur over 3 x 3 pixels makes the shadow soft.
    No solid is in its own shadow here: they are convex, so the normal knows that.
    """
    path = seen.point - np.array(lamp.position, np.float32)[:, None]
    right, up, back = np.array(_axes(lamp.aim), np.float32) @ path
    ahead = np.flatnonzero(back < -np.float32(0.05))
    lights = np.ones(seen.solid.size, bool)
    if not ahead.size:
        return lights
    depth = -back[ahead]
    x, y = right[ahead] / depth, up[ahead] / depth
    side = max(8, 3 * size[0] // 4)
    eye = _eye(lamp, x, y, side)
    shadow = np.full(side * side, np.inf, np.float32)
    rays, casters = directions(eye).reshape(3, -1), np.flatnonzero(arrays.shades)
    cause = np.zeros(side * side, np.intp)
    cast(eye, _coarse(arrays), casters, rays, shadow, cause)
    soft = np.float32(0.35 * lamp.radius) * taken(_jitter(size), ahead) / depth
    column = (np.float32(eye.camera.cx) + np.float32(eye.camera.fx) * (x + soft[0])).astype(
        np.int32
    )
    row = (np.float32(eye.camera.cy) - np.float32(eye.camera.fy) * (y + soft[1])).astype(np.int32)
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    place = np.where(inside, row * side + column, 0)
    own = cause[place] == seen.solid[ahead]
    lights[ahead] = ~inside | own | (shadow[place] > depth - _BIAS)
    return lights
