"""Chunks made in memory come back as the array they were made of."""

from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtdata.store.codec import COMPRESSIONS, Chunk, Compression, decode, encode, filters
from mtdata.store.format import stored_form
from mtdata.tasks.task import Task
from tests.stores.fakes import TASKS, random_label

KINDS = [pytest.param(task, id=task.name) for task in TASKS]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("task", KINDS)
@settings(max_examples=8)
@given(h=st.integers(1, 40), w=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_label_round_trip(task: Task, compression: Compression, h: int, w: int, seed: int) -> None:
    label, valid = random_label(task.kind, (h, w), np.random.default_rng(seed))
    stored = task.kind.encode(label, valid)
    shape, dtype = stored_form(task.kind, (h, w))
    assert (stored.shape, stored.dtype) == (shape, dtype)
    options = filters(compression, dtype, image=False)
    back = decode(encode(stored, options), shape, dtype, options)
    np.testing.assert_array_equal(back, stored)
    again, mask = task.kind.decode(back)
    np.testing.assert_array_equal(mask, valid)
    limit = 0.01 if task.kind.name == "normals" else 0
    assert np.rad2deg(np.abs(again.astype(np.float64) - label)).max() <= limit


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_chunk_goes_into_any_file(compression: Compression, tmp_path: Any) -> None:
    image = np.random.default_rng(1).integers(0, 256, (9, 7, 3), np.uint8)
    options = filters(compression, image.dtype, image=True)
    chunk = encode(image, options)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        array = file.create_dataset(
            "x", shape=(3, 9, 7, 3), dtype="u1", chunks=(1, 9, 7, 3), **options
        )
        array.id.write_direct_chunk((1, 0, 0, 0), chunk.data, filter_mask=chunk.mask)
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["x"][1], image)
        assert not file["x"][0].any()


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_flipped_bit_is_found(compression: Compression) -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    options = filters(compression, image.dtype, image=True)
    chunk = encode(image, options)
    for bit in range(8 * len(chunk.data)):
        data = bytearray(chunk.data)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(OSError, match="read"):
            decode(Chunk(chunk.mask, bytes(data)), image.shape, image.dtype, options)


def test_same_array_same_bytes() -> None:
    image = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    options = filters("blosc", image.dtype, image=True)
    assert encode(image, options) == encode(image.copy(), options)
