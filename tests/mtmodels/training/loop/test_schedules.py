"""Schedules are pure functions of where a step is."""

import math

import pytest

from mtmodels.training.loop import SCHEDULES
from mtmodels.training.loop.schedules import Constant, Cosine, Poly, Position, Step


def at(step: int, steps_per_epoch: int = 10, epochs: int = 20) -> Position:
    return Position(step, steps_per_epoch, epochs)


@pytest.mark.parametrize("name", SCHEDULES)
def test_stays_within_zero_and_one_and_depends_on_the_position_alone(name: str) -> None:
    schedule = SCHEDULES[name]()
    values = [schedule(at(step)) for step in range(200)]
    assert all(0 <= value <= 1 for value in values)
    assert values == [schedule(at(step)) for step in range(200)]
    assert max(values) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("name", SCHEDULES)
def test_takes_a_run_of_one_step(name: str) -> None:
    assert 0 < SCHEDULES[name]()(Position(0, 1, 1)) <= 1


def test_step_halves_where_the_papers_do() -> None:
    halves = [Step(every=60)(at(e * 10, epochs=100)) for e in (0, 59, 60, 99, 120)]
    assert halves == [1, 1, 0.5, 0.5, 0.25]
    assert SCHEDULES["step"]()(at(599, epochs=100)) == 1.0
    assert SCHEDULES["step"]()(at(600, epochs=100)) == 0.5


def test_cosine_equals_its_formula() -> None:
    last = 199
    for step in (0, 7, 100, last):
        expected = (1 + math.cos(math.pi * step / last)) / 2
        assert Cosine()(at(step)) == pytest.approx(expected)
    assert Cosine(final=0.1)(at(last)) == pytest.approx(0.1)
    assert Cosine(warmup=0.1)(at(0)) == 0
    assert Cosine(warmup=0.1)(at(10)) == pytest.approx((10 / last) / 0.1)


def test_onecycle_rises_to_its_peak_then_falls() -> None:
    values = [SCHEDULES["onecycle"]()(at(step)) for step in range(200)]
    peak = values.index(max(values))
    assert peak == pytest.approx(0.3 * 199, abs=1)
    assert values[0] == pytest.approx(0.04)
    assert values[-1] == pytest.approx(4e-6)
    assert values[:peak] == sorted(values[:peak])
    assert values[peak:] == sorted(values[peak:], reverse=True)


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("step", {"every": 0}, "every"),
        ("step", {"factor": 2.0}, "factor"),
        ("cosine", {"warmup": 1.0}, "warmup"),
        ("cosine", {"final": -0.1}, "final"),
        ("onecycle", {"start": 0.0}, "start"),
    ],
)
def test_refuses_what_makes_no_sense(name: str, options: dict[str, float], word: str) -> None:
    with pytest.raises(ValueError, match=f"`{word}` should"):
        SCHEDULES[name].read(options)


def test_progress_goes_from_zero_to_one() -> None:
    assert at(0).progress == 0
    assert at(199).progress == 1
    assert at(199).epoch == 19


@pytest.mark.parametrize("per", ["epoch", "step"])
def test_poly_equals_the_released_formula(per: str) -> None:
    schedule = Poly.read({"per": per})
    for step in (0, 7, 10, 99, 100, 199):
        share = step // 10 / 20 if per == "epoch" else step / 200
        assert schedule(at(step)) == pytest.approx((1 - share) ** 0.9)
    assert Poly.read({"power": 1.0, "per": per})(at(100)) == pytest.approx(0.5)


@pytest.mark.parametrize("name", [n for n in SCHEDULES if n != "onecycle"])
def test_a_warm_up_rises_on_a_straight_line_to_the_schedule(name: str) -> None:
    plain, warm = SCHEDULES[name](), SCHEDULES[name].read({"warmup": 0.1})
    assert [warm(at(step)) for step in (0,)] == [0.0]
    rising = [warm(at(step)) for step in range(20)]
    assert rising == sorted(rising)
    if name != "cosine":  # whose fall begins behind the rise
        assert rising[10] == pytest.approx(plain(at(10)) * 10 / 19.9)
        assert [warm(at(s)) for s in range(20, 200)] == [plain(at(s)) for s in range(20, 200)]
    assert Constant.read({"warmup": 0.1})(at(199)) == 1.0
