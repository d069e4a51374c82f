"""What a clock says within a step and behind it."""

import math
from collections.abc import Iterator

import pytest

from mtmodels.training.loop import clock as module
from mtmodels.training.loop.clock import Clock


class Time:
    """A time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    own = Time()
    monkeypatch.setattr(module, "time", own)
    return own


def waits(time: Time, count: int, seconds: float) -> Iterator[int]:
    for number in range(count):
        time.now += seconds
        yield number


def test_the_step_that_goes_on_counts(time: Time) -> None:
    """The first line of a training says how long it will take: its step is not over yet."""
    clock, said = Clock(), []
    for _ in clock.watch(waits(time, 3, seconds=1.0)):
        time.now += 3.0
        clock.count(images=8)
        said.append((clock.seconds_a_step(), clock.rate(), clock.wait_share()))
    assert said == [(4.0, 2.0, 0.25)] * 3
    assert clock.seconds_a_step() == 4.0
    assert clock.total() == 12.0


def test_laps_add_up(time: Time) -> None:
    clock, laps = Clock(seconds=5.0), []
    for number in clock.watch(waits(time, 4, seconds=1.0)):
        time.now += 1.0 + number
        clock.count(images=2)
        if number % 2:
            laps.append(clock.lap())
    assert [lap["seconds"] for lap in laps] == [5.0, 9.0]
    assert [lap["data_wait"] for lap in laps] == [0.4, pytest.approx(2 / 9)]
    assert sum(lap["images_per_second"] * lap["seconds"] for lap in laps) == pytest.approx(8)
    assert clock.total() == 5.0 + 14.0


def test_before_the_first_step(time: Time) -> None:
    clock = Clock()
    assert math.isnan(clock.seconds_a_step())
    assert (clock.rate(), clock.wait_share()) == (0, 0)
