"""Who stands where: rectangles on the floor and on the walls that may not overlap."""

from dataclasses import dataclass, field
from enum import IntEnum

from mtdata.sources.rooms.rendering.draws import Draws
from mtdata.sources.rooms.rendering.scene import Turn, Vector

GAP = 0.02


class Side(IntEnum):
    """The walls that may be in view."""

    LEFT = 0
    RIGHT = 1
    BACK = 2


FACING: dict[Side, Turn] = {Side.LEFT: (0.0, 1.0), Side.RIGHT: (0.0, -1.0), Side.BACK: (1.0, 0.0)}
"""The turn that makes +z point from a wall into the room."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """An axis-aligned rectangle, metres."""

    left: float
    right: float
    low: float
    high: float

    def overlaps(self, other: "Rectangle", margin: float) -> bool:
        """Whether two rectangles are nearer than `margin`."""
        return (
            self.left < other.right + margin
            and other.left < self.right + margin
            and self.low < other.high + margin
            and other.low < self.high + margin
        )

    def distance(self, x: float, y: float) -> float:
        """City-block distance of a point; 0 inside."""
        return max(self.left - x, x - self.right, 0.0) + max(self.low - y, y - self.high, 0.0)


def around(x: float, z: float, width: float, depth: float, turn: Turn) -> Rectangle:
    """The smallest rectangle around a turned one."""
    c, s = abs(turn[0]), abs(turn[1])
    a, b = (c * width + s * depth) / 2, (s * width + c * depth) / 2
    return Rectangle(x - a, x + a, z - b, z + b)


@dataclass(slots=True)
class FloorPlan:
    """What is taken already of a room.

    Args:
        room: Width, height and length, metres.
        viewer: x and z of the camera, which keeps furniture away.
    """

    room: Vector
    viewer: tuple[float, float]
    taken: list[Rectangle] = field(default_factory=list)
    walls: dict[Side, list[Rectangle]] = field(default_factory=lambda: {s: [] for s in Side})

    def length(self, side: Side) -> float:
        """Metres along a wall."""
        return self.room[0] if side is Side.BACK else self.room[2]

    def point(self, side: Side, along: float, out: float) -> tuple[float, float]:
        """The place (x, z) `along` a wall and `out` from it."""
        if side is Side.BACK:
            return along, out
        return (out if side is Side.LEFT else self.room[0] - out), along

    def on_floor(self, rectangle: Rectangle, *, away: float, margin: float = GAP) -> bool:
        """Take a rectangle of the floor, if it is free and `away` from the viewer."""
        x, z = self.viewer
        inside = (
            rectangle.left >= 0
            and rectangle.right <= self.room[0]
            and rectangle.low >= 0
            and rectangle.high <= self.room[2]
        )
        if not inside or rectangle.distance(x, z) < away:
            return False
        if any(rectangle.overlaps(other, margin) for other in self.taken):
            return False
        self.taken.append(rectangle)
        return True

    def on_wall(self, side: Side, rectangle: Rectangle) -> bool:
        """Take a rectangle of a wall (along it, up), if it is free."""
        inside = rectangle.left >= 0.08 and rectangle.right <= self.length(side) - 0.08
        if not inside or rectangle.high > self.room[1] - 0.08:
            return False
        if any(rectangle.overlaps(other, 0.06) for other in self.walls[side]):
            return False
        self.walls[side].append(rectangle)
        return True

    def against_wall(
        self, draws: Draws, side: Side, size: Vector, *, tries: int = 8
    ) -> tuple[float, float] | None:
        """Find and take a place with the back to a wall; returns x and z of its middle.

        Args:
            draws: Randomness.
            side: The wall.
            size: Width, height and depth of the piece.
            tries: Places to look at before giving up.
        """
        width, height, depth = size
        room = self.length(side) - width - 0.1
        if room <= 0:
            return None
        for _ in range(tries):
            along = 0.05 + width / 2 + draws.between(0.0, room)
            x, z = self.point(side, along, depth / 2 + GAP)
            footprint = around(x, z, width, depth, FACING[side])
            strip = Rectangle(along - width / 2, along + width / 2, 0.0, height)
            if any(strip.overlaps(other, 0.0) for other in self.walls[side]):
                continue
            if self.on_floor(footprint, away=0.8):
                self.walls[side].append(strip)
                return x, z
        return None
