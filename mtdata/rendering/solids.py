"""Short ways to write solids, and to move what they make.

A piece is made about the origin: x across, y up from the floor, z towards its front.
"""

from collections.abc import Iterable
from dataclasses import replace

from mtdata.rendering.scene import FORWARD, Material, Shape, Solid, Thing, Turn, Vector

Span = tuple[float, float]


def box(x: Span, y: Span, z: Span, material: Material) -> Solid:
    """The box between pairs of coordinates."""
    spans = (x, y, z)
    centre = tuple((low + high) / 2 for low, high in spans)
    size = tuple((high - low) / 2 for low, high in spans)
    return Solid(Shape.BOX, centre, size, material)  # type: ignore[arg-type]


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
    centre = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
    size = tuple((b - a) / 2 for a, b in zip(start, end, strict=True))
    return Solid(Shape.CAPSULE, centre, size, material, part, radius)  # type: ignore[arg-type]


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
    x, y, z = turned(solid.centre, turn)
    centre = (x + offset[0], y + offset[1], z + offset[2])
    if solid.shape is Shape.CAPSULE:
        return replace(solid, centre=centre, size=turned(solid.size, turn))
    return replace(solid, centre=centre, turn=combined(solid.turn, turn))


def moved(things: Iterable[Thing], offset: Vector, turn: Turn = FORWARD) -> tuple[Thing, ...]:
    """Things turned about the origin, then shifted."""
    return tuple(
        replace(thing, solids=tuple(_moved(s, offset, turn) for s in thing.solids))
        for thing in things
    )
