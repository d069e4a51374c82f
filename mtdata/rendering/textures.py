"""The colour of each point of a surface, and the light it gives by itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.rendering import noise
from mtdata.rendering.arrays import Arrays
from mtdata.rendering.images import IMAGES
from mtdata.rendering.patterns import PATTERNS, Spot
from mtdata.rendering.scene import Texture
from mtdata.rendering.surface import Surface

Floats = NDArray[np.floating[Any]]

# Across and up on a face, by the axis it looks along: x, y, z.
_ACROSS, _UP = np.array((2, 0, 0)), np.array((1, 2, 1))


def _spot(arrays: Arrays, seen: Surface) -> Spot:
    axis = np.abs(seen.facing).argmax(axis=0)
    columns = np.arange(axis.size)
    across, up = _ACROSS[axis], _UP[axis]
    u, v = seen.local[across, columns], seen.local[up, columns]
    half = np.maximum(arrays.size.astype(np.float32), np.float32(1e-3))
    wide, tall = half[seen.solid, across], half[seen.solid, up]
    repeat = arrays.material.size.astype(np.float32)[seen.solid]
    seed = arrays.material.seed[seen.solid]
    return Spot(
        u=u / repeat,
        v=v / repeat,
        side=np.stack((u / wide, v / tall)),
        extent=np.stack((wide / repeat, tall / repeat)),
        front=axis == 2,
        seed=seed,
        coarse=noise.smooth(5 * u, 5 * v, seed),
    )


def _part(spot: Spot, here: NDArray[np.intp]) -> Spot:
    return Spot(
        spot.u[here],
        spot.v[here],
        spot.side[:, here],
        spot.extent[:, here],
        spot.front[here],
        spot.seed[here],
        spot.coarse[here],
    )


def colours(arrays: Arrays, seen: Surface, rays: Floats) -> Floats:
    """Linear colours of the points, [3, n]."""
    look = arrays.material
    first = look.first.astype(np.float32).T[:, seen.solid]
    second = look.second.astype(np.float32).T[:, seen.solid]
    texture = look.texture[seen.solid]
    spot = _spot(arrays, seen)
    share = spot.coarse.copy()
    images: dict[Texture, NDArray[np.intp]] = {}
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
            colour[:, here] = IMAGES[kind](part, first[:, here], second[:, here], rays[:, here])
    return colour
