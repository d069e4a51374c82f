"""Edges are matched one to one: cases worked out by hand, and against a slow matcher."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mtdata import Binary, Task
from mtmodels.metrics.edges import Edges
from mtmodels.metrics.matching import EdgeImage, Partners, edge_counts
from tests.mtmodels.metrics.reference import edges_pascal, matching

TASK = Task("edges", Binary())
Picture = NDArray[np.bool_]


def drawn(text: str) -> Picture:
    """A picture from rows of # and dots."""
    return np.array([[pixel == "#" for pixel in row] for row in text.split()])


def points(picture: Picture) -> list[tuple[int, int]]:
    return [(int(i), int(j)) for i, j in np.argwhere(picture)]


def logits(chance: NDArray[np.float64]) -> torch.Tensor:
    return torch.from_numpy(chance)[None, None].double().logit()


def ods_f(chance: NDArray[np.float64], boundary: Picture, **options: int) -> float:
    metric = Edges(TASK, **options)  # type: ignore[arg-type]
    label = torch.from_numpy(boundary)[None, None].byte()
    metric.update(logits(chance).float(), label, torch.ones_like(label[:, 0], dtype=torch.bool))
    return float(metric.compute()["ods_f"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("edges", "boundary", "radius", "expected"),
    [
        ("#.#", ".#.", 1.0, 1),  # two edges, one boundary pixel: it has one partner only
        (".#.", "#.#", 1.0, 1),
        ("##.", ".##", 1.0, 2),  # who takes the coinciding pixel first leaves the others without
        ("##..", ".##.", 1.0, 2),
        ("#..#", "#..#", 0.0, 2),
        ("#...", "..#.", 1.99, 0),
        ("#...", "..#.", 2.0, 1),  # the radius itself is near enough
        ("#.. ... ..#", "... .#. ...", 1.0, 0),
        ("#.. ... ..#", "... .#. ...", math.sqrt(2), 1),
        ("...", "###", 5.0, 0),
        ("###", "...", 5.0, 0),
    ],
)
def test_a_pixel_has_one_partner(edges: str, boundary: str, radius: float, expected: int) -> None:
    assert Partners(drawn(boundary), radius).match(drawn(edges)) == expected
    assert matching(points(drawn(edges)), points(drawn(boundary)), radius) == expected


def test_taking_the_nearest_first_would_find_fewer() -> None:
    """A line that is shifted along itself: the pixel that coincides should look elsewhere."""
    edges, boundary = drawn("###..."), drawn("..###.")
    pairs = [(math.dist(e, b), e, b) for e in points(edges) for b in points(boundary)]
    used: set[tuple[str, tuple[int, int]]] = set()
    greedy = 0
    for distance, e, b in sorted(pairs):
        if distance <= 2 and ("edge", e) not in used and ("boundary", b) not in used:
            used |= {("edge", e), ("boundary", b)}
            greedy += 1
    assert greedy == 2
    assert Partners(boundary, 2.0).match(edges) == 3


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
        lambda size: st.tuples(arrays(np.bool_, size), arrays(np.bool_, size))
    ),
    st.floats(0, 4),
)
@settings(max_examples=60)
def test_as_many_as_a_slow_matcher(pictures: tuple[Picture, Picture], radius: float) -> None:
    edges, boundary = pictures
    expected = matching(points(edges), points(boundary), radius)
    assert Partners(boundary, radius).match(edges) == expected


def test_large_pictures_are_matched_as_scipy_does() -> None:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    rng = np.random.default_rng(0)
    edges, boundary = rng.random((60, 80)) < 0.2, rng.random((60, 80)) < 0.15
    one, other = np.argwhere(edges), np.argwhere(boundary)
    near = ((one[:, None] - other) ** 2).sum(-1) <= 2.5**2
    found = maximum_bipartite_matching(csr_array(near), perm_type="column")
    assert Partners(boundary, 2.5).match(edges) == (found >= 0).sum()


def test_the_tolerance_is_a_share_of_the_diagonal() -> None:
    boundary = np.zeros((240, 320), bool)
    boundary[20:220, 100] = True
    for shift, expected in ((0, 100.0), (3, 100.0), (4, 0.0)):  # 0.0075 x 400 = 3
        chance = np.full(boundary.shape, 0.001)
        chance[20:220, 100 + shift] = 0.6
        assert ods_f(chance, boundary) == pytest.approx(expected)


def test_the_best_threshold_is_that_of_all_images() -> None:
    """Two images whose own best thresholds differ: F of the sums, not the mean of the best."""
    label = torch.zeros(2, 1, 40, 40, dtype=torch.uint8)
    label[:, :, 20, 5:25] = 1
    chance = torch.full((2, 1, 40, 40), 0.001)
    chance[0, 0, 20, 5:25], chance[0, 0, 30, 5:25] = 0.8, 0.5
    chance[1, 0, 20, 5:25] = 0.5
    metric = Edges(TASK)
    metric.update(chance.logit(), label, torch.ones(2, 40, 40, dtype=torch.bool))
    # Above 0.5: 20 of 20 found of 40. Up to 0.5: 40 of 60 found of 40, F = 80 / 100.
    assert metric.compute()["ods_f"] == pytest.approx(80.0)


def test_thick_predictions_are_thinned_and_thin_labels_stay() -> None:
    boundary = np.zeros((30, 40), bool)
    boundary[15, 5:35] = True
    chance = np.where(np.abs(np.arange(30) - 15)[:, None] <= 2, 0.7, 0.001) * np.ones((1, 40))
    counts = edge_counts(EdgeImage((255 * chance).astype(np.uint8), boundary, np.array([100, 200])))
    assert counts[2].tolist() == [30, 30]
    assert counts[1, 0] < 45
    assert counts[:2, 1].tolist() == [0, 0]


@pytest.mark.parametrize("thresholds", [1, 5, 25])
def test_fewer_thresholds(thresholds: int) -> None:
    rng = np.random.default_rng(thresholds)
    chance, boundary = rng.random((9, 12)), rng.random((9, 12)) < 0.3
    expected = edges_pascal(
        logits(chance).float().numpy().astype(float),
        boundary[None, None].astype(float),
        np.ones((1, 9, 12)),
        thresholds,
    )
    assert ods_f(chance, boundary, thresholds=thresholds) == pytest.approx(expected["ods_f"])


def test_the_state_holds_counts_of_thresholds_alone() -> None:
    metric = Edges(TASK)
    assert metric.counts.shape == (3, 99)
    large = torch.zeros(2, 1, 64, 96)
    metric.update(large, large.byte(), torch.ones(2, 64, 96, dtype=torch.bool))
    assert metric.counts.shape == (3, 99)
