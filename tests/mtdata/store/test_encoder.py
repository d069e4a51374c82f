"""The encoder that is kept makes the chunks that one made for each sample would."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mtdata.store import encoder
from mtdata.store.codec import COMPRESSIONS, Compression, decode, encode, filters
from mtdata.store.encoder import Encoder


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_chunks_are_those_of_a_fresh_file(compression: Compression) -> None:
    rng, kept = np.random.default_rng(0), Encoder()
    for top in (1, 200, 3, 255):  # chunks that grow and shrink in one place
        array = rng.integers(0, top, (40, 50, 3), np.uint8)
        options = filters(compression, array.dtype, image=True)
        assert kept(array, options) == encode(array, options)
    flat = np.zeros((7, 9), np.uint16)
    options = filters(compression, flat.dtype, image=False)
    assert kept(flat, options) == encode(flat, options)


def test_ever_new_sizes_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "FORMS", 3)
    kept = Encoder()
    options = filters("blosc", np.dtype(np.uint8), image=False)
    for side in range(1, 12):
        array = np.full((side, 4), side, np.uint8)
        found = decode(kept(array, options), array.shape, array.dtype, options)
        np.testing.assert_array_equal(found, array)
        assert len(kept._datasets) <= 3


def test_two_encoders_stand_side_by_side() -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    options = filters("blosc", array.dtype, image=False)
    first, second = Encoder(), Encoder()
    assert first(array, options) == second(array, options) == first(array, options)


def test_threads_get_their_own_chunks() -> None:
    kept, options = Encoder(), filters("blosc", np.dtype(np.uint16), image=False)
    arrays = [np.full((30, 30), i, np.uint16) for i in range(200)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda array: kept(array, options), arrays))
    assert found == [encode(array, options) for array in arrays]
