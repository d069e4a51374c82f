"""Where rays meet solids: the first length at which a ray enters, infinite where it misses.

All functions take the viewer's place `origin` and directions `[3, h, w]` in the frame of the solid,
which is convex and centred there. Round solids are solved about a point near them, so that float32
keeps micrometres.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.rendering.rays import Frame

Floats = NDArray[np.floating[Any]]
_MISS = np.float32(np.inf)
_TINY = np.float32(1e-20)


def dot(first: Floats, second: Floats) -> Floats:
    """Inner products over the first axis, added in a fixed order."""
    total: Floats = first[0] * second[0]
    total += first[1] * second[1]
    total += first[2] * second[2]
    return total


def slabs(origin: Floats, size: Floats, frame: Frame) -> tuple[Floats, Floats]:
    """Lengths at which rays enter and leave a box, for each axis; [3, h, w] both."""
    middle = frame.inverse * -origin[:, None, None]
    half = frame.magnitude * size[:, None, None]
    enter = middle - half
    middle += half
    return enter, middle


def box(origin: Floats, size: Floats, frame: Frame) -> Floats:
    """A box of half sizes `size`."""
    (x, y, z), (far_x, far_y, far_z) = slabs(origin, size, frame)
    np.maximum(x, y, out=x)
    np.maximum(x, z, out=x)
    np.minimum(far_x, far_y, out=far_x)
    np.minimum(far_x, far_z, out=far_x)
    np.copyto(x, _MISS, where=x > far_x)
    return x


def _shifted(origin: Floats, direction: Floats) -> tuple[np.float32, Floats]:
    """The length to about the solid, and the points of the rays there."""
    central = direction[:, direction.shape[1] // 2, direction.shape[2] // 2]
    ahead = np.float32(-(origin * central).sum() / (central * central).sum())
    return ahead, origin[:, None, None] + ahead * direction


def _first_root(a: Floats, b: Floats, c: Floats) -> Floats:
    """The smaller root of a s^2 + 2 b s + c, infinite where there is none."""
    square = b * b - a * c
    root: Floats = (-b - np.sqrt(np.maximum(square, 0))) / a
    root[square < 0] = _MISS
    return root


def ellipsoid(origin: Floats, size: Floats, direction: Floats) -> Floats:
    """An ellipsoid with semi-axes `size`: a unit ball after scaling."""
    ahead, point = _shifted(origin, direction)
    scaled, place = direction / size[:, None, None], point / size[:, None, None]
    root = _first_root(dot(scaled, scaled), dot(scaled, place), dot(place, place) - 1)
    return ahead + root


def frustum(origin: Floats, size: Floats, direction: Floats) -> Floats:
    """A frustum about the vertical: bottom radius, half height, top radius."""
    low, half, high = size
    ahead, (x, y, z) = _shifted(origin, direction)
    dx, dy, dz = direction
    slope = (high - low) / (2 * half)
    wide = (low + high) / 2 + slope * y
    growth = slope * dy
    a = np.maximum(dx * dx + dz * dz - growth * growth, _TINY)
    side = _first_root(a, dx * x + dz * z - growth * wide, x * x + z * z - wide * wide)
    side[np.abs(y + side * dy) > half] = _MISS
    lid = np.copysign(half, -dy)
    cap = (lid - y) / dy
    across, along = x + cap * dx, z + cap * dz
    radius = np.where(dy < 0, high, low)
    cap[across * across + along * along > radius * radius] = _MISS
    return ahead + np.minimum(side, cap)


def capsule(origin: Floats, half: Floats, radius: np.float32, direction: Floats) -> Floats:
    """A rod with round ends from -half to half."""
    ahead, point = _shifted(origin, direction)
    column = half[:, None, None]
    length = np.float32((half * half).sum())
    speed, place = dot(column, direction), dot(column, point)
    dd, dp, pp = dot(direction, direction), dot(direction, point), dot(point, point)
    # The endless cylinder about the axis, all terms times the squared half length.
    a = np.maximum(length * dd - speed * speed, _TINY)
    b = length * dp - speed * place
    root = _first_root(a, b, length * (pp - radius * radius) - place * place)
    along = place + root * speed
    beyond = (np.abs(along) > length) & (root < _MISS)
    if beyond.any():
        end = np.copysign(np.float32(1), along[beyond])
        b = dp[beyond] - end * speed[beyond]
        c = pp[beyond] - 2 * end * place[beyond] + length - radius * radius
        root[beyond] = _first_root(dd[beyond], b, c)
    return ahead + root
