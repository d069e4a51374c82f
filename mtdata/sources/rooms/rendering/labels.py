"""The labels of a picture, read off what each pixel sees."""

import numpy as np
from numpy.typing import NDArray

from mtdata.sources.rooms.rendering.arrays import Arrays
from mtdata.sources.rooms.rendering.gather import borders
from mtdata.sources.rooms.rendering.trace import Hits
from mtdata.sources.thinning import thin

Mask = NDArray[np.uint8]

LEAST_SHARE = 200
"""A salient thing covers at least a two-hundredth of the picture."""


def semantic(arrays: Arrays, hits: Hits) -> Mask:
    """Ids of `SEMANTIC13`, [h, w]."""
    return arrays.semantic.astype(np.uint8)[hits.solid]


def parts(arrays: Arrays, hits: Hits) -> Mask | None:
    """Ids of `PARTS7`, [h, w]; None where the picture shows nobody."""
    label = arrays.part.astype(np.uint8)[hits.solid]
    return label if label.any() else None


def instances(arrays: Arrays, hits: Hits) -> NDArray[np.int32]:
    """Which thing, wall, floor or ceiling each pixel belongs to, [h, w]."""
    return arrays.instance.astype(np.int32)[hits.solid]


def _nearness(h: int, w: int) -> NDArray[np.int64]:
    """Weight of each pixel, 4096 in the middle and none at the corners; integers add exactly."""
    rows, columns = 2 * np.arange(h) + 1 - h, 2 * np.arange(w) + 1 - w
    far = (rows**2)[:, None] * w * w + (columns**2)[None, :] * h * h
    weight: NDArray[np.int64] = 4096 - 4096 * far // (2 * h * h * w * w)
    return weight


def saliency(arrays: Arrays, hits: Hits) -> Mask:
    """1 where somebody or something salient is, [h, w].

    Salient are the people; without people (or where they are tiny), the one thing in the room
    with the most pixels, each weighted by how near the middle of the picture it is. What belongs
    to the room (`arrays.FIXED`) never is, nor is what covers less than 1 / `LEAST_SHARE` of it.
    """
    person = arrays.person[hits.solid]
    least = person.size / LEAST_SHARE
    if person.sum() >= least:
        return person.astype(np.uint8)
    instance = instances(arrays, hits)
    count = len(arrays.movable)
    size = np.bincount(instance.reshape(-1), minlength=count)
    weight = _nearness(*instance.shape).reshape(-1)
    # Sums of integers below 2**53 are exact in the float64 that bincount adds in.
    score = np.bincount(instance.reshape(-1), weights=weight, minlength=count)
    score[~arrays.movable | (size < least)] = 0
    if not score.any():
        return np.zeros(instance.shape, np.uint8)
    label: Mask = (instance == score.argmax()).astype(np.uint8)
    return label


def edges(arrays: Arrays, hits: Hits) -> Mask:
    """1 on the boundaries between instances, thinned to one pixel, [h, w].

    A boundary is where one of the four neighbours is of another instance (where the Laplacian of
    the map does not vanish, but for the rare case that two differences cancel).
    """
    return thin(borders(instances(arrays, hits))).astype(np.uint8)
