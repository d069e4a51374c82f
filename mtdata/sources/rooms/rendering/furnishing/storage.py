"""Furniture to put things on and into: tables, desks, shelves, wardrobes, a television."""

from mtdata.sources.rooms.rendering import palette
from mtdata.sources.rooms.rendering.draws import Draws
from mtdata.sources.rooms.rendering.furnishing.piece import Piece, Seat, Top
from mtdata.sources.rooms.rendering.furnishing.seating import chair_of
from mtdata.sources.rooms.rendering.scene import FORWARD, Material, Solid, Texture, Thing, Turn
from mtdata.sources.rooms.rendering.solids import box, frustum, legs, moved, turned


def _panelled(material: Material, size: float) -> Material:
    return Material(
        Texture.PANELS, material.first, material.second, size, material.gloss, 0.0, material.seed
    )


def _table(draws: Draws, width: float, depth: float, height: float, material: Material) -> Thing:
    x, z = width / 2, depth / 2
    top = box((-x, x), (height - 0.04, height), (-z, z), material)
    if draws.chance(0.25):
        rest: tuple[Solid, ...] = (
            frustum((0.0, 0.0, 0.0), 0.05, (0.32, 0.28), material),
            frustum((0.0, 0.05, 0.0), height - 0.09, (0.07, 0.06), material),
        )
    else:
        rest = legs(width - 0.04, depth - 0.04, height - 0.04, draws.between(0.04, 0.08), material)
    return Thing("table", (top, *rest))


def coffee_table(draws: Draws) -> Piece:
    """A low table."""
    width, depth, height = draws.between(0.8, 1.2), draws.between(0.5, 0.65), 0.42
    table = _table(draws, width, depth, height, palette.board(draws))
    top = Top((0.0, height, 0.0), (width / 2 - 0.1, depth / 2 - 0.1))
    return Piece((table,), width, depth, height, (top,))


def round_table(draws: Draws) -> Piece:
    """A round top on one leg."""
    radius, height, material = draws.between(0.35, 0.6), 0.74, palette.board(draws)
    solids = (
        frustum((0.0, height - 0.035, 0.0), 0.035, (radius, radius), material),
        frustum((0.0, 0.03, 0.0), height - 0.06, (0.06, 0.05), material),
        frustum((0.0, 0.0, 0.0), 0.04, (0.55 * radius, 0.5 * radius), material),
    )
    top = Top((0.0, height, 0.0), (0.6 * radius, 0.6 * radius))
    return Piece((Thing("table", solids),), 2 * radius, 2 * radius, height, (top,))


def dining_set(draws: Draws) -> Piece:
    """A table with two to four chairs around it."""
    width, depth, height = draws.between(1.1, 1.6), draws.between(0.75, 0.9), 0.75
    frame, cloth = palette.board(draws), palette.fabric(draws)
    material = frame if draws.chance(0.5) else palette.board(draws)
    things = [_table(draws, width, depth, height, material)]
    seats = []
    x, z, out = width / 4, depth / 2, draws.between(0.16, 0.3)
    spots: list[tuple[float, float, Turn]] = [
        (-x, -z - out, FORWARD),
        (x, -z - out, FORWARD),
        (-x, z + out, (-1.0, 0.0)),
        (x, z + out, (-1.0, 0.0)),
    ]
    for a, b, turn in draws.shuffled(spots)[: 2 + draws.integer(3)]:
        one = chair_of(draws, frame, cloth)
        things += moved(one.things, (a, 0.0, b), turn)
        x_edge, y_edge, z_edge = turned(one.seats[0].edge, turn)
        seats.append(Seat((a + x_edge, y_edge, b + z_edge), turn))
    top = Top((0.0, height, 0.0), (width / 2 - 0.12, depth / 2 - 0.1))
    reach = depth + 2 * (out + 0.25)
    return Piece(tuple(things), width, reach, height, (top,), tuple(seats))


def desk(draws: Draws) -> Piece:
    """A table for work with a drawer unit."""
    width, depth, height = draws.between(1.1, 1.5), draws.between(0.6, 0.7), 0.74
    material = palette.board(draws)
    x, z = width / 2, depth / 2
    solids = (
        box((-x, x), (height - 0.035, height), (-z, z), material),
        box((-x, -x + 0.04), (0.0, height - 0.035), (-z + 0.02, z - 0.02), material),
        box(
            (x - 0.42, x - 0.01),
            (0.03, height - 0.035),
            (-z + 0.02, z - 0.02),
            _panelled(material, 0.22),
        ),
        box((-x + 0.04, x - 0.42), (0.35, height - 0.035), (-z + 0.03, -z + 0.05), material),
    )
    top = Top((-0.1, height, 0.02), (width / 2 - 0.25, depth / 2 - 0.12))
    return Piece((Thing("desk", solids),), width, depth, height, (top,))


