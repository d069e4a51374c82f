"""Short ways to write solids, and to move what they make.

A piece is made about the origin: x across, y up from the floor, z towards its front.
"""

from collections.abc import Iterable

from mtdata.sources.rooms.rendering.scene import (
    FORWARD,
    Material,
    Shape,
    Solid,
    Thing,
    Turn,
    Vector,
)

Span = tuple[float, float]


def box(x: Span, y: Span, z: Span, material: Material) -> Solid:
    """The box between pairs of coordinates."""
    centre = ((x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2)
    size = ((x[1] - x[0]) / 2, (y[1] - y[0]) / 2, (z[1] - z[0]) / 2)
    return Solid(Shape.BOX, centre, size, material)


def ball(centre: Vector, size: Vector, material: Material, *, part: int = 0) -> Solid:
    """An ellipsoid with these semi-axes."""
    return Solid(Shape.ELLIPSOID, centre, size, material, part)


def frustum(foot: Vector, height: float, radii: Span, material: Material) -> Solid:
    """A round solid that stands at `foot`; `radii` at its bottom and its top."""
    x, y, z = foot
    size = (radii[0], height / 2, radii[1])
    return Solid(Shape.FRUSTUM, (x, y + height / 2, z), size, material)


def capsule(
    start: Vector, end: Vector, radius: float, material: Material, *, part: int = 0
) -> Solid:
    """A rod with round ends between two points."""
    (a, b, c), (x, y, z) = start, end
    centre, size = ((a + x) / 2, (b + y) / 2, (c + z) / 2), ((x - a) / 2, (y - b) / 2, (z - c) / 2)
    return Solid(Shape.CAPSULE, centre, size, material, part, radius)


def legs(
    width: float, depth: float, height: float, thickness: float, material: Material
) -> tuple[Solid, ...]:
    """Four legs at the corners of a rectangle around the origin."""
    x, z, half = width / 2 - thickness, depth / 2 - thickness, thickness / 2
    return tuple(
        box((a - half, a + half), (0.0, height), (b - half, b + half), material)
        for a in (-x, x)
        for b in (-z, z)
    )


def turned(vector: Vector, turn: Turn) -> Vector:
    """A vector turned about the vertical."""
    (x, y, z), (c, s) = vector, turn
    return c * x + s * z, y, c * z - s * x


def combined(first: Turn, second: Turn) -> Turn:
    """One turn after the other."""
    return first[0] * second[0] - first[1] * second[1], first[0] * second[1] + first[1] * second[0]


def _moved(solid: Solid, offset: Vector, turn: Turn) -> Solid:
    (x, y, z), size, own = turned(solid.centre, turn), solid.size, combined(solid.turn, turn)
    if solid.shape is Shape.CAPSULE:
        size, own = turned(size, turn), FORWARD
    centre = (x + offset[0], y + offset[1], z + offset[2])
    return Solid(solid.shape, centre, size, solid.material, solid.part, solid.radius, own)


def moved(things: Iterable[Thing], offset: Vector, turn: Turn = FORWARD) -> tuple[Thing, ...]:
    """Things turned about the origin, then shifted."""
    return tuple(
        Thing(thing.name, tuple([_moved(s, offset, turn) for s in thing.solids]), thing.shades)
        for thing in things
    )
