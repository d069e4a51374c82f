"""Draw a whole scene: the room, what stands in it, its light and the view."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mtdata.sources.rooms.rendering import palette
from mtdata.sources.rooms.rendering.draws import Draws
from mtdata.sources.rooms.rendering.furnishing import decor, people, seating, storage
from mtdata.sources.rooms.rendering.furnishing.floorplan import (
    FACING,
    FloorPlan,
    Rectangle,
    Side,
    around,
)
from mtdata.sources.rooms.rendering.furnishing.piece import Piece
from mtdata.sources.rooms.rendering.scene import (
    FORWARD,
    Lamp,
    Material,
    Scene,
    Thing,
    Turn,
    Vector,
    View,
)
from mtdata.sources.rooms.rendering.solids import combined, moved, turned

Builder = Callable[[Draws], Piece]

WALLSIDE: dict[str, tuple[Builder, ...]] = {
    "bedroom": (seating.bed, storage.night_stand, storage.wardrobe, storage.dresser),
    "living": (seating.sofa, storage.television, storage.bookshelf, decor.floor_lamp),
    "dining": (storage.dresser, storage.bookshelf, storage.wardrobe, decor.floor_lamp),
    "study": (storage.desk, storage.bookshelf, storage.bookshelf, seating.sofa),
}
FREE: dict[str, tuple[Builder, ...]] = {
    "bedroom": (seating.chair, seating.armchair),
    "living": (storage.coffee_table, seating.armchair, seating.armchair),
    "dining": (storage.dining_set, seating.chair),
    "study": (seating.office_chair, storage.round_table, seating.chair),
}
EXTRA: tuple[Builder, ...] = (
    storage.bookshelf,
    storage.dresser,
    storage.television,
    decor.floor_lamp,
    seating.armchair,
    seating.chair,
    decor.floor_thing,
)


@dataclass(slots=True)
class _Room:
    """A scene in the making."""

    draws: Draws
    plan: FloorPlan
    things: list[Thing] = field(default_factory=list)
    seats: list[tuple[Vector, Turn]] = field(default_factory=list)
    windows: list[tuple[Vector, Vector]] = field(default_factory=list)
    day: float = 1.0

    def put(self, piece: Piece, x: float, z: float, turn: Turn) -> None:
        """Stand a piece on the floor, and small things on top of it."""
        self.things += moved(piece.things, (x, 0.0, z), turn)
        for top in piece.tops:
            for corner in (-1.0, 0.0, 1.0):
                if not self.draws.chance(0.45):
                    continue
                local = (
                    top.centre[0] + corner * top.half[0] * 0.85,
                    top.centre[1],
                    top.centre[2] + self.draws.between(-0.5, 0.5) * top.half[1],
                )
                a, b, c = turned(local, turn)
                if top.half[0] > 0.2 or corner == 0.0:
                    small = decor.small_thing(self.draws)
                    own = combined(self.draws.turn(0.4), turn)
                    self.things += moved((small,), (x + a, b, z + c), own)
        for seat in piece.seats:
            a, b, c = turned(seat.edge, turn)
            self.seats.append(((x + a, b, z + c), combined(seat.turn, turn)))


def _openings(room: _Room) -> None:
    """Windows and a door."""
    draws, plan = room.draws, room.plan
    for _ in range(draws.pick((0, 1, 1, 2))):
        width, height = draws.between(0.8, 1.8), draws.between(0.9, 1.3)
        side, middle = draws.pick(tuple(Side)), draws.between(1.45, 1.65)
        along = draws.between(width / 2 + 0.3, plan.length(side) - width / 2 - 0.3)
        reach = width / 2 + 0.35
        strip = Rectangle(
            along - reach, along + reach, middle - height / 2 - 0.1, middle + height / 2 + 0.1
        )
        if plan.on_wall(side, strip):
            x, z = plan.point(side, along, 0.0)
            pane = decor.window(draws, width, height, room.day)
            room.things += moved(pane, (x, middle, z), FACING[side])
            x, z = plan.point(side, along, 0.25)
            aim = turned((0.0, 0.0, 1.0), FACING[side])
            room.windows.append(((x, middle + 0.15, z), aim))
    if draws.chance(0.45):
        side = draws.pick(tuple(Side))
        along = draws.between(0.6, plan.length(side) - 0.6)
        x, z = plan.point(side, along, 0.45)
        if plan.on_wall(side, Rectangle(along - 0.45, along + 0.45, 0.0, 2.06)):
            plan.on_floor(around(x, z, 0.9, 0.9, FACING[side]), away=0.0)
            x, z = plan.point(side, along, 0.0)
            room.things += moved((decor.door(draws),), (x, 0.0, z), FACING[side])


def _furniture(room: _Room, style: str) -> None:
    """Pieces along the walls, then pieces in the middle."""
    draws, plan = room.draws, room.plan
    extra = [draws.pick(EXTRA) for _ in range(1 + draws.integer(3))]
    for build in (*WALLSIDE[style], *extra):
        piece = build(draws)
        for side in draws.shuffled(tuple(Side)):
            place = plan.against_wall(draws, side, (piece.width, piece.height, piece.depth))
            if place:
                room.put(piece, *place, FACING[side])
                break
    for build in FREE[style]:
        if draws.chance(0.85):
            _stand_free(room, build(draws))


def _stand_free(room: _Room, piece: Piece) -> None:
    draws, (width, _, length) = room.draws, room.plan.room
    for _ in range(12):
        x, z = draws.between(0.5, width - 0.5), draws.between(0.6, length - 1.2)
        turn = draws.pick(((1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (-1.0, 0.0)))
        turn = combined(turn, draws.turn(0.25)) if draws.chance(0.6) else turn
        if room.plan.on_floor(around(x, z, piece.width, piece.depth, turn), away=1.0, margin=0.05):
            room.put(piece, x, z, turn)
            return


def _rug(room: _Room) -> None:
    draws, (width, _, length) = room.draws, room.plan.room
    if draws.chance(0.45):
        size = draws.between(1.2, 0.7 * width), draws.between(1.0, 0.6 * length)
        x = draws.between(size[0] / 2, width - size[0] / 2)
        z = draws.between(size[1] / 2, length - size[1] / 2)
        room.things += moved((seating.rug(draws, *size),), (x, 0.0, z))


def _pictures(room: _Room) -> None:
    draws, plan = room.draws, room.plan
    for _ in range(1 + draws.integer(5)):
        thing, width, height = decor.picture(draws)
        side, middle = draws.pick(tuple(Side)), draws.between(1.4, 1.75)
        along = draws.between(width / 2, plan.length(side) - width / 2)
        x, y = width / 2, height / 2
        if plan.on_wall(side, Rectangle(along - x, along + x, middle - y, middle + y)):
            a, b = plan.point(side, along, 0.0)
            room.things += moved((thing,), (a, middle, b), FACING[side])


def _people(room: _Room, view: View) -> None:
    """Nobody, mostly; else one or two people who stand in view or sit."""
    draws = room.draws
    for _ in range(draws.pick((0, 0, 0, 0, 0, 1, 1, 1, 2))):
        if room.seats and draws.chance(0.4):
            (x, y, z), turn = room.seats.pop(draws.integer(len(room.seats)))
            room.things += moved((people.sitting(draws, y),), (x, 0.0, z), turn)
            continue
        for _ in range(8):
            ahead, aside = draws.between(1.7, 4.0), draws.between(-0.42, 0.42)
            right, _up, back = view.axes()
            x = view.position[0] + ahead * (aside * right[0] - back[0])
            z = view.position[2] + ahead * (aside * right[2] - back[2])
            turn = combined(draws.turn(0.9), (1.0, 0.0) if draws.chance(0.75) else (-1.0, 0.0))
            if room.plan.on_floor(around(x, z, 0.62, 0.5, FORWARD), away=1.3):
                room.things += moved((people.standing(draws),), (x, 0.0, z), turn)
                break


def _view(draws: Draws, room: Vector) -> View:
    """A camera near the front wall that looks into the room."""
    width, _, length = room
    x, z = draws.between(0.5, width - 0.5), length - draws.between(0.3, 0.6)
    # Towards the middle of the room from wherever it stands, give or take.
    aside = (x / width - 0.5) * 0.55
    half = aside + draws.between(-0.16, 0.16)
    scale = 1.0 + half * half
    turn = ((1.0 - half * half) / scale, 2.0 * half / scale)
    tilt_half = draws.between(-0.14, 0.03)
    tilt_scale = 1.0 + tilt_half * tilt_half
    tilt = ((1.0 - tilt_half * tilt_half) / tilt_scale, 2.0 * tilt_half / tilt_scale)
    height = draws.between(1.15, 1.75)
    return View((x, height, z), turn, tilt, draws.turn(0.02), draws.between(0.68, 0.95))


def _lamps(room: _Room) -> tuple[tuple[Lamp, ...], Vector]:
    """The lamp on the ceiling and, by day, the first window; and the light from everywhere."""
    draws, (width, height, length) = room.draws, room.plan.room
    x, z = draws.between(0.35, 0.65) * width, draws.between(0.3, 0.6) * length
    thing, y = decor.ceiling_lamp(draws, height)
    room.things += moved((thing,), (x, 0.0, z))
    strength = draws.between(1.1, 1.7) if not room.windows else draws.between(0.4, 1.4)
    tint = palette.mixed(decor.WARM, palette.grey(1.0), draws.between(0.2, 0.9))
    lamps = [Lamp((x, y, z), (0.0, -1.0, 0.0), _scaled(tint, strength), 0.1)]
    if room.windows:
        sky = palette.mixed((0.75, 0.87, 1.0), (1.0, 0.93, 0.82), draws.between(0.0, 1.0))
        lamps.append(Lamp(*room.windows[0], _scaled(sky, 2.2 * room.day), 0.3))
    return tuple(lamps), _scaled(
        palette.mixed(tint, palette.grey(1.0), 0.6), draws.between(0.22, 0.36)
    )


def _scaled(colour: Vector, factor: float) -> Vector:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def _shell(draws: Draws) -> tuple[Material, ...]:
    ground, paint = palette.floor(draws), palette.wall(draws)
    top = palette.plain(palette.mixed(palette.grey(draws.between(0.86, 0.97)), paint.first, 0.15))
    walls = [paint] * 4
    if draws.chance(0.3):
        walls[draws.integer(3)] = palette.accent(draws)
    return (ground, top, *walls)


def draw_scene(draws: Draws) -> Scene:
    """Draw a scene.

    Args:
        draws: A fresh stream; all of the scene depends on it and on nothing else.
    """
    size = (draws.between(3.2, 5.6), draws.between(2.4, 2.9), draws.between(3.8, 6.6))
    view = _view(draws, size)
    plan = FloorPlan(size, (view.position[0], view.position[2]))
    room = _Room(draws, plan, day=draws.between(0.35, 1.0))
    _openings(room)
    _furniture(room, draws.pick(tuple(WALLSIDE)))
    _people(room, view)
    _pictures(room)
    _rug(room)
    lamps, ambient = _lamps(room)
    return Scene(
        room=size,
        shell=_shell(draws),
        things=tuple(room.things),
        lamps=lamps,
        ambient=ambient,
        view=view,
        exposure=draws.between(0.28, 0.42),
        noise=draws.between(0.5, 3.0),
        grain=palette.seed(draws),
    )
