"""Resizing image, labels and camera together."""

import numpy as np
import pytest
import torch

from mtdata.tasks.kinds import Depth, Normals
from mtdata.tasks.resize import centres, fitting_size, nearest, resize_image, resize_sample
from mtdata.tasks.sample import Camera, Sample

KINDS = {"depth": Depth(), "normals": Normals()}


def sample(h: int, w: int) -> Sample:
    rng = np.random.default_rng(h * 100 + w)
    image = rng.integers(0, 256, (h, w, 3), np.uint8)
    depth = rng.uniform(1, 9, (h, w)).astype(np.float32)
    normals = rng.normal(size=(h, w, 3))
    normals = (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)
    valid = {"depth": rng.random((h, w)) < 0.7, "normals": rng.random((h, w)) < 0.7}
    labels = {"depth": depth, "normals": normals}
    return Sample("a", image, labels, valid, Camera(10.0, 12.0, w / 2, h / 2))


@pytest.mark.parametrize("size", [(4, 6), (7, 3), (16, 24), (1, 1), (13, 5)])
def test_nearest_is_the_pixel_whose_centre_is_nearest(size: tuple[int, int]) -> None:
    array = np.arange(8 * 9).reshape(8, 9)
    found = nearest(array, size)
    for i in range(size[0]):
        for j in range(size[1]):
            row, column = (i + 0.5) * 8 / size[0], (j + 0.5) * 9 / size[1]
            assert found[i, j] == array[int(row), int(column)]


@pytest.mark.parametrize("size", [(4, 6), (16, 24), (5, 20)])
def test_sample_at_another_size(size: tuple[int, int]) -> None:
    before = sample(8, 12)
    after = resize_sample(before, size, KINDS)
    assert after.image.shape == (*size, 3)
    # The old pixel whose area holds the centre of the new one.
    rows = np.floor((np.arange(size[0]) + 0.5) * 8 / size[0]).astype(int)
    columns = np.floor((np.arange(size[1]) + 0.5) * 12 / size[1]).astype(int)
    at = np.ix_(rows, columns)
    np.testing.assert_array_equal(after.labels["depth"], before.labels["depth"][at])
    for name, valid in before.valid.items():
        np.testing.assert_array_equal(after.valid[name], valid[at])
    normals = after.labels["normals"][after.valid["normals"]]
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)
    camera = after.camera
    assert camera is not None
    assert camera.fx == pytest.approx(10 * size[1] / 12)
    assert camera.cy == pytest.approx(size[0] / 2)


def test_own_size_is_the_sample_itself() -> None:
    before = sample(8, 12)
    assert resize_sample(before, (8, 12), KINDS) is before


def test_invalid_normals_do_not_pull_their_neighbours() -> None:
    before = sample(8, 12)
    garbage = dict(before.labels)
    garbage["normals"] = np.where(
        before.valid["normals"][..., None], before.labels["normals"], np.float32(1e6)
    )
    spoiled = Sample("a", before.image, garbage, before.valid)
    a, b = (resize_sample(s, (5, 7), KINDS) for s in (before, spoiled))
    valid = a.valid["normals"]
    np.testing.assert_array_equal(a.labels["normals"][valid], b.labels["normals"][valid])


def test_opposite_normals_keep_a_direction() -> None:
    up = np.zeros((1, 2, 3), np.float32)
    up[0, :, 1] = 1, -1
    valid = {"normals": np.ones((1, 2), np.bool_)}
    before = Sample("a", np.zeros((1, 2, 3), np.uint8), {"normals": up}, valid)
    after = resize_sample(before, (1, 1), KINDS)
    assert np.linalg.norm(after.labels["normals"]) == pytest.approx(1)


def test_image_shrinks_by_area() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    image[::2, ::2] = 200
    assert (resize_image(image, (2, 2)) == 50).all()
    assert resize_image(image, (8, 8)).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("size", "stride", "fits"),
    [
        ((130, 167), 32, (128, 160)),
        ((127, 167), 32, (96, 160)),  # never larger: images are read smaller only
        ((3024, 4032), 32, (480, 640)),
        ((480, 640), 32, (480, 640)),
        ((288, 384), 16, (288, 384)),
        ((20, 50), 32, (32, 32)),
    ],
)
def test_a_size_that_fits(size: tuple[int, int], stride: int, fits: tuple[int, int]) -> None:
    assert fitting_size(size, stride) == fits


@pytest.mark.parametrize(("source", "target"), [(8, 12), (192, 288), (12, 8), (5, 5), (7, 11)])
def test_the_nearest_pixel_is_where_the_centre_lies(source: int, target: int) -> None:
    slow = [
        next(s for s in range(source) if (t + 0.5) * source < (s + 1) * target - 1e-9)
        for t in range(target)
    ]
    assert centres(target, source).tolist() == slow
    row = torch.arange(source).float()[None, None]
    torchs = torch.nn.functional.interpolate(row, target, mode="nearest-exact")[0, 0]
    assert torchs.tolist() == slow
