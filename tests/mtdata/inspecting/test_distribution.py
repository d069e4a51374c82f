"""Quantiles of a stream against numpy's of everything at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mtdata.inspecting.distribution import Distribution

NUMBERS = st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False)


@given(arrays(np.float32, st.integers(1, 60), elements=NUMBERS), st.integers(0, 60))
def test_equals_numpy(values: np.ndarray, cut: int) -> None:
    found = Distribution()
    found.add(values[:cut])
    found.add(values[cut:])
    assert found.count == len(values)
    assert found.minimum == values.min()
    assert found.maximum == values.max()
    np.testing.assert_allclose(found.mean, values.mean(dtype=np.float64), rtol=1e-12, atol=1e-25)
    for q in (0.01, 0.5, 0.99):
        expected = np.quantile(values, q, method="inverted_cdf")
        np.testing.assert_allclose(found.quantile(q), expected, rtol=2**-11, atol=1e-35)


def test_histogram() -> None:
    values = np.random.default_rng(0).normal(0, 2, 5000).astype(np.float32)
    found = Distribution()
    found.add(values)
    edges = np.linspace(-7.03, 7.03, 8)
    expected, _ = np.histogram(values, edges)
    assert np.abs(found.histogram(edges) - expected).max() <= 5


@pytest.mark.parametrize("ends", [(0.0, 7.0), (-1.0, 1.0)])
def test_histogram_counts_what_lies_at_its_ends(ends: tuple[float, float]) -> None:
    values = np.clip(np.random.default_rng(0).normal(0, 9, 5000), *ends).astype(np.float32)
    found = Distribution()
    found.add(values)
    assert found.histogram(np.linspace(*ends, 61)).sum() == found.count


def test_nothing_seen() -> None:
    found = Distribution()
    found.add(np.zeros(0, np.float32))
    assert set(found.to_json().values()) == {None}


def test_memory_is_constant() -> None:
    found = Distribution()
    size = found.bins.nbytes
    for scale in (1e-20, 1.0, 1e20):
        found.add(np.full(1000, scale, np.float32))
    assert found.bins.nbytes == size < 10e6
    assert found.quantile(0.5) == pytest.approx(1.0, rel=1e-3)
