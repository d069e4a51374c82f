"""What a builder of furniture hands to the layout."""

from dataclasses import dataclass

from mtdata.sources.rooms.rendering.scene import FORWARD, Thing, Turn, Vector


@dataclass(frozen=True, slots=True)
class Top:
    """A flat place where small things may stand: its middle and half its sides, metres."""

    centre: Vector
    half: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Seat:
    """A place to sit: the middle of its front edge at seat height, and where it faces."""

    edge: Vector
    turn: Turn = FORWARD


@dataclass(frozen=True, slots=True)
class Piece:
    """Furniture about the origin, its front towards +z.

    Args:
        things: Instances that belong together.
        width: Along x, metres.
        depth: Along z.
        height: From the floor.
        tops: Where small things may stand.
        seats: Where people may sit.
    """

    things: tuple[Thing, ...]
    width: float
    depth: float
    height: float
    tops: tuple[Top, ...] = ()
    seats: tuple[Seat, ...] = ()
