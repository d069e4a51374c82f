"""Which solid each pixel sees, and how deep it lies."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.rendering import intersect
from mtdata.rendering.arrays import BACK, CEILING, FLOOR, FRONT, LEFT, RIGHT, SHELL, Arrays
from mtdata.rendering.rays import Eye, Frame, directions, frame, turned
from mtdata.rendering.scene import Shape, Vector
from mtdata.rendering.windows import windows

Floats = NDArray[np.floating[Any]]
Solids = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Hits:
    """What the pixels see: depth in metres, index of the solid, direction of the ray [3, h, w]."""

    depth: Floats
    solid: Solids
    rays: Floats


def _shell(room: Vector, eye: Eye, world: Frame) -> tuple[Floats, Solids]:
    """The room from inside: the wall, floor or ceiling that a ray leaves by."""
    half = np.array(room) / 2
    origin = (np.array(eye.position) - half).astype(np.float32)
    _, (depth, y, z) = intersect.slabs(origin, half.astype(np.float32), world)
    positive = world.direction > 0
    solid = np.where(positive[0], np.int16(RIGHT), np.int16(LEFT))
    up = np.where(positive[1], np.int16(CEILING), np.int16(FLOOR))
    ahead = np.where(positive[2], np.int16(FRONT), np.int16(BACK))
    for other, here in ((y, up), (z, ahead)):
        nearer = other < depth
        np.copyto(depth, other, where=nearer)
        np.copyto(solid, here, where=nearer)
    return depth, solid


def _found(arrays: Arrays, i: int, shape: int, origin: Floats, size: Floats, seen: Frame) -> Floats:
    if shape == Shape.BOX:
        return intersect.box(origin, size, seen)
    if shape == Shape.ELLIPSOID:
        return intersect.ellipsoid(origin, size, seen.direction)
    if shape == Shape.FRUSTUM:
        return intersect.frustum(origin, size, seen.direction)
    return intersect.capsule(origin, size, np.float32(arrays.radius[i]), seen.direction)


def cast(
    eye: Eye, arrays: Arrays, solids: Iterable[int], world: Frame, depth: Floats, solid: Solids
) -> None:
    """Put into `depth` and `solid` what lies nearer of some solids, [h, w] both."""
    x, y, z = (np.array(eye.position) - arrays.centre).T
    c, s = arrays.plain_turn.T
    origins = np.stack((c * x - s * z, y, s * x + c * z), axis=1).astype(np.float32)
    sizes, shapes = arrays.plain_size.astype(np.float32), arrays.shape.tolist()
    turns, boxes = arrays.plain_turn.tolist(), windows(eye, arrays)
    for i in solids:
        box = boxes[i]
        if box is None:
            continue
        window = (slice(box[0], box[1]), slice(box[2], box[3]))
        seen = world.window(*window)
        if turns[i][1]:
            seen = frame(turned(seen.direction, *turns[i]))
        found = _found(arrays, i, shapes[i], origins[i], sizes[i], seen)
        here = depth[window]
        nearer = found < here
        nearer &= found > 0
        np.copyto(here, found, where=nearer)
        np.copyto(solid[window], np.int16(i), where=nearer)


def trace(room: Vector, eye: Eye, arrays: Arrays) -> Hits:
    """Cast one ray through the middle of each pixel."""
    rays = directions(eye)
    world = frame(rays)
    depth, solid = _shell(room, eye, world)
    cast(eye, arrays, range(SHELL, len(arrays.shape)), world, depth, solid)
    return Hits(depth, solid, rays)
