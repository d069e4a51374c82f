"""One label an image in a given ratio."""

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mtdata.errors import DataError, UsageError
from mtdata.regimes.deal import deal
from mtdata.regimes.drawing import draw
from mtdata.regimes.imbalanced import apportion

TASKS = ("semantic", "depth", "normals")


def _counts(n: int, **ratio: float) -> dict[str, int]:
    keys, tasks = [f"{i}" for i in range(n)], list(ratio)
    table = draw("imbalanced", keys, tasks, np.ones((n, len(tasks)), np.bool_), ratio=ratio)
    assert table.images_with == {1: n}
    assert table.parameters == {"ratio": ratio}
    return table.counts


def test_counts_are_exact() -> None:
    assert _counts(2975, semantic=0.9, depth=0.1) == {"semantic": 2677, "depth": 298}
    assert _counts(2975, semantic=0.1, depth=0.9) == {"semantic": 297, "depth": 2678}
    assert _counts(100, semantic=0.7, depth=0.2, normals=0.1) == {
        "semantic": 70,
        "depth": 20,
        "normals": 10,
    }
    assert sorted(_counts(100, semantic=0.333, depth=0.333, normals=0.333).values()) == [33, 33, 34]


@given(
    weights=st.lists(st.integers(1, 1000), min_size=1, max_size=6),
    total=st.integers(0, 10_000),
)
def test_apportioned_numbers_add_up_and_are_within_one(weights: list[int], total: int) -> None:
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    counts = apportion(shares, total)
    assert sum(counts) == total
    assert all(abs(c - share * total) < 1 for c, share in zip(counts, shares, strict=True))


@given(
    available=st.integers(1, 3).flatmap(lambda t: arrays(np.bool_, (6, t))),
    weights=st.lists(st.integers(1, 6), min_size=3, max_size=3),
)
@settings(max_examples=100)
def test_no_other_assignment_is_nearer(available: NDArray[np.bool_], weights: list[int]) -> None:
    used = weights[: available.shape[1]]
    keys = [f"{i}" for i in range(6)]
    labels = deal(keys, TASKS[: len(used)], available, seed=0, weights=used)
    has = available.any(1)
    assert (labels.sum(1) == has).all()
    assert not (labels & ~available).any()
    choices = [np.flatnonzero(row).tolist() for row in available[has]]
    loads = [np.bincount(c, minlength=len(used)) for c in product(*choices) if c]
    if loads:
        costs = [(load**2 / np.array(used)).sum() for load in loads]
        assert (labels.sum(0) ** 2 / np.array(used)).sum() == pytest.approx(min(costs))


def test_a_task_that_is_short_of_images_gets_them_all_and_the_others_keep_their_ratio() -> None:
    available = np.ones((100, 3), np.bool_)
    available[30:, 2] = False
    keys, ratio = [f"{i}" for i in range(100)], {"semantic": 0.4, "depth": 0.1, "normals": 0.5}
    table = draw("imbalanced", keys, TASKS, available, ratio=ratio)
    assert table.counts == {"semantic": 56, "depth": 14, "normals": 30}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "`ratio` should give each task a share .* found none"),
        ({"ratio": 0.5}, "found 0.5"),
        ({"ratio": {"semantic": 0.9, "depth": 0.2}}, "add up to 1.* found 1.1"),
        ({"ratio": {"semantic": 1.0, "depth": 0}}, "found depth=0. A task that should get no"),
        ({"ratio": {"semantic": float("nan"), "depth": 1}}, "found semantic=nan"),
        ({"ratio": {"semantic": 1}}, "every task once: semantic, depth; found semantic. Give .*"),
        ({"ratio": {"semantic": 0.9, "edges": 0.1}}, "found semantic, edges"),
    ],
)
def test_ratios_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        draw("imbalanced", ["a", "b"], TASKS[:2], np.ones((2, 2), np.bool_), **options)


def test_too_few_images_for_the_ratio() -> None:
    with pytest.raises(DataError, match="gives the task `depth` no label"):
        _counts(3, semantic=0.9, depth=0.1)
