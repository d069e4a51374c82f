"""What hangs on walls, and small things that stand on tops and on the floor."""

from mtdata.sources.rooms.rendering import palette
from mtdata.sources.rooms.rendering.draws import Draws
from mtdata.sources.rooms.rendering.furnishing.piece import Piece
from mtdata.sources.rooms.rendering.scene import Material, Solid, Texture, Thing, Vector
from mtdata.sources.rooms.rendering.solids import ball, box, frustum

WARM: Vector = (1.0, 0.85, 0.62)


def picture(draws: Draws) -> tuple[Thing, float, float]:
    """A framed picture about the origin, and its width and height."""
    width, height = draws.between(0.3, 1.1), draws.between(0.3, 0.8)
    paint = Material(
        Texture.PICTURE,
        palette.any_colour(draws, (0.2, 0.9), (0.3, 0.95)),
        palette.any_colour(draws, (0.2, 0.9), (0.15, 0.9)),
        draws.between(0.1, 0.3),
        0.1,
        0.0,
        palette.seed(draws),
    )
    x, y, edge = width / 2, height / 2, draws.between(0.015, 0.04)
    frame = palette.board(draws)
    solids: list[Solid] = [
        box((-x, x), (-y, y), (-0.02, 0.02), frame),
        box((-x + edge, x - edge), (-y + edge, y - edge), (-0.01, 0.024), paint),
    ]
    return Thing("picture", tuple(solids), shades=False), width, height


def _panes(draws: Draws, day: float) -> Material:
    """What a window shows: sky over land, `day` bright."""
    sky = palette.mixed((0.42, 0.62, 0.92), palette.grey(0.85), draws.between(0.0, 0.9))
    land = palette.colour(draws.between(1.0, 2.4), draws.between(0.1, 0.6), draws.between(0.2, 0.6))
    night = palette.grey(0.0)
    return Material(
        Texture.WINDOW,
        palette.mixed(night, sky, day),
        palette.mixed(night, land, day),
        draws.pick((0.45, 0.6, 0.8)),
        0.0,
        1.6,
        palette.seed(draws),
    )


def _curtains(draws: Draws, x: float, y: float, metal: Material) -> Thing:
    """Curtains on a rod at both sides of a window of half sizes x and y."""
    cloth = palette.fabric(draws, lively=0.0)
    folds = Material(Texture.FOLDS, cloth.first, cloth.second, 0.11, seed=cloth.seed)
    low, wide = -y - draws.between(0.12, 0.3), draws.between(0.16, 0.32)
    parts = [
        box((left, left + wide), (low, y + 0.12), (-0.02, 0.06), folds)
        for left in (-x - wide + 0.06, x - 0.06)
    ]
    rod = box((-x - wide, x + wide), (y + 0.12, y + 0.15), (0.01, 0.05), metal)
    return Thing("curtain", (*parts, rod), shades=False)


def window(draws: Draws, width: float, height: float, day: float) -> tuple[Thing, ...]:
    """A window about the origin, perhaps with curtains; `day` is how bright it is outside."""
    x, y = width / 2, height / 2
    paint = draws.pick((palette.grey(0.92), palette.grey(0.85), palette.WOODS[0][1]))
    frame = palette.plain(paint, gloss=0.2)
    solids = (
        box((-x - 0.05, x + 0.05), (-y - 0.05, y + 0.05), (-0.02, 0.015), frame),
        box((-x - 0.09, x + 0.09), (-y - 0.08, -y - 0.05), (-0.02, 0.07), frame),
        box((-x, x), (-y, y), (-0.01, 0.02), _panes(draws, day)),
    )
    pane = Thing("window", solids, shades=False)
    return (pane, _curtains(draws, x, y, frame)) if draws.chance(0.45) else (pane,)


def door(draws: Draws) -> Thing:
    """A door with its frame, standing at the origin; 0.86 m wide and 2.05 m high."""
    leaf = palette.board(draws)
    frame = leaf if draws.chance(0.5) else palette.plain(palette.grey(0.9), gloss=0.2)
    panelled = Material(Texture.PANELS, leaf.first, leaf.second, 0.8, leaf.gloss, 0.0, leaf.seed)
    metal = palette.plain(palette.grey(0.7), gloss=0.9)
    solids = (
        box((-0.43, 0.43), (-0.01, 2.05), (-0.02, 0.012), frame),
        box((-0.37, 0.37), (-0.005, 1.99), (-0.01, 0.02), panelled),
        box((0.28, 0.33), (0.98, 1.02), (0.01, 0.06), metal),
    )
    return Thing("door", solids, shades=False)


def shade(draws: Draws) -> Material:
    """Cloth of a lamp that is lit."""
    tint = palette.mixed(WARM, palette.any_colour(draws, (0.0, 0.5), (0.7, 1.0)), 0.3)
    return palette.plain(tint, glow=draws.between(0.7, 1.3))


def floor_lamp(draws: Draws) -> Piece:
    """A lamp on a stand."""
    height = draws.between(1.35, 1.65)
    metal = palette.lacquer(draws)
    solids = (
        frustum((0.0, 0.0, 0.0), 0.03, (0.14, 0.13), metal),
        frustum((0.0, 0.03, 0.0), height - 0.2, (0.015, 0.015), metal),
        frustum((0.0, height - 0.22, 0.0), 0.24, (0.19, 0.11), shade(draws)),
    )
    return Piece((Thing("lamp", solids, shades=False),), 0.4, 0.4, height)


