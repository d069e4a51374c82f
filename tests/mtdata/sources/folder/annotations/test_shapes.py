"""Outlines and runs give the pixels that a slow reading of their definition gives."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from skimage.draw import polygon

from mtdata.sources.folder.annotations.coco import decompress
from mtdata.sources.folder.annotations.shapes import (
    MOST_CROSSINGS,
    Outlines,
    WrongError,
    box,
    from_runs,
)
from tests.trees.annotated import compress, runs

Outline = list[tuple[float, float]]
# Off any centre of a pixel: whether a centre on the outline is inside is nobody's business.
COORDINATE = st.integers(-60, 170).map(lambda value: value / 10 + 0.013)
OUTLINES = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=3, max_size=12)


def _covered(points: Outline, size: tuple[int, int]) -> NDArray[np.bool_]:
    shape = Outlines("", "x", outlines=[np.array(points, np.float64)])
    whole = np.zeros(size, np.bool_)
    for rows, columns, inside in shape.covers(size):
        whole[rows, columns] = inside
    return whole


def _slowly(points: Outline, size: tuple[int, int]) -> list[list[bool]]:
    """A centre is inside where a line from it to the right crosses an odd number of edges."""
    found = []
    for row in range(size[0]):
        found.append([False] * size[1])
        for column in range(size[1]):
            x, y = column + 0.5, row + 0.5
            for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
                if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
                    found[row][column] = not found[row][column]
    return found


def _on_an_edge(points: Outline, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Centres through which an edge, drawn out, goes: rounding decides of which side they are."""
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    found = np.zeros(size, np.bool_)
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        found |= np.abs((bx - ax) * (y - ay) - (by - ay) * (x - ax)) < 1e-9
    return found


@given(points=OUTLINES, height=st.integers(9, 20), width=st.integers(9, 20))
@example(points=[(0.013, 0.013), (-0.687, -0.687), (3.513, 3.513)], height=9, width=9)
def test_an_outline_covers_the_centres_inside(points: Outline, height: int, width: int) -> None:
    size = (height, width)
    clear = ~_on_an_edge(points, size)
    np.testing.assert_array_equal(
        _covered(points, size) & clear, np.array(_slowly(points, size)) & clear
    )


def test_a_large_outline_as_a_library_fills_it() -> None:
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    reach = 60 * (1 + 0.4 * np.sin(11 * angle))
    x, y = 71 + reach * np.cos(angle), 64 + reach * np.sin(angle)
    want = np.zeros((120, 150), np.bool_)
    want[polygon(y - 0.5, x - 0.5, want.shape)] = True
    np.testing.assert_array_equal(_covered(np.stack([x, y], 1).tolist(), want.shape), want)


def test_boxes_side_by_side_cover_each_pixel_once() -> None:
    size = (7, 9)
    boxes = [box(left, 0.0, left + 1.5, 7.0) for left in np.arange(0, 9, 1.5)]
    parts = np.stack([_covered(each.tolist(), size) for each in boxes])
    assert (parts.sum(axis=0) == 1).all()


MASKS = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda size: arrays(np.bool_, size)
)


@given(mask=MASKS)
def test_runs_there_and_back(mask: NDArray[np.bool_]) -> None:
    counts = runs(mask.ravel())
    np.testing.assert_array_equal(from_runs(counts, (mask.shape[0], mask.shape[1]), ""), mask)
    assert list(decompress(compress(counts), "")) == counts


@given(counts=st.lists(st.integers(0, 2**31), max_size=30))
def test_compressed_runs_of_any_length(counts: list[int]) -> None:
    assert list(decompress(compress(counts), "")) == counts


@given(text=st.text(max_size=40))
def test_any_text_gives_runs_or_is_refused(text: str) -> None:
    with suppress(WrongError):
        counts = decompress(text, "entry")
        assert from_runs(counts, (3, 5), "entry").sum() == sum(counts[1::2])


def test_known_runs_of_coco() -> None:
    """Worked out by hand: 6 is one group; 100 = 3 x 32 + 4 is two; run 3 is a difference to 1."""
    assert list(decompress("6", "")) == [6]
    assert list(decompress("T3", "")) == [100]
    assert list(decompress("6126", "")) == [6, 1, 2, 7]
    assert list(decompress("691O", "")) == [6, 9, 1, 8]


def test_an_outline_that_crosses_rows_without_end_is_refused() -> None:
    up = np.arange(40_000) % 2 * 2000.0
    points = np.stack([np.linspace(0, 2000, up.size), up], 1)
    with pytest.raises(WrongError, match=f"at most {MOST_CROSSINGS} times; found 8"):
        Outlines("entry", "x", outlines=[points]).covers((2000, 2000))
