"""Figures: points lie where their numbers say, and texts are escaped."""

import math
import re

import pytest

from mtdata.pages.figures import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    bars,
    lines,
    log_ticks,
    matrix,
    percent,
    spans,
    thin,
    tick_texts,
    ticks,
)


def points(svg: str) -> list[list[float]]:
    found = re.findall(r'<polyline class="[^"]*" points="([^"]*)"', svg)
    return [[float(v) for v in re.split("[ ,]", one)] for one in found]


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>(?:<title>[^<]*</title>)?([^<]*)<", svg)


def test_a_line_reaches_from_corner_to_corner() -> None:
    drawn = points(lines({"a": [(0, 1), (math.nan, 2), (10, 5)]}, about="a", x="x"))
    assert drawn == [[LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, TOP]]


def test_a_wide_range_is_logarithmic() -> None:
    drawn = points(lines({"a": [(0, 0.01), (1, 1), (2, 100)]}, about="a", x="x"))[0]
    assert drawn[3] == pytest.approx((TOP + HEIGHT - BOTTOM) / 2, abs=0.1)


def test_values_that_are_all_one_and_none_at_all() -> None:
    assert "No values" in lines({"a": [(0, math.nan)]}, about="a", x="x")
    for value in (0.0, 1.0, -3.0):
        assert "nan" not in lines({"a": [(1, value), (1, value)]}, about="a", x="x")


def test_an_axis_of_one_value_has_one_tick() -> None:
    one = {"a": [(3, 0.25)]}
    drawn = lines(one, about="a", x="epoch", counted=True)
    assert texts(drawn) == ["0.25", "3", "epoch"]
    # Where there is more on one axis, that has its ticks all the same.
    assert texts(lines(one | {"b": [(3, 0.5)]}, about="a", x="epoch"))[-2:] == ["3", "epoch"]
    assert texts(lines(one, about="a", x="x", based=True))[0] == "0"
    assert len(texts(lines(one, about="a", x="x", limits=((0, 10), (0, 1))))) > 9


@pytest.mark.parametrize("value", [0.055803571428571425, 1.0, 1e-7, 3e5])
def test_what_differs_in_the_last_digit_is_flat(value: float) -> None:
    drawn = lines({"a": [(1, value), (2, math.nextafter(value, 9e9))]}, about="a", x="step")
    assert f">{value:,.0f}<" in drawn or f">{value:.3g}<" in drawn


def test_texts_are_escaped() -> None:
    name = '<b>&"'
    for drawn in (
        lines({name: [(0, 1)], "b": [(0, 2)]}, about=name, x=name),
        bars([name], {name: [1.0], "b": [2.0]}, about=name),
        matrix([name], [[1.0]], about=name),
    ):
        assert "<b>" not in drawn
        assert "&lt;b&gt;" in drawn


def test_a_matrix_has_its_shares() -> None:
    drawn = matrix(["a", "b"], [[0.75, 0.25], [math.nan, math.nan]], about="m")
    assert re.findall(r'fill-opacity="([^"]*)"', drawn) == ["0.750", "0.250"]
    assert ">75</text>" in drawn


def test_a_matrix_of_many_classes_says_each_share_and_name() -> None:
    names = [f"a class of a long name & {i}" for i in range(40)]
    shares = [[1 / 40] * 40] * 40
    drawn = str(matrix(names, shares, about="m"))
    assert "<title>a class of a long name &amp; 7 → a class of a long name &amp; 39: 2.5" in drawn
    assert drawn.count("<title>a class of a long name &amp; 7</title>") == 2
    assert len({*texts(drawn)}) == 40
    assert all(len(text.replace("&amp;", "&")) <= 14 for text in texts(drawn))
    assert len({*texts(bars(names, {"a": [1.0] * 40}, about="b"))}) > 40


def test_a_matrix_of_few_classes_is_small() -> None:
    few, many = (
        matrix(list(names), [[0.5] * len(names)] * len(names), about="m")
        for names in ("abcd", "abcdefghijklm")
    )
    widths = [int(re.findall(r"max-width: min\(46rem, (\d+)px\)", one)[0]) for one in (few, many)]
    assert widths[0] < 250 < 500 < widths[1]
    assert "max-width" not in lines({"a": [(0, 1), (1, 5)]}, about="a", x="x")


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert all(3 <= t <= 97 for t in ticks(3, 97))
    assert len(thin([(i, i) for i in range(1000)])) <= 400
    assert [percent(v) for v in (100, 12.34, 0.1234, 0)] == ["100 %", "12.3 %", "0.12 %", "0.0 %"]


@pytest.mark.parametrize("span", [1, 1.1, 1.3, 1.9, 2.6, 4.4, 7.5, 9.9])
@pytest.mark.parametrize("low", [0, 0.21, 0.49])
def test_an_axis_has_enough_ticks(span: float, low: float) -> None:
    assert 3 <= len(ticks(low, low + span)) <= 7
    logarithms = log_ticks(math.log10(2.1), math.log10(2.1) + 0.7 + span)
    assert 3 <= len(logarithms) <= 7


def test_what_is_counted_has_whole_numbers() -> None:
    for last in (2, 3, 8, 10, 60, 1234):
        assert all(float(tick).is_integer() for tick in ticks(1, last, whole=True))
    drawn = lines({"a": [(1, 0.1), (3, 0.2)]}, about="a", x="epoch", counted=True)
    assert ">2</text>" in drawn
    assert "1.5" not in drawn


def test_a_linear_axis_is_asked_for() -> None:
    rates = [(0, 1e-8), (1, 5e-5), (2, 1e-4)]
    assert points(lines({"a": rates}, about="a", x="x", linear=True))[0][3] == pytest.approx(
        (TOP + HEIGHT - BOTTOM) / 2, abs=0.2
    )


def test_an_interval_lies_around_its_value_and_zero_where_it_is() -> None:
    svg = str(spans(["a", "<b>"], [(-2.0, -4.0, 0.0), (2.0, None, None)], x="delta"))
    dots = [float(x) for x in re.findall(r'<circle class="s0 dot" cx="([^"]*)"', svg)]
    (interval,) = points(svg)
    zero = float(re.findall(r'<line class="axis" x1="([^"]*)"', svg)[0])
    assert interval[0] + interval[2] == pytest.approx(2 * dots[0], abs=0.2)
    assert interval[2] == pytest.approx(zero, abs=0.1)
    assert dots[1] - zero == pytest.approx(zero - dots[0], abs=0.2)
    assert "&lt;b&gt;" in svg
    assert "<b>" not in svg


@pytest.mark.parametrize(
    ("low", "high"), [(12.34, 12.39), (0, 1), (1000.0, 1010.0), (2000.0, 2001.0), (-3e-5, 2e-5)]
)
def test_no_two_ticks_are_called_alike(low: float, high: float) -> None:
    texts = tick_texts(places := ticks(low, high))
    assert len(set(texts)) == len(texts)
    numbers = [float(text.replace(",", "")) for text in texts]
    assert numbers == pytest.approx(places, rel=1e-9, abs=1e-12)


def test_shares_have_their_base() -> None:
    drawn = lines({"a": [(0, 1.3), (1, 2.2)]}, about="shares", x="metres", based=True)
    assert ">0</text>" in drawn.split("2.2")[0]
    assert re.findall(r'text-anchor="end" >([^<]*)<', drawn)[0] == "0"
