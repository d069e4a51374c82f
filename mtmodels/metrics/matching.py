"""Predicted edges against true boundaries, one to one. Needs no torch: other processes run it."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from mtdata.sources.thinning import thin

TOLERANCE = 0.0075
"""How far apart two pixels may be that count as one, as a share of the diagonal of the image."""


@dataclass(frozen=True)
class EdgeImage:
    """One image to score.

    Args:
        levels: The probability of an edge in 8 bits, uint8 [h, w].
        boundary: Where there is one, bool [h, w].
        lowest: For each threshold, the lowest level that counts as an edge, int [t], ascending.
    """

    levels: NDArray[np.uint8]
    boundary: NDArray[np.bool_]
    lowest: NDArray[np.int64]


def edge_counts(image: EdgeImage) -> NDArray[np.int64]:
    """Pixels with a partner, predicted pixels and boundary pixels at each threshold, [3, t].

    Both sides are thinned first. A pixel has at most one partner on the other side, no farther away
    than the tolerance, and as many as can have one do.
    """
    boundary = thin(image.boundary)
    partners = Partners(boundary, TOLERANCE * float(np.hypot(*boundary.shape)))
    counts = np.zeros((3, len(image.lowest)), np.int64)
    counts[2] = np.count_nonzero(boundary)
    before, found = -1, (0, 0)
    for at, lowest in enumerate(image.lowest):
        edges = image.levels >= lowest
        area = int(np.count_nonzero(edges))
        if area != before:  # the pixels of a higher threshold lie within those of a lower one
            edges = thin(edges)
            before, found = area, (partners.match(edges), int(np.count_nonzero(edges)))
        counts[:2, at] = found
    return counts


class Partners:
    """Which boundary pixels each pixel of an image may be matched to.

    Args:
        boundary: Where there is a boundary, bool [h, w].
        radius: How far away a partner may be, in pixels, that distance included.
    """

    def __init__(self, boundary: NDArray[np.bool_], radius: float) -> None:
        height, width = boundary.shape
        rows, columns = (part.astype(np.int32) for part in np.nonzero(boundary))
        partners = np.arange(len(rows), dtype=np.int32)
        near: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
        reach = range(-int(radius), int(radius) + 1)
        for down, right in product(reach, reach):
            if down**2 + right**2 <= radius**2:
                row, column = rows + down, columns + right
                inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
                near.append(((row * width + column)[inside], partners[inside]))
        pixel, partner = (np.concatenate(part) for part in zip(*near, strict=True))
        shape = boundary.size, len(rows)
        pairs = csr_array((np.ones(len(pixel), np.int32), (pixel, partner)), shape=shape)
        self._partners, self._first = pairs.indices, pairs.indptr
        self._known = len(rows)

    def pairs(self, edges: NDArray[np.bool_]) -> csr_array:
        """An entry where a pixel of `edges`, bool [h, w], and one of the boundary may be matched.

        Pixels without any are left out; the rows are the side with fewer pixels.
        """
        pixels = np.flatnonzero(edges)
        first = self._first[pixels]
        many = self._first[pixels + 1] - first
        first, many = first[many > 0], many[many > 0]
        # Row by row what indexing a sparse array gives, without what it takes besides.
        begin = np.concatenate([[0], np.cumsum(many)])
        partner = self._partners[np.arange(begin[-1]) + np.repeat(first - begin[:-1], many)]
        ones = np.ones(len(partner), np.int32)
        pairs = csr_array((ones, partner, begin), shape=(len(many), self._known))
        return pairs.T.tocsr() if pairs.shape[0] > pairs.shape[1] else pairs

    def match(self, edges: NDArray[np.bool_]) -> int:
        """How many pixels of `edges`, bool [h, w], can have a partner of their own at once."""
        return matching_size(self.pairs(edges))


def matching_size(pairs: csr_array) -> int:
    """The size of a maximum matching, `pairs` having an entry where row and column may be matched.

    It is the largest flow from a source through each row and each column, once, to a sink; with
    fewer rows than columns the search for it is shorter. scipy's `maximum_bipartite_matching`
    gives the same number and now and then takes seconds for one image
    (`python -m benchmarks.metrics.edges --matchers`).
    """
    rows, columns = pairs.shape
    if not pairs.nnz:
        return 0
    source, sink, last = 0, rows + columns + 1, rows + pairs.nnz
    starts = [[0], rows + pairs.indptr, last + 1 + np.arange(columns), [last + columns]]
    ends = [1 + np.arange(rows), 1 + rows + pairs.indices, np.full(columns, sink)]
    capacity = np.ones(last + columns, np.int32)
    index = [np.concatenate(part).astype(np.int32) for part in (ends, starts)]
    graph = csr_array((capacity, *index), shape=(sink + 1, sink + 1))
    return int(maximum_flow(graph, source, sink).flow_value)
