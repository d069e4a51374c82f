"""Smooth noise from hashed integers: the same on every machine."""

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.rooms.rendering.gather import Floats

Words = NDArray[np.uint32]

_A, _B, _C = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77), np.uint32(0xC2B2AE3D)
# What the four corners of a cell add to its word.
_CORNERS = np.array((0, 0x9E3779B1, 0x85EBCA77, (0x9E3779B1 + 0x85EBCA77) % 2**32), np.uint32)


def scrambled(words: Words) -> Words:
    """A hash of each word; its upper bits are the better ones."""
    mixed = words >> np.uint32(15)
    mixed ^= words
    mixed *= _C
    mixed ^= mixed >> np.uint32(13)
    mixed *= _B
    return mixed


def uniform(words: Words) -> Floats:
    """[0, 1) from each word."""
    upper = scrambled(words)
    upper >>= np.uint32(8)
    share = upper.view(np.int32).astype(np.float32)
    share *= np.float32(2.0**-24)
    return share


def cell(column: Floats, row: Floats, seed: Words) -> Words:
    """A word for each cell of a grid, by its whole-numbered coordinates."""
    x, y = (a.astype(np.int32).view(np.uint32) for a in (column, row))
    word: Words = x * _A + y * _B + seed * _C
    return word


def smooth(x: Floats, y: Floats, seed: Words) -> Floats:
    """Noise in [0, 1) that varies over about one unit."""
    left, low = np.floor(x), np.floor(y)
    corner = cell(left, low, seed)
    a, b = x - left, y - low
    a *= a * (3 - 2 * a)
    b *= b * (3 - 2 * b)
    one, two, three, four = uniform(corner + _CORNERS[:, None])
    bottom, top = one + a * (two - one), three + a * (four - three)
    result: Floats = bottom + b * (top - bottom)
    return result
