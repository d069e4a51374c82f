"""From surfaces to a picture: lamps, shadows, ambient light, and the camera's own marks."""

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.rooms.rendering import noise
from mtdata.sources.rooms.rendering.arrays import Arrays
from mtdata.sources.rooms.rendering.gather import Floats, Index, borders
from mtdata.sources.rooms.rendering.intersect import dot
from mtdata.sources.rooms.rendering.scene import Lamp, Scene
from mtdata.sources.rooms.rendering.shadows import lit
from mtdata.sources.rooms.rendering.surface import Surface
from mtdata.sources.rooms.rendering.textures import colours
from mtdata.sources.rooms.rendering.trace import Hits

_CORNER = np.float32(0.55)
"""Metres from a wall at which its corner begins to darken."""


def _blurred(values: Floats, radius: int) -> Floats:
    from cv2 import blur

    side = 2 * radius + 1
    return np.asarray(blur(values, (side, side)), np.float32)


def _openness(scene: Scene, seen: Surface, depth: Floats) -> Floats:
    """How much of the light from everywhere reaches a point, [n]: less in corners."""
    x, y, z = seen.point
    width, height, length = (np.float32(side) for side in scene.room)
    near = np.stack(
        (np.minimum(x, width - x), np.minimum(y, height - y), np.minimum(z, length - z))
    )
    dark = np.clip(1 - near / _CORNER, 0, 1)
    # A wall does not darken itself.
    dark *= dark * (1 - np.abs(seen.normal))
    corner = 1 - np.float32(0.45) * (1 - (1 - dark[0]) * (1 - dark[1]) * (1 - dark[2]))
    # Reference: Luft et al. 2006, "Image enhancement by unsharp masking the depth buffer".
    radius = max(2, depth.shape[0] // 24)
    behind = np.clip((depth - _blurred(depth, radius)) * np.float32(0.9), 0, np.float32(0.35))
    openness: Floats = corner * (1 - behind.reshape(-1))
    return openness


def _lamp_light(
    arrays: Arrays, lamp: Lamp, seen: Surface, gloss: Floats, size: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Diffuse light and highlights that come from a lamp, [n] both, of power 1."""
    path = np.array(lamp.position, np.float32)[:, None] - seen.point
    square = dot(path, path)
    direction = path * (1 / np.sqrt(square))
    facing = np.maximum(dot(direction, seen.normal), 0)
    free = lit(arrays, lamp, seen, size).astype(np.float32)
    shade = _blurred(free.reshape(size), 1).reshape(-1)
    fading = shade * np.float32(4) / (np.float32(1.6) + square)
    middle = direction + seen.toward
    sharp = np.maximum(dot(middle, seen.normal), 0) / np.sqrt(dot(middle, middle))
    for _ in range(5):
        sharp = sharp * sharp
    return facing * fading, gloss * sharp * fading


def _lens(linear: Floats, solid: Index) -> Floats:
    """Soften the stairs along borders, as the finite pixels of a camera do; [h, w, 3]."""
    from cv2 import GaussianBlur

    soft = GaussianBlur(linear, (3, 3), 0.7)
    return np.where(borders(solid)[..., None], soft, linear)


def _developed(scene: Scene, linear: Floats) -> NDArray[np.uint8]:
    """Expose, bend highlights, darken the rim, add noise; [h, w, 3] linear to 8 bits."""
    h, w, _ = linear.shape
    exposed = linear * np.float32(scene.exposure / max(float(linear.mean()), 1e-6))
    row, column = (2 * np.arange(h) + 1) / h - 1, (2 * np.arange(w) + 1) / w - 1
    rim = 1 - 0.12 * (row[:, None] ** 2 + column[None, :] ** 2)
    exposed *= rim.astype(np.float32)[..., None]
    shown = np.sqrt(exposed * (1 + exposed * np.float32(0.3)) / (1 + exposed))
    words = noise.scrambled(np.arange(linear.size, dtype=np.uint32) + np.uint32(scene.grain << 12))
    # The sum of two uniform numbers of 16 bits: a standard deviation of 2**16 / sqrt(6).
    grain = ((words >> np.uint32(16)) + (words & np.uint32(0xFFFF))).astype(np.float32)
    shown *= 255
    shown += np.float32(scene.noise * 2.449 / 2**16) * (grain.reshape(h, w, 3) - 2**16)
    developed: NDArray[np.uint8] = np.clip(np.rint(shown), 0, 255).astype(np.uint8)
    return developed


def shade(scene: Scene, arrays: Arrays, hits: Hits, seen: Surface) -> NDArray[np.uint8]:
    """The picture, uint8 [h, w, 3]."""
    size = hits.depth.shape
    colour = colours(arrays, seen, hits.rays.reshape(3, -1))
    gloss = arrays.material.gloss.astype(np.float32)[seen.solid]
    glow = arrays.material.glow.astype(np.float32)[seen.solid]
    # What is lit by the ceiling gets most of the light from everywhere, but floors throw some back.
    upward = np.float32(0.9) + np.float32(0.1) * seen.normal[1]
    open_ = _openness(scene, seen, hits.depth) * upward
    light = np.array(scene.ambient, np.float32)[:, None] * open_
    shine = np.zeros_like(light)
    for lamp in scene.lamps:
        diffuse, highlight = _lamp_light(arrays, lamp, seen, gloss, (size[0], size[1]))
        power = np.array(lamp.power, np.float32)[:, None]
        light += power * diffuse
        shine += power * highlight
    linear = np.where(glow > 0, colour * glow, colour * light + np.float32(0.5) * shine)
    picture = np.ascontiguousarray(linear.T).reshape(*size, 3)
    return _developed(scene, _lens(picture, hits.solid))
