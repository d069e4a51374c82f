"""A batch that is packed and unpacked is the batch."""

import pickle

import torch
from hypothesis import given
from hypothesis import strategies as st

from mtdata.reading.batch import Batch
from mtdata.reading.parcel import ALIGNED, pack
from tests.runs.batches import SIX, random_batch

NAMES = [task.name for task in SIX]


def assert_same(a: Batch, b: Batch) -> None:
    assert (a.keys, a.extents, a.cameras) == (b.keys, b.extents, b.cameras)
    assert a.image.stride() == b.image.stride()
    assert torch.equal(a.image, b.image)
    for field in ("labels", "valid", "rows"):
        ours, theirs = getattr(a, field), getattr(b, field)
        assert list(ours) == list(theirs)
        for name in ours:
            assert ours[name].dtype == theirs[name].dtype
            assert torch.equal(ours[name], theirs[name])


@given(st.dictionaries(st.sampled_from(NAMES), st.sets(st.integers(0, 2), min_size=1)))
def test_unpacks_to_what_was_packed(rows: dict[str, set[int]]) -> None:
    batch = random_batch(SIX, 3, (9, 7), rows={name: sorted(r) for name, r in rows.items()})
    assert_same(pack(batch).unpack(), batch)


def test_keeps_the_layout_of_the_image() -> None:
    batch = random_batch(SIX, 2).to("cpu", channels_last=True)
    assert_same(pack(batch).unpack(), batch)


def test_is_one_shared_block() -> None:
    parcel = pack(random_batch(SIX, 2))
    assert parcel.block.is_shared()
    assert all(entry.start % ALIGNED == 0 for entry in parcel.entries)
    storage = parcel.block.untyped_storage().data_ptr()
    unpacked = parcel.unpack()
    for tensor in (unpacked.image, *unpacked.labels.values(), *unpacked.valid.values()):
        assert tensor.untyped_storage().data_ptr() == storage


def test_what_describes_it_is_small() -> None:
    parcel = pack(random_batch(SIX, 2))
    assert len(pickle.dumps((parcel.keys, parcel.entries))) < 3000
