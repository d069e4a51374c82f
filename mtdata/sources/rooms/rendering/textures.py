"""The colour of each point of a surface, and the light it gives by itself."""

import numpy as np

from mtdata.sources.rooms.rendering import noise
from mtdata.sources.rooms.rendering.arrays import Arrays
from mtdata.sources.rooms.rendering.gather import Floats, Index, looked_up, put, taken
from mtdata.sources.rooms.rendering.images import IMAGES
from mtdata.sources.rooms.rendering.patterns import PATTERNS, Spot
from mtdata.sources.rooms.rendering.scene import Texture
from mtdata.sources.rooms.rendering.surface import Surface


def _spot(arrays: Arrays, seen: Surface) -> Spot:
    x, y, z = seen.local
    right, up, ahead = np.abs(seen.facing)
    sideways, level = right > np.maximum(up, ahead), up > np.maximum(right, ahead)
    u, v = np.where(sideways, z, x), np.where(level, z, y)
    size = np.maximum(looked_up(arrays.size, seen.solid), np.float32(1e-3))
    extent = np.stack((np.where(sideways, size[2], size[0]), np.where(level, size[2], size[1])))
    repeat = 1 / arrays.material.size.astype(np.float32)[seen.solid]
    seed = arrays.material.seed.astype(np.uint32)[seen.solid]
    return Spot(
        u=u * repeat,
        v=v * repeat,
        side=np.stack((u, v)) / extent,
        extent=extent * repeat,
        front=~(sideways | level),
        seed=seed,
        coarse=noise.smooth(5 * u, 5 * v, seed),
    )


def _part(spot: Spot, here: Index) -> Spot:
    return Spot(
        spot.u[here],
        spot.v[here],
        taken(spot.side, here),
        taken(spot.extent, here),
        spot.front[here],
        spot.seed[here],
        spot.coarse[here],
    )


def colours(arrays: Arrays, seen: Surface, rays: Floats) -> Floats:
    """Linear colours of the points, [3, n]."""
    look = arrays.material
    first, second = looked_up(look.first, seen.solid), looked_up(look.second, seen.solid)
    texture = look.texture.astype(np.uint8)[seen.solid]
    spot = _spot(arrays, seen)
    share = spot.coarse.copy()
    images: dict[Texture, Index] = {}
    for kind in np.unique(look.texture):
        here = np.flatnonzero(texture == kind)
        if kind in IMAGES:
            images[Texture(kind)] = here
        elif here.size and kind != Texture.PLAIN:
            share[here] = PATTERNS[Texture(kind)](_part(spot, here))
    colour = np.maximum(first + share * (second - first), 0)
    for kind, here in images.items():
        if here.size:
            part = _part(spot, here)
            shown = IMAGES[kind](part, taken(first, here), taken(second, here), taken(rays, here))
            put(colour, here, shown)
    return colour
