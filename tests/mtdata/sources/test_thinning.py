"""Thinning is that of scikit-image, pixel for pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.morphology import thin as reference

from mtdata.sources.thinning import thin


@pytest.mark.parametrize("density", [0.0, 0.2, 0.5, 0.8, 0.95, 1.0])
def test_like_scikit_image_on_noise(density: float) -> None:
    picture = np.random.default_rng(0).random((48, 64)) < density
    before = picture.copy()
    np.testing.assert_array_equal(thin(picture), reference(picture))
    np.testing.assert_array_equal(picture, before)


@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_like_scikit_image_on_anything(picture: np.ndarray) -> None:
    np.testing.assert_array_equal(thin(picture), reference(picture))


def test_like_scikit_image_on_thick_shapes() -> None:
    rows, columns = np.mgrid[:70, :90]
    disc = (rows - 35) ** 2 + (columns - 40) ** 2 < 30**2
    holes = (rows % 17 > 1) | (columns % 23 > 1)
    for picture in (disc, disc & holes, np.ones((40, 61), bool), holes):
        np.testing.assert_array_equal(thin(picture), reference(picture))
