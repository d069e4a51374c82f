"""Where rays meet solids: the first length at which a ray enters, infinite where it misses.

Each function takes `n` pairs of a ray and a solid: a place `origin` on the ray and its direction
in the frame of the solid, which is convex and centred there, and the sizes of the solid; `[3, n]`
each. Lengths of round solids keep micrometres in float32 if the origin is near the solid.
"""

import numpy as np

from mtdata.sources.rooms.rendering.gather import Floats

_MISS = np.float32(np.inf)
_TINY = np.float32(1e-20)


def dot(first: Floats, second: Floats) -> Floats:
    """Inner products over the first axis, added in a fixed order."""
    total: Floats = first[0] * second[0]
    total += first[1] * second[1]
    total += first[2] * second[2]
    return total


def leaving(origin: Floats, size: Floats, rays: Floats) -> Floats:
    """Lengths at which rays leave the space between the two planes of each axis, [3, n]."""
    inverse = 1 / rays
    lengths: Floats = size * np.abs(inverse) - origin * inverse
    return lengths


def box(origin: Floats, size: Floats, rays: Floats) -> Floats:
    """Boxes of half sizes `size`."""
    inverse = 1 / rays
    middle, half = origin * inverse, size * np.abs(inverse)
    x, y, z = -middle - half
    near: Floats = np.maximum(np.maximum(x, y, out=x), z, out=x)
    half -= middle
    x, y, z = half
    far = np.minimum(np.minimum(x, y, out=x), z, out=x)
    np.copyto(near, _MISS, where=near > far)
    return near


def _first_root(a: Floats, b: Floats, c: Floats) -> Floats:
    """The smaller root of a s^2 + 2 b s + c, infinite where there is none."""
    square = b * b - a * c
    root: Floats = (-b - np.sqrt(np.maximum(square, 0))) / a
    np.copyto(root, _MISS, where=square < 0)
    return root


def ellipsoid(origin: Floats, size: Floats, rays: Floats) -> Floats:
    """Ellipsoids with semi-axes `size`: unit balls after scaling."""
    scaled, place = rays / size, origin / size
    return _first_root(dot(scaled, scaled), dot(scaled, place), dot(place, place) - 1)


def frustum(origin: Floats, size: Floats, rays: Floats) -> Floats:
    """Frusta about the vertical: bottom radius, half height, top radius."""
    (low, half, high), (x, y, z), (dx, dy, dz) = size, origin, rays
    slope = (high - low) / (2 * half)
    wide = (low + high) / 2 + slope * y
    growth = slope * dy
    # Below zero where the ray is steeper than the mantle; the same root is then where it enters.
    a = dx * dx + dz * dz - growth * growth
    np.copyto(a, _TINY, where=np.abs(a) < _TINY)
    side = _first_root(a, dx * x + dz * z - growth * wide, x * x + z * z - wide * wide)
    np.copyto(side, _MISS, where=np.abs(y + side * dy) > half)
    cap = (np.copysign(half, -dy) - y) / dy
    across, along = x + cap * dx, z + cap * dz
    radius = np.where(dy < 0, high, low)
    np.copyto(cap, _MISS, where=across * across + along * along > radius * radius)
    nearest: Floats = np.minimum(side, cap)
    return nearest


def capsule(origin: Floats, half: Floats, rays: Floats, radius: Floats) -> Floats:
    """Rods with round ends from -half to half."""
    length, speed, place = dot(half, half), dot(half, rays), dot(half, origin)
    dd, dp, pp = dot(rays, rays), dot(rays, origin), dot(origin, origin) - radius * radius
    # The endless cylinder about the axis, all terms times the squared half length.
    a = np.maximum(length * dd - speed * speed, _TINY)
    root = _first_root(a, length * dp - speed * place, length * pp - place * place)
    hit = root < _MISS
    along = place + np.where(hit, root, 0) * speed
    end = np.copysign(np.float32(1), along)
    ball = _first_root(dd, dp - end * speed, pp - 2 * end * place + length)
    np.copyto(root, ball, where=hit & (np.abs(along) > length))
    return root
