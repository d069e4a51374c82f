"""Geometric changes as values: boxes, draws, cameras."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtdata import Camera
from mtdata.reading.geometry import PAPER_SCALES, Change, Crop, Flip, Paste, Rotate
from tests.mtdata.reading.geometry.undoing import undoing

CHANGES = (Flip(), Crop(1.0), Crop(1.2, 0.3, 0.9), Paste(1.5, 0.5, 0.1), Rotate(20.0))
every_change = pytest.mark.parametrize("change", CHANGES, ids=str)
shares = st.floats(0, 1, exclude_max=True)


@every_change
def test_a_change_is_a_value(change: Change) -> None:
    assert pickle.loads(pickle.dumps(change)) == change
    assert hash(change) == hash(change)


@given(scale=st.floats(1, 8), top=shares, left=shares, h=st.integers(1, 99), w=st.integers(1, 99))
def test_the_box_lies_inside_any_image(
    scale: float, top: float, left: float, h: int, w: int
) -> None:
    y, x, bh, bw = Crop(scale, top, left).box(h, w)
    assert (bh, bw) == (max(1, int(h / scale)), max(1, int(w / scale)))
    assert 0 <= y <= h - bh
    assert 0 <= x <= w - bw


def test_drawn_crops_are_uniform() -> None:
    rng = np.random.default_rng(0)
    drawn = [Crop.draw(rng) for _ in range(3000)]
    scales = [crop.scale for crop in drawn]
    assert {scale: scales.count(scale) > 900 for scale in PAPER_SCALES} == dict.fromkeys(
        PAPER_SCALES, True
    )
    # int(12 / 1.5) = 8 of 12 rows: positions 0..4.
    tops = np.bincount([crop.box(12, 12)[0] for crop in drawn if crop.scale == 1.5], minlength=5)
    assert len(tops) == 5
    assert tops.min() > 0.15 * tops.sum()


def test_drawn_flips_and_turns() -> None:
    rng = np.random.default_rng(0)
    flips = [Flip.draw(rng, 0.3) for _ in range(1000)]
    assert 250 < sum(flip is not None for flip in flips) < 350
    turns = [Rotate.draw(rng, 20.0).degrees for _ in range(1000)]
    assert -20 <= min(turns) < -18 < 18 < max(turns) < 20


@pytest.mark.parametrize("bad", [0.5, float("nan"), float("inf")])
def test_bad_scales_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="`scale` should be 1 or more"):
        Crop(bad)
    with pytest.raises(ValueError, match="`scale` should be 1 or more"):
        Paste(bad)


def test_bad_positions_and_angles_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`top` and `left` should be in \[0, 1\)"):
        Crop(1.2, 1.0, 0.0)
    with pytest.raises(ValueError, match="`degrees` should be finite"):
        Rotate(float("nan"))


@every_change
def test_cameras_come_back(change: Change) -> None:
    camera = Camera(50.0, 50.0, 13.0, 11.0)
    there = change.camera(camera, 24, 32)
    back = undoing(change).camera(there, 24, 32)
    for name in ("fx", "fy", "cx", "cy"):
        assert getattr(back, name) == pytest.approx(getattr(camera, name)), name


@pytest.mark.parametrize("change", [Crop(1.5, 0.9, 0.2), Crop(2.0), Paste(1.3, 0.1, 0.6)], ids=str)
def test_a_pixel_keeps_its_ray(change: Crop | Paste) -> None:
    """Whoever looks along a ray sees the same thing after a zoom: normals do not change."""
    before, size = Camera(50.0, 45.0, 13.0, 11.0), (24, 32)
    after, (top, left, h, w) = change.camera(before, *size), change.box(*size)
    corners = [(0.0, 0.0, left, top), (size[1], size[0], left + w, top + h)]
    for x, y, inner_x, inner_y in corners:
        one, other = ((x, y), (inner_x, inner_y))
        if isinstance(change, Paste):
            one, other = other, one
        u, v = (one[0] - after.cx) / after.fx, (one[1] - after.cy) / after.fy
        assert u == pytest.approx((other[0] - before.cx) / before.fx)
        assert v == pytest.approx((other[1] - before.cy) / before.fy)


def test_where_the_principal_point_goes() -> None:
    camera = Camera(50.0, 50.0, 10.0, 12.0)
    assert Flip().camera(camera, 24, 32).cx == 22
    cut = Crop(1.5, 0.99, 0.0).camera(camera, 24, 30)  # rows 8..23, columns 0..19
    assert (cut.cx, cut.cy) == (15, 6)
    turned = Rotate(90.0).camera(camera, 24, 24)  # what was right of the centre goes up
    assert (turned.cx, turned.cy) == pytest.approx((12, 14))
    assert Rotate(90.0).camera(Camera(1.0, 1.0, 14.0, 12.0), 24, 24).cy == pytest.approx(10)
