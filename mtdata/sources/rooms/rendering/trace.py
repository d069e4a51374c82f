"""Which solid each pixel sees, and how deep it lies."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from mtdata.sources.rooms.rendering import intersect
from mtdata.sources.rooms.rendering.arrays import (
    BACK,
    CEILING,
    FLOOR,
    FRONT,
    LEFT,
    RIGHT,
    SHELL,
    Arrays,
)
from mtdata.sources.rooms.rendering.gather import Floats, Index, looked_up, taken
from mtdata.sources.rooms.rendering.rays import Eye, directions, nonzero, rotated
from mtdata.sources.rooms.rendering.scene import FORWARD, Shape, Vector
from mtdata.sources.rooms.rendering.windows import pairs, windows

_CONVEX = (Shape.BOX, Shape.ELLIPSOID, Shape.FRUSTUM, Shape.CAPSULE)


@dataclass(frozen=True, slots=True)
class Hits:
    """What the pixels see: depth in metres, index of the solid, direction of the ray [3, h, w]."""

    depth: Floats
    solid: Index
    rays: Floats


def _shell(room: Vector, eye: Eye, rays: Floats) -> tuple[Floats, Index]:
    """The room from inside: the wall, floor or ceiling that a ray leaves by."""
    half = np.array(room)[:, None] / 2
    origin = (np.array(eye.position)[:, None] - half).astype(np.float32)
    depth, y, z = intersect.leaving(origin, half.astype(np.float32), rays)
    positive = rays > 0
    solid = np.where(positive[0], RIGHT, LEFT)
    up = np.where(positive[1], CEILING, FLOOR)
    ahead = np.where(positive[2], FRONT, BACK)
    for other, here in ((y, up), (z, ahead)):
        nearer = other < depth
        np.copyto(depth, other, where=nearer)
        np.copyto(solid, here, where=nearer)
    return depth, solid


def _aligned(arrays: Arrays) -> Arrays:
    """The same surfaces with fewer turns: quarter turns become sizes, frusta need none."""
    quarter = (arrays.turn[:, :1] == 0) & (arrays.shape != Shape.FRUSTUM)[:, None]
    needless = (arrays.turn == 0).any(axis=1) | (arrays.shape == Shape.FRUSTUM)
    return replace(
        arrays,
        size=np.where(quarter, arrays.size[:, ::-1], arrays.size),
        reach=np.where(quarter, arrays.reach[:, ::-1], arrays.reach),
        turn=np.where(needless[:, None], FORWARD, arrays.turn),
    )


def _lengths(eye: Eye, arrays: Arrays, shape: Shape, solid: Index, rays: Floats) -> Floats:
    """Lengths at which rays [3, n] of the eye meet a solid each, all of one shape.

    Either all of the solids are turned, or none.
    """
    away = np.array(eye.position) - arrays.centre
    x, y, z = away.T
    c, s = arrays.turn.T
    origin = looked_up(np.stack((c * x - s * z, y, s * x + c * z), axis=1), solid)
    if arrays.turn[solid[0], 1]:
        rays = nonzero(rotated(rays, looked_up(arrays.turn, solid), -1))
    size = looked_up(arrays.size, solid)
    if shape is Shape.BOX:
        return intersect.box(origin, size, rays)
    # To the depth of the middle of the solid, so that what is left is small.
    ahead: Floats = looked_up((away * np.array(eye.axes[2])).sum(axis=1, keepdims=True), solid)[0]
    origin += ahead * rays
    if shape is Shape.ELLIPSOID:
        found = intersect.ellipsoid(origin, size, rays)
    elif shape is Shape.FRUSTUM:
        found = intersect.frustum(origin, size, rays)
    else:
        radius = looked_up(arrays.radius[:, None], solid)[0]
        found = intersect.capsule(origin, size, rays, radius)
    found += ahead
    return found


def cast(
    eye: Eye, arrays: Arrays, solids: Index, rays: Floats, depth: Floats, solid: Index
) -> None:
    """Put into `depth` and `solid` what lies nearer of some solids; [n], for rays [3, n]."""
    arrays = _aligned(arrays)
    bounds = windows(eye, arrays, solids)
    shapes, turned = arrays.shape[solids], arrays.turn[solids, 1] != 0
    for shape, bent in product(_CONVEX, (False, True)):
        here = np.flatnonzero((shapes == shape) & (turned == bent) & (bounds[1] > 0))
        if not here.size:
            continue
        window, pixel = pairs(bounds[:, here], eye.size[1])
        which = solids[here][window]
        found = _lengths(eye, arrays, shape, which, taken(rays, pixel))
        kept = np.flatnonzero((found < depth[pixel]) & (found > 0))
        found, pixel, which = found[kept], pixel[kept], which[kept]
        np.minimum.at(depth, pixel, found)
        first = found == depth[pixel]
        solid[pixel[first]] = which[first]


def trace(room: Vector, eye: Eye, arrays: Arrays) -> Hits:
    """Cast one ray through the middle of each pixel."""
    rays = directions(eye)
    flat = rays.reshape(3, -1)
    depth, solid = _shell(room, eye, flat)
    cast(eye, arrays, np.arange(SHELL, len(arrays.shape)), flat, depth, solid)
    return Hits(depth.reshape(eye.size), solid.reshape(eye.size), rays)
