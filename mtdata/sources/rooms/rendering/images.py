"""Textures with many colours: spines of books, paintings, what windows and screens show.

Each function takes a `Spot`, the two colours of the material and the rays, and gives colours, all
`[3, n]`.
"""

from collections.abc import Callable

import numpy as np

from mtdata.sources.rooms.rendering import noise
from mtdata.sources.rooms.rendering.gather import Floats
from mtdata.sources.rooms.rendering.patterns import Spot
from mtdata.sources.rooms.rendering.scene import Texture

Image = Callable[[Spot, Floats, Floats, Floats], Floats]


def _mix(first: Floats, second: Floats, share: Floats) -> Floats:
    mixed: Floats = first + share * (second - first)
    return mixed


def _books(at: Spot, first: Floats, second: Floats, rays: Floats) -> Floats:
    """One book a unit, each of its own colour and with a band for its title."""
    book = np.floor(at.u)
    word = noise.cell(book, book, at.seed)
    share, tone, band = (noise.uniform(word + np.uint32(k)) for k in range(3))
    hue = np.stack([noise.uniform(word + np.uint32(k)) for k in (3, 4, 5)])
    colour = _mix(first, second, share) * np.float32(0.55) + np.float32(0.3) * hue * hue
    title = np.abs(at.side[1] - band + np.float32(0.5)) < np.float32(0.12)
    edge = at.u - book < np.float32(0.12)
    light = np.where(title & (tone > np.float32(0.35)), np.float32(1.8), np.float32(0.45) + tone)
    return colour * np.where(edge & at.front, np.float32(0.25), light)


def _picture(at: Spot, first: Floats, second: Floats, rays: Floats) -> Floats:
    """A landscape, or blocks of colour; in a mat for every other picture."""
    x, y = at.side
    blocks = noise.uniform(noise.cell(np.floor(3 * x), np.floor(np.float32(2.5) * y), at.seed))
    hill = np.float32(0.9) * noise.smooth(2 * x + 7, 0 * x, at.seed) - np.float32(0.5)
    sky = _mix(np.sqrt(first), np.ones_like(first), np.float32(0.5) * (1 - y))
    land = second * (np.float32(0.5) + noise.smooth(6 * x, 9 * y, at.seed + np.uint32(1)))
    landscape = np.where(y > hill, sky, land)
    modern = _mix(first, second, blocks) * (np.float32(0.4) + np.float32(1.2) * noise.uniform(
        noise.cell(np.floor(3 * x), np.floor(np.float32(2.5) * y), at.seed + np.uint32(2))
    ))  # fmt: skip
    paint = np.where(at.seed % 2 == 0, landscape, modern)
    mat = (np.abs(at.side) > np.float32(0.78)).any(axis=0) & (at.seed % 3 > 0)
    return np.where(mat, np.float32(0.85), paint)


def _window(at: Spot, first: Floats, second: Floats, rays: Floats) -> Floats:
    """Sky over land, by the direction of the look, behind panes with bars."""
    far = np.abs(rays[0]) + np.abs(rays[2])
    height, bearing = rays[1] / far, rays[0] / far
    flat = np.zeros_like(bearing)
    roofs = np.float32(0.12) * noise.smooth(3 * bearing + 40, flat, at.seed)
    roofs += np.float32(0.05) * noise.smooth(14 * bearing + 90, flat, at.seed + np.uint32(1))
    white = np.ones_like(first) * first.max(axis=0)
    clouds = noise.smooth(5 * bearing, 14 * height, at.seed + np.uint32(2))
    haze = np.clip(1 - 2 * height, 0, 1) * np.float32(0.7)
    sky = _mix(first, white, np.maximum(haze, np.clip(2 * clouds - 1, 0, 1)))
    leaves = noise.smooth(30 * bearing, 30 * height, at.seed + np.uint32(3))
    land = second * (np.float32(0.5) + leaves)
    view = np.where(height > roofs - np.float32(0.14), sky, land)
    columns, rows = (np.maximum(np.rint(2 * e), 1) for e in at.extent)
    a, b = (at.side[0] + 1) / 2 * columns, (at.side[1] + 1) / 2 * rows
    bar = np.minimum(np.abs(a - np.rint(a)) * at.extent[0] / columns,
                     np.abs(b - np.rint(b)) * at.extent[1] / rows)  # fmt: skip
    return np.where(bar < np.float32(0.022), np.float32(0.25) * white, view)


def _screen(at: Spot, first: Floats, second: Floats, rays: Floats) -> Floats:
    """What is on television, with a black rim."""
    x, y = at.side
    shapes = noise.smooth(np.float32(2.5) * x, np.float32(1.5) * y + 9, at.seed)
    detail = noise.smooth(8 * x, 5 * y, at.seed + np.uint32(1))
    shown = _mix(first, second, np.clip(4 * shapes - np.float32(1.5), 0, 1))
    shown = shown * (np.float32(0.6) + np.float32(0.6) * detail)
    rim = (np.abs(x) > np.float32(0.96)) | (np.abs(y) > np.float32(0.94)) | ~at.front
    return np.where(rim, np.float32(0.004), shown)


IMAGES: dict[Texture, Image] = {
    Texture.BOOKS: _books,
    Texture.PICTURE: _picture,
    Texture.WINDOW: _window,
    Texture.SCREEN: _screen,
}
