"""Colours and materials, drawn so that rooms differ and yet look like rooms."""

from mtdata.sources.rooms.rendering.draws import Draws
from mtdata.sources.rooms.rendering.scene import Material, Texture, Vector

WOODS: tuple[tuple[Vector, Vector], ...] = (
    ((0.62, 0.43, 0.26), (0.48, 0.31, 0.18)),
    ((0.78, 0.62, 0.42), (0.66, 0.49, 0.31)),
    ((0.45, 0.28, 0.17), (0.31, 0.18, 0.11)),
    ((0.35, 0.24, 0.19), (0.23, 0.15, 0.12)),
    ((0.86, 0.75, 0.58), (0.76, 0.63, 0.45)),
    ((0.58, 0.33, 0.20), (0.44, 0.22, 0.13)),
    ((0.60, 0.56, 0.50), (0.49, 0.45, 0.40)),
    ((0.90, 0.89, 0.86), (0.84, 0.83, 0.80)),
)
"""Lighter and darker streak of a wood, from oak to walnut; the last is painted white."""

SKINS: tuple[Vector, ...] = (
    (0.93, 0.76, 0.66),
    (0.86, 0.66, 0.53),
    (0.76, 0.55, 0.42),
    (0.60, 0.41, 0.30),
    (0.44, 0.29, 0.21),
    (0.33, 0.21, 0.16),
)
HAIRS: tuple[Vector, ...] = (
    (0.11, 0.09, 0.08),
    (0.24, 0.16, 0.11),
    (0.38, 0.25, 0.15),
    (0.62, 0.47, 0.28),
    (0.47, 0.23, 0.13),
    (0.62, 0.61, 0.60),
)


def mixed(first: Vector, second: Vector, share: float) -> Vector:
    """`first` with a share of `second`."""
    (a, b, c), (x, y, z) = first, second
    return a + (x - a) * share, b + (y - b) * share, c + (z - c) * share


def grey(value: float) -> Vector:
    """A colour without hue."""
    return value, value, value


def _wave(place: float) -> float:
    """How much of a primary colour a hue lacks: 0 for two sixths of the circle, then to 1."""
    return 1.0 - min(1.0, max(0.0, abs(place % 6.0 - 3.0) - 1.0))


def colour(hue: float, saturation: float, value: float) -> Vector:
    """A colour from hue (0..6: red, yellow, green, cyan, blue, magenta), saturation and value."""
    red, green, blue = _wave(hue), _wave(hue + 4.0), _wave(hue + 2.0)
    return (
        value * (1.0 - saturation * red),
        value * (1.0 - saturation * green),
        value * (1.0 - saturation * blue),
    )


def any_colour(draws: Draws, saturation: tuple[float, float], value: tuple[float, float]) -> Vector:
    """A colour of any hue."""
    return colour(draws.between(0.0, 6.0), draws.between(*saturation), draws.between(*value))


def seed(draws: Draws) -> int:
    """A seed for a material."""
    return draws.integer(1 << 16)


def plain(colour: Vector, *, gloss: float = 0.0, glow: float = 0.0) -> Material:
    """One colour, all but even."""
    return Material(Texture.PLAIN, colour, mixed(colour, grey(0.0), 0.12), 0.3, gloss, glow)


def wood(draws: Draws, *, texture: Texture = Texture.WOOD, size: float = 0.12) -> Material:
    """Some wood."""
    light, dark = draws.pick(WOODS)
    share = draws.between(0.0, 0.25)
    tint = any_colour(draws, (0.1, 0.5), (0.2, 0.7))
    first, second = mixed(light, tint, share), mixed(dark, tint, share)
    return Material(texture, first, second, size, draws.between(0.05, 0.5), 0.0, seed(draws))


def lacquer(draws: Draws) -> Material:
    """Painted board or metal: white, black, grey or bold."""
    kind = draws.integer(4)
    bold = any_colour(draws, (0.4, 0.85), (0.35, 0.85))
    chosen = (grey(draws.between(0.8, 0.95)), grey(draws.between(0.08, 0.2)), grey(0.5), bold)[kind]
    return plain(chosen, gloss=draws.between(0.2, 0.8))


def board(draws: Draws) -> Material:
    """What furniture is made of."""
    return wood(draws) if draws.chance(0.65) else lacquer(draws)


def fabric(draws: Draws, *, lively: float = 0.35) -> Material:
    """Cloth; with the probability `lively` it has a pattern."""
    first = any_colour(draws, (0.1, 0.7), (0.25, 0.9))
    second = mixed(first, any_colour(draws, (0.0, 0.6), (0.1, 0.95)), 0.6)
    patterns = (Texture.STRIPES, Texture.PLAID, Texture.DOTS)
    if draws.chance(lively):
        size = draws.between(0.06, 0.2)
        return Material(draws.pick(patterns), first, second, size, 0.0, 0.0, seed(draws))
    weave = mixed(first, grey(0.1), 0.3)
    return Material(Texture.FABRIC, first, weave, draws.between(0.008, 0.03), 0.0, 0.0, seed(draws))


def wall(draws: Draws) -> Material:
    """Paint, mostly; or wallpaper."""
    pale = any_colour(draws, (0.0, 0.28), (0.7, 0.95))
    bold = any_colour(draws, (0.25, 0.6), (0.4, 0.85))
    base = pale if draws.chance(0.75) else bold
    kind = draws.pick((Texture.PLAIN,) * 6 + (Texture.STRIPES, Texture.DOTS, Texture.PLAIN))
    second = mixed(base, draws.pick((grey(0.98), grey(0.35))), draws.between(0.12, 0.35))
    if kind is Texture.PLAIN:
        second = mixed(base, grey(0.3), 0.08)
    return Material(kind, base, second, draws.between(0.15, 0.4), 0.0, 0.0, seed(draws))


def accent(draws: Draws) -> Material:
    """A wall unlike the others: bricks, panelling or a bold colour."""
    if draws.chance(0.4):
        first = mixed((0.62, 0.33, 0.24), grey(0.85), draws.between(0.0, 0.9))
        mortar = grey(draws.between(0.55, 0.8))
        return Material(Texture.BRICKS, first, mortar, 0.24, 0.0, 0.0, seed(draws))
    if draws.chance(0.35):
        return wood(draws, texture=Texture.PLANKS, size=draws.between(0.1, 0.2))
    return plain(any_colour(draws, (0.3, 0.75), (0.3, 0.75)))


def floor(draws: Draws) -> Material:
    """Planks, tiles or carpet."""
    kind = draws.integer(8)
    if kind < 4:
        return wood(draws, texture=Texture.PLANKS, size=draws.between(0.1, 0.2))
    if kind < 6:
        first = any_colour(draws, (0.0, 0.2), (0.6, 0.95))
        dark = any_colour(draws, (0.0, 0.3), (0.15, 0.5))
        second = dark if draws.chance(0.4) else mixed(first, grey(0.4), 0.12)
        size = draws.between(0.25, 0.6)
        return Material(
            Texture.TILES, first, second, size, draws.between(0.2, 0.7), 0.0, seed(draws)
        )
    first = any_colour(draws, (0.05, 0.4), (0.3, 0.75))
    return Material(
        Texture.FABRIC, first, mixed(first, grey(0.1), 0.35), 0.02, 0.0, 0.0, seed(draws)
    )
