"""Furniture to lie and to sit on: bed, sofa, armchair, chair."""

from mtdata.sources.rooms.rendering import palette
from mtdata.sources.rooms.rendering.draws import Draws
from mtdata.sources.rooms.rendering.furnishing.piece import Piece, Seat
from mtdata.sources.rooms.rendering.scene import Material, Solid, Texture, Thing
from mtdata.sources.rooms.rendering.solids import ball, box, frustum, legs


def bed(draws: Draws) -> Piece:
    """Frame, headboard, mattress, duvet and pillows."""
    width, length = draws.pick((1.0, 1.45, 1.7)), draws.between(1.9, 2.1)
    top, head = draws.between(0.45, 0.6), draws.between(0.85, 1.15)
    frame, sheet = palette.board(draws), palette.plain(palette.grey(draws.between(0.8, 0.95)))
    duvet = palette.fabric(draws, lively=0.6)
    x, z = width / 2, length / 2
    fold = -z + draws.between(0.5, 0.8)
    solids = (
        box((-x, x), (0.08, 0.28), (-z, z), frame),
        box((-x, x), (0.0, head), (-z, -z + 0.07), frame),
        box((-x + 0.02, x - 0.02), (0.27, top), (-z + 0.07, z - 0.03), sheet),
        box((-x - 0.01, x + 0.01), (0.3, top + 0.05), (fold, z + 0.01), duvet),
    )
    count = 1 if width < 1.2 else 2
    case = palette.fabric(draws, lively=0.2) if draws.chance(0.5) else sheet
    places = [(2 * i + 1 - count) * width / (2 * count) for i in range(count)]
    pillows = tuple(
        Thing("pillow", (ball((a, top + 0.05, -z + 0.32), (0.29, 0.11, 0.19), case),))
        for a in places
    )
    seats = (Seat((x + 0.01, top, 0.2), (0.0, 1.0)), Seat((-x - 0.01, top, 0.2), (0.0, -1.0)))
    return Piece((Thing("bed", solids), *pillows), width + 0.02, length + 0.02, head, (), seats)


def _couch(draws: Draws, width: float, depth: float, material: Material) -> tuple[Solid, ...]:
    back, arm, seat = draws.between(0.75, 0.95), draws.between(0.52, 0.66), 0.42
    wide = draws.between(0.1, 0.2)
    x, z = width / 2, depth / 2
    inner, cushions = x - wide, max(1, int(width / 0.75))
    each = 2 * inner / cushions
    solids = [
        box((-x + 0.02, x - 0.02), (0.06, 0.3), (-z, z - 0.03), material),
        box((-inner, inner), (0.05, back), (-z, -z + 0.22), material),
        box((-x, -inner), (0.04, arm), (-z, z), material),
        box((inner, x), (0.04, arm), (-z, z), material),
    ]
    for i in range(cushions):
        left = -inner + i * each
        span = (left + 0.008, left + each - 0.008)
        solids.append(box(span, (0.3, seat), (-z + 0.2, z + 0.01), material))
        solids.append(box(span, (seat, back + 0.04), (-z + 0.19, -z + 0.3), material))
    return tuple(solids)


def sofa(draws: Draws) -> Piece:
    """Base, back, arms, seat and back cushions; perhaps loose pillows."""
    width, depth = draws.between(1.5, 2.3), draws.between(0.85, 0.98)
    material = palette.fabric(draws, lively=0.15)
    things = [Thing("sofa", _couch(draws, width, depth, material))]
    z = -depth / 2 + 0.4
    for side in (-1.0, 1.0):
        if draws.chance(0.5):
            case = palette.fabric(draws, lively=0.7)
            place = (side * (width / 2 - 0.42), 0.6, z)
            things.append(Thing("pillow", (ball(place, (0.21, 0.2, 0.09), case),)))
    return Piece(tuple(things), width, depth + 0.02, 1.0, (), (Seat((0.0, 0.42, depth / 2)),))


def armchair(draws: Draws) -> Piece:
    """A sofa for one; NYU calls it a chair."""
    width, depth = draws.between(0.75, 0.92), draws.between(0.78, 0.9)
    solids = _couch(draws, width, depth, palette.fabric(draws, lively=0.25))
    return Piece(
        (Thing("chair", solids),), width, depth + 0.02, 1.0, (), (Seat((0.0, 0.42, depth / 2)),)
    )


def chair(draws: Draws) -> Piece:
    """Seat, back and four legs."""
    return chair_of(draws, palette.board(draws), palette.fabric(draws))


def chair_of(draws: Draws, frame: Material, cloth: Material) -> Piece:
    """A chair of given materials."""
    side, seat, back = 0.44, 0.46, draws.between(0.82, 0.98)
    x = side / 2
    cushion = cloth if draws.chance(0.6) else frame
    rails = [box((a, a + 0.04), (seat, back), (-x, -x + 0.04), frame) for a in (-x, x - 0.04)]
    if draws.chance(0.5):
        rests = [box((-x + 0.02, x - 0.02), (seat + 0.14, back), (-x + 0.005, -x + 0.03), cushion)]
    else:
        heights = (seat + 0.13, back - 0.14)
        rests = [
            box((-x + 0.02, x - 0.02), (a, a + 0.1), (-x + 0.01, -x + 0.03), frame) for a in heights
        ]
    solids = (
        *legs(side, side, seat - 0.03, 0.045, frame),
        box((-x - 0.01, x + 0.01), (seat - 0.05, seat), (-x, x + 0.02), cushion),
        *rails,
        *rests,
    )
    return Piece((Thing("chair", solids),), 0.48, 0.48, back, (), (Seat((0.0, seat, x)),))


def office_chair(draws: Draws) -> Piece:
    """Seat and back on a column with a round foot."""
    cloth = palette.fabric(draws, lively=0.1)
    metal = palette.plain(palette.grey(draws.between(0.1, 0.6)), gloss=0.6)
    back = draws.between(0.9, 1.1)
    solids = (
        frustum((0.0, 0.02, 0.0), 0.05, (0.27, 0.1), metal),
        frustum((0.0, 0.06, 0.0), 0.36, (0.03, 0.03), metal),
        box((-0.24, 0.24), (0.42, 0.5), (-0.22, 0.25), cloth),
        box((-0.21, 0.21), (0.56, back), (-0.24, -0.18), cloth),
        box((-0.03, 0.03), (0.44, 0.6), (-0.27, -0.235), metal),
    )
    return Piece((Thing("chair", solids),), 0.54, 0.54, back, (), (Seat((0.0, 0.5, 0.25)),))


def rug(draws: Draws, width: float, depth: float) -> Thing:
    """A carpet of a centimetre; NYU calls it a floor mat."""
    cloth = palette.fabric(draws, lively=0.7)
    if cloth.texture is not Texture.FABRIC:
        cloth = Material(
            cloth.texture, cloth.first, cloth.second, 2.5 * cloth.size, seed=cloth.seed
        )
    x, z = width / 2, depth / 2
    return Thing("floor-mat", (box((-x, x), (-0.01, 0.012), (-z, z), cloth),), shades=False)
