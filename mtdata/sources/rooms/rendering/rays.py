"""Rays of a pinhole camera, in the world and in the frames of turned solids."""

from dataclasses import dataclass

import numpy as np

from mtdata.sources.rooms.rendering.gather import Floats
from mtdata.sources.rooms.rendering.scene import Vector, View
from mtdata.tasks.sample import Camera

# No component of a direction is nearer to zero than this, so that it can be divided by.
_LEAST = np.float32(1e-9)


@dataclass(frozen=True, slots=True)
class Eye:
    """A pinhole camera in the world; lamps see through one too.

    Args:
        position: Metres.
        axes: Right, up and towards the viewer, in the world.
        camera: Focal lengths and centre, pixels.
        size: Height and width, pixels.
    """

    position: Vector
    axes: tuple[Vector, Vector, Vector]
    camera: Camera
    size: tuple[int, int]


def eye_of(view: View, size: tuple[int, int]) -> Eye:
    """The eye of a view for a picture of `size`: square pixels, centred."""
    h, w = size
    camera = Camera(view.focal * w, view.focal * w, w / 2, h / 2)
    return Eye(view.position, view.axes(), camera, size)


def directions(eye: Eye) -> Floats:
    """Direction of the ray through each pixel in the world, [3, h, w].

    The step along the optical axis is 1, so that lengths on a ray are depths.
    """
    (h, w), camera = eye.size, eye.camera
    x = (np.arange(w) + 0.5 - camera.cx) / camera.fx
    y = (camera.cy - np.arange(h) - 0.5) / camera.fy
    rays = np.empty((3, h, w), np.float32)
    # Added in a fixed order rather than by a matrix product, whose order differs by machine.
    for ray, right, up, back in zip(rays, *eye.axes, strict=True):
        np.add(right * x[None, :], (up * y - back)[:, None], out=ray, casting="same_kind")
    return nonzero(rays)


def nonzero(values: Floats) -> Floats:
    """The values, none of them too near zero to divide by; changes them in place."""
    np.copyto(values, _LEAST, where=np.abs(values) < _LEAST)
    return values


def rotated(vectors: Floats, turn: Floats, way: int) -> Floats:
    """Vectors [3, n] turned about the vertical, each by its own turn; back where `way` is -1."""
    c, s = turn[0], way * turn[1]
    x, y, z = vectors
    result = np.empty_like(vectors)
    result[0] = c * x + s * z
    result[1] = y
    result[2] = c * z - s * x
    return result
