"""Where on its solid each pixel lies, and which way the surface faces there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.rooms.rendering.arrays import Arrays
from mtdata.sources.rooms.rendering.gather import Floats, Index, looked_up, put, taken
from mtdata.sources.rooms.rendering.intersect import dot
from mtdata.sources.rooms.rendering.rays import Eye, rotated
from mtdata.sources.rooms.rendering.scene import Shape
from mtdata.sources.rooms.rendering.trace import Hits

# Shell: floor, ceiling, left, right, back, front, seen from inside.
_INWARD = np.array(
    ((0, 1, 0), (0, -1, 0), (1, 0, 0), (-1, 0, 0), (0, 0, 1), (0, 0, -1)), np.float32
)
# Normals lean to the viewer by at least this cosine: at the rim of a round solid, rounding may
# otherwise turn them away.
_LEAN = np.float32(1e-4)


@dataclass(frozen=True, slots=True)
class Surface:
    """Points of the pixels, flattened: [3, n] each.

    Args:
        point: In the world, metres.
        local: In the frame of the solid, metres.
        facing: Unit normal in the frame of the solid.
        normal: Unit normal in the world.
        toward: Unit vector to the viewer in the world.
        solid: [n], index of the solid.
    """

    point: Floats
    local: Floats
    facing: Floats
    normal: Floats
    toward: Floats
    solid: Index


def _of_boxes(local: Floats, ray: Floats, size: Floats) -> Floats:
    """The face on which a point lies, among those that face the viewer."""
    outward = np.copysign(np.float32(1), -ray)
    x, y, z = local * outward / size
    along_y, along_z = y > x, z > np.maximum(x, y)
    normal = np.zeros_like(local)
    np.copyto(normal[2], outward[2], where=along_z)
    np.copyto(normal[1], outward[1], where=along_y & ~along_z)
    np.copyto(normal[0], outward[0], where=~(along_y | along_z))
    return normal


def _of_frusta(local: Floats, ray: Floats, size: Floats) -> Floats:
    low, half, high = size
    slope = (high - low) / (2 * half)
    x, y, z = local
    normal = np.stack((x, -slope * np.sqrt(x * x + z * z), z))
    lid = np.copysign(np.float32(1), -ray[1])
    radius = (low + high) / 2 + slope * y
    # On a lid: nearer to its plane than to the mantle.
    flat = half - lid * y < np.abs(radius - np.sqrt(x * x + z * z))
    normal *= ~flat
    np.copyto(normal[1], lid, where=flat)
    return normal


def _of_capsules(local: Floats, half: Floats) -> Floats:
    share = dot(local, half) / dot(half, half)
    return local - half * np.minimum(np.maximum(share, -1), 1)


def _unit(vectors: Floats) -> Floats:
    length = np.sqrt(dot(vectors, vectors))
    unit: Floats = vectors * (1 / np.maximum(length, np.float32(1e-20)))
    return unit


def _facing(shape: NDArray[np.int8], solid: Index, local: Floats, ray: Floats,
            size: Floats) -> Floats:  # fmt: skip
    """Normals in the frames of the solids."""
    normal = looked_up(_INWARD, np.minimum(solid, len(_INWARD) - 1))
    for kind in (Shape.BOX, Shape.ELLIPSOID, Shape.FRUSTUM, Shape.CAPSULE):
        here = np.flatnonzero(shape == kind)
        if not here.size:
            continue
        point, extent = taken(local, here), taken(size, here)
        if kind is Shape.BOX:
            facing = _of_boxes(point, taken(ray, here), extent)
        elif kind is Shape.ELLIPSOID:
            facing = _unit(point / (extent * extent))
        elif kind is Shape.FRUSTUM:
            facing = _unit(_of_frusta(point, taken(ray, here), extent))
        else:
            facing = _unit(_of_capsules(point, extent))
        put(normal, here, facing)
    return normal


def surface(eye: Eye, arrays: Arrays, hits: Hits) -> Surface:
    """The surfaces that the pixels see."""
    solid = hits.solid.reshape(-1)
    rays, depth = hits.rays.reshape(3, -1), hits.depth.reshape(-1)
    viewer = np.array(eye.position)
    x, y, z = (viewer - arrays.centre).T
    c, s = arrays.turn.T
    origin = np.stack((c * x - s * z, y, s * x + c * z)).astype(np.float32)
    turn = looked_up(arrays.turn, solid)
    ray = rotated(rays, turn, -1)
    local = taken(origin, solid) + depth * ray
    shape = arrays.shape.astype(np.int8)[solid]
    facing = _facing(shape, solid, local, ray, looked_up(arrays.size, solid))
    normal = rotated(facing, turn, 1)
    toward = -_unit(rays)
    lean = dot(normal, toward)
    away = np.flatnonzero(lean < _LEAN)
    lifted = taken(normal, away) + (_LEAN - lean[away]) * taken(toward, away)
    put(normal, away, _unit(lifted))
    point = viewer.astype(np.float32)[:, None] + depth * rays
    return Surface(point, local, facing, normal, toward, solid)


def camera_normals(eye: Eye, normal: Floats) -> Floats:
    """World normals [3, n] in the camera frame: x right, y up, z towards the viewer."""
    turned = np.empty_like(normal)
    for row, (a, b, c) in zip(turned, eye.axes, strict=True):
        row[:] = np.float32(a) * normal[0] + np.float32(b) * normal[1] + np.float32(c) * normal[2]
    return _unit(turned)