def _row_of_books(draws: Draws, left: float, right: float, floor: float, back: float, front: float,
                  space: float) -> list[Thing]:  # fmt: skip
    rows, start = [], left
    while start < right - 0.08:
        end = min(right, start + draws.between(0.22, 0.6))
        if draws.chance(0.75):
            height, inset = space * draws.between(0.55, 0.92), draws.between(0.01, 0.06)
            first = palette.any_colour(draws, (0.2, 0.8), (0.2, 0.9))
            second = palette.any_colour(draws, (0.1, 0.7), (0.3, 0.95))
            look = Material(Texture.BOOKS, first, second, 0.035, 0.05, 0.0, palette.seed(draws))
            spine = box((start, end), (floor, floor + height), (back, front - inset), look)
            rows.append(Thing("books", (spine,), shades=False))
        start = end + draws.between(0.0, 0.05)
    return rows


def bookshelf(draws: Draws) -> Piece:
    """Sides, back and boards, with rows of books."""
    width, depth = draws.between(0.7, 1.4), draws.between(0.26, 0.34)
    count = 2 + draws.integer(4)
    height = 0.08 + count * draws.between(0.33, 0.38)
    material = palette.board(draws)
    x, z = width / 2, depth / 2
    step = (height - 0.06) / count
    boards = [0.04 + i * step for i in range(count + 1)]
    solids = [
        box((-x, -x + 0.025), (0.0, height), (-z, z), material),
        box((x - 0.025, x), (0.0, height), (-z, z), material),
        box((-x + 0.02, x - 0.02), (0.02, height - 0.01), (-z, -z + 0.015), material),
    ]
    solids += [box((-x + 0.02, x - 0.02), (y - 0.02, y), (-z, z - 0.005), material) for y in boards]
    things = [Thing("bookshelf", tuple(solids))]
    for y in boards[:-1]:
        things += _row_of_books(draws, -x + 0.03, x - 0.03, y, -z + 0.02, z - 0.01, step - 0.03)
    top = Top((0.0, height, 0.0), (x - 0.12, z - 0.1))
    return Piece(tuple(things), width, depth, height, (top,) if height < 1.5 else ())


def wardrobe(draws: Draws) -> Piece:
    """A tall cupboard."""
    width, depth, height = draws.between(0.9, 1.8), 0.58, draws.between(1.8, 2.15)
    return _cupboard(draws, width, depth, height, draws.between(0.4, 0.6))


def dresser(draws: Draws) -> Piece:
    """A chest of drawers."""
    width, depth, height = draws.between(0.8, 1.4), 0.45, draws.between(0.75, 1.05)
    return _cupboard(draws, width, depth, height, draws.between(0.25, 0.4))


def night_stand(draws: Draws) -> Piece:
    """A small cupboard beside a bed."""
    return _cupboard(draws, draws.between(0.4, 0.5), 0.4, draws.between(0.45, 0.6), 0.25)


def _cupboard(draws: Draws, width: float, depth: float, height: float, door: float) -> Piece:
    material = palette.board(draws)
    x, z = width / 2, depth / 2
    solids = (
        box((-x + 0.02, x - 0.02), (0.0, 0.08), (-z, z - 0.05), material),
        box((-x, x), (0.08, height), (-z, z), _panelled(material, door)),
    )
    top = Top((0.0, height, 0.0), (x - 0.1, z - 0.1))
    name = "dresser" if height < 1.5 else "cabinet"
    tops = (top,) if height < 1.5 else ()
    return Piece((Thing(name, solids),), width, depth, height, tops)


def television(draws: Draws) -> Piece:
    """A screen on a low stand."""
    width, depth, height = draws.between(1.2, 1.8), 0.4, draws.between(0.4, 0.55)
    stand = _cupboard(draws, width, depth, height, 0.4)
    wide = draws.between(0.85, min(1.4, width))
    tall, x = wide * 0.57, wide / 2
    black = palette.plain(palette.grey(0.06), gloss=0.4)
    on = draws.chance(0.5)
    first = palette.any_colour(draws, (0.3, 0.8), (0.3, 0.9)) if on else palette.grey(0.05)
    second = palette.any_colour(draws, (0.3, 0.8), (0.3, 0.9)) if on else palette.grey(0.09)
    glow = draws.between(0.5, 1.1) if on else 0.0
    screen = Material(Texture.SCREEN, first, second, 0.3, 0.5, glow, palette.seed(draws))
    solids = (
        box((-0.2, 0.2), (height, height + 0.015), (-0.1, 0.1), black),
        box((-0.04, 0.04), (height, height + 0.12), (-0.02, 0.01), black),
        box((-x, x), (height + 0.07, height + 0.07 + tall), (-0.02, 0.02), screen),
    )
    things = (*stand.things, Thing("television", solids))
    return Piece(things, width, depth, height + 0.07 + tall)
