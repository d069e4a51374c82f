"""Rays meet solids where walking along them in small steps first gets inside."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mtdata.sources.rooms.rendering import intersect

Floats = NDArray[np.floating[Any]]
STEPS = np.linspace(0.0, 6.0, 6001)
RADIUS = 0.3


def in_box(points: Floats, size: Floats) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.all(np.abs(points) <= size[:, None], axis=0)
    return inside


def in_ellipsoid(points: Floats, size: Floats) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = np.square(points / size[:, None]).sum(axis=0) <= 1
    return inside


def in_frustum(points: Floats, size: Floats) -> NDArray[np.bool_]:
    low, half, high = size
    x, y, z = points
    radius = low + (high - low) * (y + half) / (2 * half)
    inside: NDArray[np.bool_] = (np.abs(y) <= half) & (np.hypot(x, z) <= radius)
    return inside


def in_capsule(points: Floats, size: Floats) -> NDArray[np.bool_]:
    along = np.clip(size @ points / (size @ size), -1, 1)
    inside: NDArray[np.bool_] = np.linalg.norm(points - size[:, None] * along, axis=0) <= RADIUS
    return inside


def capsule(origin: Floats, size: Floats, rays: Floats) -> Floats:
    radius = np.full(rays.shape[1], RADIUS, np.float32)
    found: Floats = intersect.capsule(origin, size, rays, radius)
    return found


CASES = [
    pytest.param(intersect.box, in_box, (0.5, 0.3, 0.8), id="box"),
    pytest.param(intersect.ellipsoid, in_ellipsoid, (0.5, 0.3, 0.8), id="ellipsoid"),
    pytest.param(intersect.frustum, in_frustum, (0.6, 0.5, 0.3), id="frustum, wide foot"),
    pytest.param(intersect.frustum, in_frustum, (0.2, 0.5, 0.4), id="frustum, wide head"),
    pytest.param(intersect.frustum, in_frustum, (0.9, 0.1, 0.2), id="frustum, nearly flat"),
    pytest.param(intersect.frustum, in_frustum, (0.4, 0.3, 0.4), id="cylinder"),
    pytest.param(capsule, in_capsule, (0.3, 0.5, -0.2), id="capsule"),
    pytest.param(capsule, in_capsule, (0.01, 0.0, 0.0), id="capsule, nearly a ball"),
]


@pytest.mark.parametrize(("meet", "inside", "size"), CASES)
def test_first_meeting(
    meet: Callable[..., Floats],
    inside: Callable[[Floats, Floats], NDArray[np.bool_]],
    size: tuple[float, float, float],
) -> None:
    rng = np.random.default_rng(0)
    half = np.array(size)
    origin = rng.normal(size=(3, 300))
    origin *= 2.5 / np.linalg.norm(origin, axis=0)
    target = rng.uniform(-0.6, 0.6, (3, 300))
    rays = target - origin
    sizes = np.repeat(half[:, None], 300, axis=1)
    found = meet(*(a.astype(np.float32) for a in (origin, sizes, rays)))
    hits = 0
    for i in range(300):
        walked = inside(origin[:, i, None] + rays[:, i, None] * STEPS, half)
        if walked.any():
            assert abs(found[i] - STEPS[walked.argmax()]) < 2e-3
            hits += 1
        elif found[i] < np.inf:
            # Steps may miss what a ray only grazes: then it is just outside there.
            assert inside(0.99 * (origin[:, i] + rays[:, i] * found[i])[:, None], half).all()
    assert hits > 40


def test_leaving_a_box_from_inside() -> None:
    origin, size = np.zeros((3, 2), np.float32), np.full((3, 2), 2, np.float32)
    rays = np.array([[1, -0.5], [0.5, 0.1], [0.1, 1]], np.float32)
    np.testing.assert_allclose(intersect.leaving(origin, size, rays).min(axis=0), (2, 2))