def ceiling_lamp(draws: Draws, height: float) -> tuple[Thing, float]:
    """A lamp that hangs at x = z = 0 from a ceiling, and how high its light is."""
    glow = palette.plain(WARM, glow=1.4)
    if draws.chance(0.4):
        flat = frustum((0.0, height - 0.09, 0.0), 0.1, (0.17, 0.2), glow)
        return Thing("lamp", (flat,), shades=False), height - 0.25
    drop, radius = draws.between(0.3, 0.6), draws.between(0.1, 0.17)
    cord = frustum(
        (0.0, height - drop, 0.0), drop, (0.008, 0.008), palette.plain(palette.grey(0.2))
    )
    y = height - drop
    if draws.chance(0.5):
        bulb = ball((0.0, y, 0.0), (radius, radius, radius), glow)
    else:
        bulb = frustum((0.0, y - 0.12, 0.0), 0.2, (1.4 * radius, 0.5 * radius), shade(draws))
    return Thing("lamp", (cord, bulb), shades=False), y - 0.15


def _vase(draws: Draws) -> tuple[Solid, ...]:
    glaze = palette.plain(palette.any_colour(draws, (0.2, 0.8), (0.3, 0.9)), gloss=0.8)
    height, radius = draws.between(0.12, 0.28), draws.between(0.05, 0.08)
    body = frustum((0.0, 0.0, 0.0), height, (radius, 0.6 * radius), glaze)
    if draws.chance(0.4):
        return (body,)
    leaf = palette.colour(
        draws.between(1.5, 2.3), draws.between(0.4, 0.8), draws.between(0.25, 0.6)
    )
    size = draws.between(0.09, 0.16)
    bush = Material(Texture.FABRIC, leaf, palette.mixed(leaf, palette.grey(0.05), 0.6), 0.03)
    return body, ball((0.0, height + 0.7 * size, 0.0), (size, size, size), bush)


def _table_lamp(draws: Draws) -> tuple[Solid, ...]:
    base = palette.lacquer(draws)
    height = draws.between(0.2, 0.3)
    return (
        frustum((0.0, 0.0, 0.0), 0.02, (0.07, 0.06), base),
        frustum((0.0, 0.02, 0.0), height, (0.03, 0.02), base),
        frustum((0.0, height, 0.0), 0.16, (0.13, 0.08), shade(draws)),
    )


def _round(draws: Draws) -> tuple[Solid, ...]:
    radius = draws.between(0.05, 0.1)
    skin = palette.plain(
        palette.any_colour(draws, (0.3, 0.9), (0.4, 0.95)), gloss=draws.between(0.0, 0.9)
    )
    return (ball((0.0, radius, 0.0), (radius, radius, radius), skin),)


def _crate(draws: Draws) -> tuple[Solid, ...]:
    x, y, z = (draws.between(0.06, 0.14) for _ in range(3))
    return (box((-x, x), (0.0, 1.4 * y), (-z, z), palette.lacquer(draws)),)


def _stack(draws: Draws) -> tuple[Solid, ...]:
    solids, y = [], 0.0
    for _ in range(1 + draws.integer(4)):
        x, z, thick = draws.between(0.08, 0.12), draws.between(0.1, 0.15), draws.between(0.02, 0.05)
        cover = palette.plain(palette.any_colour(draws, (0.2, 0.9), (0.2, 0.9)))
        solids.append(box((-x, x), (y, y + thick), (-z, z), cover))
        y += thick
    return tuple(solids)


def small_thing(draws: Draws) -> Thing:
    """Something for a table top: vase, plant, lamp, ball, box or books, within 0.16 m around."""
    name, make = draws.pick(
        (
            ("otherprop", _vase),
            ("otherprop", _vase),
            ("lamp", _table_lamp),
            ("otherprop", _round),
            ("box", _crate),
            ("books", _stack),
            ("books", _stack),
        )
    )
    return Thing(name, make(draws))


def floor_thing(draws: Draws) -> Piece:
    """Something for the floor: a plant in a pot, a ball, a box."""
    kind = draws.integer(3)
    if kind == 0:
        pot = palette.plain(palette.any_colour(draws, (0.1, 0.6), (0.3, 0.8)), gloss=0.3)
        leaf = palette.colour(draws.between(1.6, 2.3), 0.6, draws.between(0.25, 0.5))
        bush = Material(Texture.FABRIC, leaf, palette.mixed(leaf, palette.grey(0.05), 0.6), 0.05)
        height = draws.between(0.25, 0.5)
        solids: tuple[Solid, ...] = (
            frustum((0.0, 0.0, 0.0), 0.28, (0.12, 0.16), pot),
            frustum((0.0, 0.2, 0.0), 0.3, (0.02, 0.015), palette.plain((0.35, 0.25, 0.15))),
            ball((0.0, 0.38 + height, 0.0), (0.25, height, 0.25), bush),
            ball((0.1, 0.4 + 0.6 * height, 0.06), (0.18, 0.2, 0.18), bush),
        )
        return Piece((Thing("otherprop", solids),), 0.56, 0.5, 0.4 + 2 * height)
    if kind == 1:
        radius = draws.between(0.12, 0.3)
        skin = palette.fabric(draws, lively=0.7)
        solids = (ball((0.0, radius, 0.0), (radius, radius, radius), skin),)
        return Piece((Thing("otherprop", solids),), 2 * radius, 2 * radius, 2 * radius)
    x, y, z = (draws.between(0.3, 0.5) for _ in range(3))
    solids = (box((-x / 2, x / 2), (0.0, y), (-z / 2, z / 2), palette.board(draws)),)
    return Piece((Thing("box", solids),), x, z, y)
