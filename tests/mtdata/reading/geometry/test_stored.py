"""Crop and flip before decoding give what decoding first gives."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtdata import Sample
from mtdata.reading.augment import Augmentation
from mtdata.reading.geometry import Crop, Flip, apply
from mtdata.reading.geometry.stored import apply_stored
from mtdata.tasks.stored import StoredSample
from tests.stores.fake_split import INVERSE, TASKS, make_sample

ALL = (*TASKS, INVERSE)
KINDS = {task.name: task.kind for task in ALL}
SHARES = st.floats(0, 1, exclude_max=True)
CROPS = st.one_of(st.none(), st.builds(Crop, st.sampled_from((1.0, 1.2, 1.5, 3.7)), SHARES, SHARES))
FLIPS = st.sampled_from((None, Flip()))


def store(sample: Sample) -> StoredSample:
    labels = {
        name: KINDS[name].encode(label, sample.valid[name]) for name, label in sample.labels.items()
    }
    return StoredSample(sample.key, sample.image, labels, sample.camera)


def complete(sample: Sample) -> Sample:
    """Every pixel of every label valid: what is not so takes the value of one that is."""
    labels = {}
    for name, label in sample.labels.items():
        labels[name] = label.copy()
        labels[name][~sample.valid[name]] = label[sample.valid[name]][0]
    return replace(sample, labels=labels, valid={n: v | True for n, v in sample.valid.items()})


def assert_same(found: Sample, expected: Sample) -> None:
    assert (found.key, found.camera) == (expected.key, expected.camera)
    np.testing.assert_array_equal(found.image, expected.image)
    assert found.labels.keys() == expected.labels.keys()
    for name, label in expected.labels.items():
        np.testing.assert_array_equal(found.valid[name], expected.valid[name])
        assert found.labels[name].dtype == label.dtype
        near = 1e-6 if name == "normals" else 0
        np.testing.assert_allclose(found.labels[name], label, rtol=0, atol=near)


@settings(max_examples=40)
@given(
    size=st.tuples(st.integers(4, 40), st.integers(4, 40)),
    seed=st.integers(0, 99),
    crop=CROPS,
    flip=FLIPS,
    whole=st.booleans(),
    paper=st.booleans(),
)
def test_the_same_as_decoding_first(
    size: tuple[int, int],
    seed: int,
    crop: Crop | None,
    flip: Flip | None,
    whole: bool,
    paper: bool,
) -> None:
    sample = make_sample(size=size, seed=seed, tasks=ALL)
    stored = store(complete(sample) if whole else sample)
    expected = stored.decode(ALL)
    for change in (crop, flip):
        if change is not None:
            expected = apply(expected, change, ALL, paper=paper)
    found = apply_stored(stored, crop, flip, ALL, paper=paper)
    assert_same(found, expected)
    kept = {name: KINDS[name].keep(label) for name, label in stored.labels.items()}
    again = apply_stored(replace(stored, labels=kept), crop, flip, ALL, paper=paper)
    for name, label in found.labels.items():
        np.testing.assert_array_equal(again.labels[name], label)
        np.testing.assert_array_equal(again.valid[name], found.valid[name])


def test_weak_means_take_the_nearest() -> None:
    label = np.zeros((8, 8, 3), np.float32)
    label[..., 0] = np.where(np.arange(8) % 2, 1, -1)
    image = np.zeros((8, 8, 3), np.uint8)
    sample = Sample("k", image, {"normals": label}, {"normals": np.ones((8, 8), np.bool_)})
    crop = Crop(1.5, 0.5, 0.5)
    stored = store(sample)
    found = apply_stored(stored, crop, None, ALL)
    assert_same(found, apply(stored.decode(ALL), crop, ALL))
    np.testing.assert_allclose(np.linalg.norm(found.labels["normals"], axis=-1), 1, atol=1e-6)


@pytest.mark.parametrize("rotate", [0.0, 20.0])
def test_augmentation_draws_alike(rotate: float) -> None:
    stored = store(make_sample(tasks=ALL))
    augment = Augmentation(rotate=rotate)
    for seed in range(12):
        expected = augment(stored.decode(ALL), np.random.default_rng(seed), ALL)
        found = augment.from_stored(stored, np.random.default_rng(seed), ALL)
        assert_same(found, expected)


@pytest.mark.parametrize("crop", [None, Crop(1.2)])
@pytest.mark.parametrize("flip", [None, Flip()])
@pytest.mark.parametrize("kept", [False, True])
def test_the_stored_sample_is_neither_altered_nor_shared(
    crop: Crop | None, flip: Flip | None, kept: bool
) -> None:
    stored = store(complete(make_sample(tasks=ALL)))
    if kept:
        labels = {name: KINDS[name].keep(label) for name, label in stored.labels.items()}
        stored = replace(stored, labels=labels)
    for array in (stored.image, *stored.labels.values()):
        array.flags.writeable = False
    found = apply_stored(stored, crop, flip, ALL)
    for name, label in found.labels.items():
        assert not np.shares_memory(label, stored.labels[name])
        assert label.flags.writeable
    assert found.image.flags.writeable
    assert not np.shares_memory(found.image, stored.image)
