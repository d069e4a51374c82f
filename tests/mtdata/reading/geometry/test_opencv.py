"""Laws of the geometry of samples."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtdata import Binary, Classes, Depth, Normals, Sample, Task
from mtdata.reading.geometry import Change, Crop, Flip, Paste, Rotate, apply
from tests.mtdata.reading.geometry.undoing import undoing
from tests.stores.fake_split import INVERSE, TASKS, make_sample, unit

ALL = (*TASKS, INVERSE)
shares = st.floats(0, 1, exclude_max=True)
crops = st.builds(Crop, st.sampled_from((1.0, 1.2, 1.5, 2.0)), shares, shares)
changes = st.one_of(
    st.just(Flip()),
    crops,
    crops.map(undoing),
    st.builds(Rotate, st.floats(-180.0, 180.0)),
)
sizes = st.tuples(st.integers(6, 40), st.integers(6, 40))
quick = settings(max_examples=40)


def same(a: Sample, b: Sample) -> None:
    np.testing.assert_array_equal(a.image, b.image)
    for name in a.labels:
        np.testing.assert_array_equal(a.labels[name], b.labels[name])
        np.testing.assert_array_equal(a.valid[name], b.valid[name])


@given(size=sizes)
@quick
def test_flip_twice_is_nothing(size: tuple[int, int]) -> None:
    sample = make_sample(size=size, tasks=ALL)
    once = apply(sample, Flip(), ALL)
    same(apply(once, Flip(), ALL), sample)
    np.testing.assert_array_equal(once.image, sample.image[:, ::-1])
    turned = sample.labels["normals"][:, ::-1] * (-1, 1, 1)
    np.testing.assert_array_equal(once.labels["normals"], turned)
    np.testing.assert_array_equal(once.labels["depth"], sample.labels["depth"][:, ::-1])


@given(change=changes, size=sizes)
@quick
def test_types_sizes_and_zeros(change: Change, size: tuple[int, int]) -> None:
    sample = make_sample(size=size, tasks=ALL)
    moved = apply(sample, change, ALL)
    assert moved.image.dtype == np.uint8
    assert moved.image.shape == sample.image.shape
    for name, label in moved.labels.items():
        assert label.dtype == sample.labels[name].dtype
        assert label.shape == sample.labels[name].shape
        assert moved.valid[name].dtype == np.bool_
        assert not label[~moved.valid[name]].any()


@given(change=changes, size=sizes)
@quick
def test_inputs_stay_as_they_are(change: Change, size: tuple[int, int]) -> None:
    sample = make_sample(size=size, tasks=ALL)
    apply(sample, change, ALL)
    same(sample, make_sample(size=size, tasks=ALL))


@given(change=changes, size=sizes)
@quick
def test_normals_stay_unit(change: Change, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    rough = unit(rng.normal(size=(*size, 3)))
    valid = rng.random(size) < 0.8
    sample = Sample("k", np.zeros((*size, 3), np.uint8), {"n": rough}, {"n": valid})
    moved = apply(sample, change, [Task("n", Normals())])
    length = np.linalg.norm(moved.labels["n"], axis=-1)
    np.testing.assert_allclose(length[moved.valid["n"]], 1, atol=1e-5)


@given(change=changes, size=sizes)
@quick
def test_validity_moves_with_the_values(change: Change, size: tuple[int, int]) -> None:
    """A label that says of each pixel where it is from stays true of every valid pixel."""
    rng = np.random.default_rng(1)
    valid = rng.random(size) < 0.5
    sample = Sample(
        "k", np.zeros((*size, 3), np.uint8), {"b": valid.astype(np.uint8)}, {"b": valid}
    )
    moved = apply(sample, change, [Task("b", Binary())])
    np.testing.assert_array_equal(moved.labels["b"] == 1, moved.valid["b"])


@given(change=changes, garbage=st.sampled_from((np.nan, 1e30, -1.0)))
@quick
def test_pixels_that_are_not_valid_do_not_bleed(change: Change, garbage: float) -> None:
    sample = make_sample(tasks=[TASKS[2]])
    dirty = sample.labels["normals"].copy()
    dirty[~sample.valid["normals"]] = garbage
    clean = apply(sample, change, TASKS)
    other = apply(Sample("k", sample.image, {"normals": dirty}, sample.valid), change, TASKS)
    np.testing.assert_array_equal(clean.valid["normals"], other.valid["normals"])
    seen = clean.valid["normals"]
    np.testing.assert_array_equal(clean.labels["normals"][seen], other.labels["normals"][seen])


def test_normals_weigh_valid_pixels_alone() -> None:
    label = np.zeros((4, 4, 3), np.float32)
    label[:, :2], label[:, 2:] = (0, 0, 1), (1, 0, 0)
    valid = np.zeros((4, 4), np.bool_)
    valid[:, :2] = True
    sample = Sample("k", np.zeros((4, 4, 3), np.uint8), {"n": label}, {"n": valid})
    moved = apply(sample, Crop(1.5, 0.5, 0.5), [Task("n", Normals())])
    np.testing.assert_allclose(
        moved.labels["n"][moved.valid["n"]],
        np.tile((0, 0, 1), (moved.valid["n"].sum(), 1)),
        atol=1e-6,
    )


def test_normals_that_cancel_take_the_nearest() -> None:
    label = np.zeros((3, 6, 3), np.float32)
    label[:, ::2], label[:, 1::2] = (1, 0, 0), (-1, 0, 0)
    valid = np.ones((3, 6), np.bool_)
    sample = Sample("k", np.zeros((3, 6, 3), np.uint8), {"n": label}, {"n": valid})
    moved = apply(sample, Paste(2.0), [Task("n", Normals())])
    assert set(np.abs(moved.labels["n"][moved.valid["n"]][:, 0]).tolist()) == {1.0}


@given(crop=crops)
@quick
def test_a_crop_comes_back_into_its_box(crop: Crop) -> None:
    sample = make_sample(size=(48, 64), tasks=ALL)
    back = apply(apply(sample, crop, ALL), undoing(crop), ALL)
    y, x, h, w = crop.box(48, 64)
    box = np.s_[y : y + h, x : x + w]
    for task in ALL:
        label, valid = back.labels[task.name], back.valid[task.name]
        outside = valid.copy()
        outside[box] = False
        assert not outside.any()
        # Nearest there and back takes every pixel to itself.
        np.testing.assert_array_equal(valid[box], sample.valid[task.name][box])
        close: dict[str, Any] = (
            {"atol": 0.2 if crop.scale > 1 else 1e-6} if task.name == "normals" else {"rtol": 1e-6}
        )
        seen = valid[box]
        np.testing.assert_allclose(label[box][seen], sample.labels[task.name][box][seen], **close)
    difference = back.image[box].astype(int) - sample.image[box]
    assert np.abs(difference).mean() < 2
    if crop.scale == 1:
        assert not difference.any()


@given(scale=st.sampled_from((1.2, 1.5, 2.0)), top=shares, left=shares)
@quick
def test_zoom_changes_depth_as_it_should(scale: float, top: float, left: float) -> None:
    value = np.float32(3)
    tasks = [Task("depth", Depth()), Task("inverse", Depth(unit="1/m"))]
    flat = np.full((8, 8), value)
    valid = np.ones((8, 8), np.bool_)
    sample = Sample(
        "k",
        np.zeros((8, 8, 3), np.uint8),
        {"depth": flat, "inverse": 1 / flat},
        {"depth": valid, "inverse": valid},
    )
    crop = Crop(scale, top, left)
    moved = apply(sample, crop, tasks)
    np.testing.assert_allclose(moved.labels["depth"], value / scale, rtol=1e-6)
    np.testing.assert_allclose(moved.labels["depth"] * moved.labels["inverse"], 1, rtol=1e-6)
    paper = apply(sample, crop, tasks, paper=True)
    np.testing.assert_array_equal(paper.labels["depth"], moved.labels["depth"])
    np.testing.assert_allclose(paper.labels["inverse"], 1 / value / scale, rtol=1e-6)
    back = apply(paper, undoing(crop), tasks, paper=True)
    np.testing.assert_allclose(back.labels["inverse"][back.valid["inverse"]], 1 / value, rtol=1e-6)


@pytest.mark.parametrize(("degrees", "turns"), [(90.0, 1), (180.0, 2), (-90.0, 3), (360.0, 4)])
def test_right_angles_are_exact(degrees: float, turns: int) -> None:
    sample = make_sample(size=(24, 24), tasks=ALL)
    moved = apply(sample, Rotate(degrees), ALL)
    for name in ("semantic", "depth", "edges", "disparity"):
        np.testing.assert_array_equal(moved.labels[name], np.rot90(sample.labels[name], turns))
    for name in sample.valid:
        np.testing.assert_array_equal(moved.valid[name], np.rot90(sample.valid[name], turns))
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    x, y, z = np.moveaxis(np.rot90(sample.labels["normals"], turns), -1, 0)
    expected = np.stack([c * x - s * y, s * x + c * y, z], -1)
    np.testing.assert_allclose(moved.labels["normals"], expected, atol=1e-4)
    difference = moved.image.astype(int) - np.rot90(sample.image, turns)
    assert np.abs(difference).max() <= 1


def test_nothing_comes_from_outside() -> None:
    full = np.ones((20, 30), np.bool_)
    sample = Sample(
        "k", np.full((20, 30, 3), 200, np.uint8), {"s": full.astype(np.uint8)}, {"s": full}
    )
    task = Task("s", Classes(("a", "b"), ((0, 0, 0), (1, 1, 1))))
    moved = apply(sample, Rotate(45.0), [task])
    assert not moved.valid["s"][0, 0]
    assert moved.image[0, 0].tolist() == [0, 0, 0]
    assert moved.valid["s"][10, 15]


def test_labels_that_are_absent_stay_absent() -> None:
    sample = make_sample(tasks=TASKS[:1])
    assert set(apply(sample, Crop(1.2), TASKS).labels) == {"semantic"}


def test_an_unknown_change_is_refused() -> None:
    class Shear(Flip):
        pass

    class Odd(Change):
        camera = moved = None  # type: ignore[assignment]

    same(apply(make_sample(), Shear(), TASKS), apply(make_sample(), Flip(), TASKS))
    with pytest.raises(TypeError, match="`change` should be a flip, crop or rotation"):
        apply(make_sample(), Odd(), TASKS)


def test_the_camera_follows() -> None:
    moved = apply(make_sample(), Flip(), TASKS)
    assert moved.camera is not None
    assert moved.camera.cx == 15


def _checker(h: int, w: int) -> NDArray[np.uint8]:
    return ((np.add.outer(np.arange(h), np.arange(w)) % 2) * 255).astype(np.uint8)


def test_a_shrunk_image_is_a_mean() -> None:
    sample = Sample("k", np.repeat(_checker(8, 8)[..., None], 3, -1))
    small = apply(sample, Paste(2.0), []).image[:4, :4]
    assert np.abs(small.astype(int) - 128).max() <= 1
