"""Normals from depth, against planes and against a fit with loops."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mtdata.tasks.normals_from_depth import MIN_SHARE, normals_from_depth, window_of
from mtdata.tasks.sample import Camera

CAMERA = Camera(60.0, 55.0, 31.0, 22.5)
SIZE = (44, 60)


def _rays() -> NDArray[np.float64]:
    h, w = SIZE
    u = (np.arange(w) + 0.5 - CAMERA.cx) / CAMERA.fx
    v = (np.arange(h) + 0.5 - CAMERA.cy) / CAMERA.fy
    return np.stack([*np.meshgrid(u, v), np.ones(SIZE)], -1)


def _plane(normal: NDArray[np.float64], distance: float) -> NDArray[np.float64]:
    """Depth of a plane by intersecting each ray; `normal` in the frame of the labels."""
    camera_frame = normal * (1, -1, -1)
    return -distance / (_rays() @ camera_frame)


@pytest.mark.parametrize("seed", range(8))
def test_a_plane_is_recovered_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    normal = np.array([*rng.uniform(-0.6, 0.6, 2), 1])
    normal /= np.linalg.norm(normal)
    depth = _plane(normal, 2.0)
    assert depth.min() > 0
    found, seen = normals_from_depth(depth, np.ones(SIZE, bool), CAMERA)
    assert seen.all()
    np.testing.assert_allclose(found, np.broadcast_to(normal, found.shape), atol=2e-6)


def test_signs() -> None:
    below = np.where(_rays()[..., 1] > 0.05, 1.5 / np.maximum(_rays()[..., 1], 1e-9), 50.0)
    found, _ = normals_from_depth(below, np.ones(SIZE, bool), CAMERA)
    np.testing.assert_allclose(found[-4:].reshape(-1, 3).mean(0), (0, 1, 0), atol=1e-5)
    right_wall = _plane(np.array([-1.0, 0, 0]), 1.0)
    right = right_wall > 0
    found, seen = normals_from_depth(np.where(right, right_wall, 0), right, CAMERA)
    np.testing.assert_allclose(found[seen].mean(0), (-1, 0, 0), atol=1e-5)


def _reference(
    depth: NDArray[np.float64], valid: NDArray[np.bool_], window: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A least squares solver in a loop over pixels."""
    rays, half = _rays(), window // 2
    normals, seen = np.zeros((*SIZE, 3)), np.zeros(SIZE, bool)
    for y, x in np.argwhere(valid):
        here = np.s_[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]
        inside = valid[here]
        if inside.sum() < MIN_SHARE * window**2:
            continue
        fit, *_ = np.linalg.lstsq(rays[here][inside], 1 / depth[here][inside], rcond=None)
        normals[y, x] = fit * (-1, 1, 1) / np.linalg.norm(fit)
        seen[y, x] = True
    return normals, seen


@pytest.mark.parametrize(("holes", "window"), [(0.0, 9), (0.3, 9), (0.85, 5), (0.0, 3)])
def test_equals_a_loop_over_pixels(holes: float, window: int) -> None:
    rng = np.random.default_rng(5)
    smooth = cv2.GaussianBlur(rng.uniform(1, 5, SIZE), (0, 0), 3)
    valid = rng.random(SIZE) >= holes
    depth = np.where(valid, smooth + rng.normal(0, 0.01, SIZE), np.nan)
    found, seen = normals_from_depth(np.where(valid, depth, 0), valid, CAMERA, window=window)
    expected, expected_seen = _reference(depth, valid, window)
    # Few pixels of a small window may lie on one line; the solver takes any plane through it.
    assert (seen <= expected_seen).all()
    assert (expected_seen & ~seen).mean() < 0.02
    np.testing.assert_allclose(found[seen], expected[seen], atol=1e-5)
    assert (found[~seen] == 0).all()


@pytest.mark.parametrize(
    ("height", "window"),
    [(20, 3), (96, 3), (128, 5), (288, 9), (425, 13), (427, 13), (480, 15)],
)
def test_the_window_follows_the_height(height: int, window: int) -> None:
    assert window_of(height) == window


def test_normals_hang_on_the_view_and_not_on_its_pixels() -> None:
    camera, size = Camera(340.0, 340.0, 192.0, 144.0), (288, 384)
    u = (np.arange(size[1]) + 0.5 - camera.cx) / camera.fx
    v = (np.arange(size[0]) + 0.5 - camera.cy) / camera.fy
    ripples = 2 + 0.05 * np.sin(40 * u) + 0.05 * np.sin(40 * v)[:, None]
    large, _ = normals_from_depth(ripples, np.ones(size, bool), camera)
    small = ripples[1::3, 1::3]
    found, _ = normals_from_depth(small, np.ones(small.shape, bool), camera.scale(1 / 3, 1 / 3))
    cosine = (found * large[1::3, 1::3]).sum(-1).clip(-1, 1)
    assert np.degrees(np.arccos(cosine)).mean() < 2


def test_nothing_valid_gives_nothing() -> None:
    found, seen = normals_from_depth(np.zeros(SIZE), np.zeros(SIZE, bool), CAMERA)
    assert not seen.any()
    assert not found.any()


def test_holes_are_never_read() -> None:
    valid = np.ones(SIZE, bool)
    valid[10:20, 10:30] = False
    depth = _plane(np.array([0.0, 0, 1]), 2.0)
    clean, _ = normals_from_depth(depth, valid, CAMERA)
    depth[~valid] = 77
    dirty, _ = normals_from_depth(depth, valid, CAMERA)
    assert (clean == dirty).all()


@pytest.mark.parametrize("window", [0, 1, 4])
def test_windows_are_odd(window: int) -> None:
    with pytest.raises(ValueError, match="odd and 3 or more"):
        normals_from_depth(np.ones(SIZE), np.ones(SIZE, bool), CAMERA, window=window)
