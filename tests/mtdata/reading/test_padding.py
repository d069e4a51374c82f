"""Padded images: crops lie in the true image, and padding is never valid, wherever it ends up."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtdata import Sample, open_store
from mtdata.building.build import build
from mtdata.reading.augment import Augmentation, sample_rng
from mtdata.reading.batch import Batch, collate
from mtdata.reading.cache import share_memory
from mtdata.reading.geometry import Change, Crop, Flip, Paste, Rotate, apply
from mtdata.reading.loader import Loader
from mtdata.tasks.sample import Extent
from mtdata.tasks.stored import StoredSample
from mtmodels.methods.views import View
from mtmodels.training.config import Config, ViewsPart
from mtmodels.training.loop.viewing import ViewMaker
from tests.stores.fake_split import TASKS, make_sample
from tests.stores.fakes import PaddedSource

CANVAS = (128, 128)
SIZES = ((16, 16), (100, 24), (128, 128))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("padded") / "padded.h5"
    build(PaddedSource(images=(9, 2), missing=0, sizes=SIZES), path, size=None)
    return path


def padded_sample(extent: Extent, size: tuple[int, int] = (40, 48)) -> Sample:
    """A sample that is black and void outside of a box, and neither inside of it."""
    sample = make_sample(size=size)
    inside = np.zeros(size, np.bool_)
    inside[extent.part] = True
    labels = {
        name: label * inside.reshape(size + (1,) * (label.ndim - 2))
        for name, label in sample.labels.items()
    }
    image = np.maximum(sample.image, 1) * inside[..., None].astype(np.uint8)
    return Sample("k", image, labels, dict.fromkeys(labels, inside), extent=extent)


def true_size(sample: Sample) -> tuple[int, int]:
    """Height and width of the true image; all of it is bright, and what is far from it is black."""
    extent = sample.extent or Extent(0, 0, *sample.image.shape[:2])
    bright = np.asarray(sample.image.any(-1))
    assert bright[extent.part].all()
    # Interpolation carries the outermost pixels of an image that is magnified into its padding.
    top, left = max(0, extent.top - 8), max(0, extent.left - 8)
    bright[top : extent.top + extent.height + 8, left : extent.left + extent.width + 8] = False
    assert not bright.any()
    return extent.height, extent.width


@pytest.mark.parametrize("cached", [False, True])
def test_crops_lie_in_the_true_image(path: Path, *, cached: bool) -> None:
    augment = Augmentation(scales=(1.2, 1.5, 16.0))
    with open_store(path) as store:
        dataset = store.dataset("train", regime="full", transform=augment)
        plain = store.dataset("train", regime="full")
        if cached:
            cache, (dataset,) = share_memory(dataset)
            cache.fill()
        sizes = [true_size(plain.read(index)) for index in range(len(plain))]
        assert set(sizes) == set(SIZES)
        for index, size in enumerate(sizes):
            true = plain.read(index)
            for epoch in range(20):
                changes = augment.changes(sample_rng(0, epoch, true.key), true)
                box = [int(side / changes[0].scale) for side in CANVAS]  # type: ignore[attr-defined]
                shown = dataset.read(index, epoch)
                # As many pixels of the image as the box can hold, magnified; none is lost.
                kept = [128 * min(a, b) / a for a, b in zip(box, size, strict=True)]
                assert true_size(shown) == pytest.approx(kept, abs=1)
                assert all(valid.any() for valid in shown.valid.values())


def test_an_image_without_padding_is_cropped_as_ever() -> None:
    crop = Crop(1.2, 0.3, 0.9)
    assert crop.within(None, 30, 40) is crop
    whole = Extent(0, 0, 30, 40)
    assert crop.within(whole, 30, 40).box(30, 40) == crop.box(30, 40)


shares = st.floats(0, 1, exclude_max=True)
sides = st.tuples(st.integers(0, 30), st.integers(1, 30))
extents = st.tuples(sides, sides).map(
    lambda two: Extent(two[0][0], two[1][0], min(two[0][1], 40 - two[0][0]),
                       min(two[1][1], 48 - two[1][0]))
)  # fmt: skip
crops = st.builds(Crop, st.sampled_from((1.0, 1.2, 1.5, 3.0, 40.0)), shares, shares)


@given(crop=crops, extent=extents)
@settings(max_examples=200)
def test_a_crop_holds_all_of_the_image_or_nothing_else(crop: Crop, extent: Extent) -> None:
    top, left, h, w = crop.within(extent, 40, 48).box(40, 48)
    for start, length, at, box, canvas in (
        (extent.top, extent.height, top, h, 40),
        (extent.left, extent.width, left, w, 48),
    ):
        assert 0 <= at <= canvas - box
        if box <= length:
            assert start <= at
            assert at + box <= start + length
        else:
            assert at <= start
            assert start + length <= at + box


changes = st.one_of(st.just(Flip()), crops, crops.map(lambda c: Paste(c.scale, c.top, c.left)))


@given(change=changes, extent=extents)
@settings(max_examples=100)
def test_the_extent_is_where_the_image_is(change: Change, extent: Extent) -> None:
    moved = apply(padded_sample(extent), change, TASKS)
    inside = np.zeros((40, 48), np.bool_)
    inside[(moved.extent or Extent(0, 0, 40, 48)).part] = True
    for valid in moved.valid.values():
        np.testing.assert_array_equal(valid, inside)


@given(degrees=st.floats(-180, 180), extent=extents)
@settings(max_examples=60)
def test_a_turned_image_lies_in_its_box(degrees: float, extent: Extent) -> None:
    moved = apply(padded_sample(extent), Rotate(degrees), TASKS)
    around = moved.extent or Extent(0, 0, 40, 48)
    for valid in moved.valid.values():
        outside = valid.copy()
        outside[around.part] = False
        assert not outside.any()


def assert_alike(ours: Tensor, theirs: Tensor) -> None:
    """The same pixels, but for those at the edges."""
    ours, theirs = ours[:, None].float(), theirs[:, None].float()
    assert (ours <= F.max_pool2d(theirs, 5, 1, 2)).all()
    assert (theirs <= F.max_pool2d(ours, 5, 1, 2)).all()


@pytest.mark.parametrize("extent", [None, Extent(4, 6, 20, 30)])
@pytest.mark.parametrize("then", [[], [Flip()], [Crop(1.5, 0.3, 0.9), Flip()], [Paste(1.3, 0.2)]])
def test_what_a_turn_leaves_empty_is_no_part_of_the_image(
    then: list[Change], extent: Extent | None
) -> None:
    whole = Extent(0, 0, 40, 48)
    turned = []
    for degrees in (-15.0, 8.0, 130.0):
        sample = replace(padded_sample(extent or whole), extent=extent)
        for change in (Rotate(degrees), *then):
            sample = apply(sample, change, TASKS)
        turned.append(sample)
    batch = collate(turned)
    assert not batch.inside().flatten(1).all(1).any()
    assert_alike(batch.inside(), batch.valid["depth"])
    config = Config(views=ViewsPart(count=2, scales=(1.5,), flip=1.0))
    views = ViewMaker(config, TASKS, [View(), View()])(batch, 0)
    assert_alike(views.last.inside(), views.last.valid["depth"])


@pytest.mark.parametrize("rotate", [0.0, 20.0])
def test_padding_that_a_file_calls_labelled_is_not_valid(rotate: float) -> None:
    """Whatever wrote the file: what is outside of the true image says nothing."""
    whole = make_sample(size=(40, 48))
    everywhere = np.ones((40, 48), np.bool_)
    stored = StoredSample(
        "k",
        whole.image,
        {
            task.name: task.kind.encode(np.ones_like(label), everywhere)
            for task, label in zip(TASKS, whole.labels.values(), strict=True)
            if task.name != "normals"
        },
        extent=Extent(0, 0, 10, 12),
    )
    decoded = stored.decode(TASKS)
    augmented = Augmentation(rotate=rotate).from_stored(stored, sample_rng(0, 0, "k"), TASKS)
    for sample in (decoded, augmented):
        assert sample.extent is not None
        outside = np.ones((40, 48), np.bool_)
        outside[sample.extent.part] = False
        for name, valid in sample.valid.items():
            assert not valid[outside].any()
            assert not sample.labels[name][outside].any()
            assert valid.any()


def batch_of(path: Path, workers: int = 0) -> Batch:
    with open_store(path) as store:
        dataset = store.dataset("train", regime="full", transform=Augmentation(scales=(1.2,)))
        loader = Loader(dataset, 9, shuffle=False, workers=workers)
        return next(iter(loader.epoch(0)))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_batch_knows_its_padding(path: Path, workers: int) -> None:
    batch = batch_of(path, workers)
    assert batch.extents is not None
    inside = batch.inside()
    assert (batch.image[inside[:, None].expand_as(batch.image)] > 0).all()
    far = F.max_pool2d(inside[:, None].float(), 5, 1, 2) == 0
    assert far.any()
    assert not batch.image[far.expand_as(batch.image)].any()
    for name, valid in batch.valid.items():
        assert not valid[~inside[batch.rows[name]]].any()


def test_a_batch_without_padding_says_so() -> None:
    batch = collate([make_sample(), make_sample("other")])
    assert batch.extents is None
    assert batch.inside().all()


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_further_views_are_crops_of_the_true_image(path: Path, flip: float) -> None:
    config = Config(views=ViewsPart(count=2, scales=(16.0,), flip=flip))
    tasks = PaddedSource.tasks()
    views = ViewMaker(config, tasks, [View(), View()])(batch_of(path), 0)
    # A box of 8x8 fits into the smallest image, so that nothing of it is padding.
    assert views.last.image.flatten(1).min(1).values.gt(0).all()
    assert views.last.inside().all()
    _, valid = views.moved(tasks[1], torch.ones(9, 1, *CANVAS))
    assert valid.all()
    assert views.all.extents is not None
    assert torch.equal(views.all.inside()[:9], views.main.inside())


def test_padding_is_compared_with_nothing(path: Path) -> None:
    """A view that holds more than the image: what is moved there is not valid beside the image."""
    config = Config(views=ViewsPart(count=2, scales=(1.0,), flip=1.0))
    batch = batch_of(path)
    views = ViewMaker(config, PaddedSource.tasks(), [View(), View()])(batch, 0)
    _, valid = views.moved(PaddedSource.tasks()[1], torch.ones(9, 1, *CANVAS))
    assert torch.equal(valid, batch.inside().flip(-1))
    assert torch.equal(views.last.inside(), batch.inside().flip(-1))
