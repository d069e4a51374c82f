"""How long steps take, and how much of that is waiting for data."""

import math
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class Clock:
    """Times a loop over batches: `for batch in clock.watch(batches)`.

    Args:
        seconds: Time that earlier parts of the run took.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._started = time.perf_counter()
        self._waited = self._trained = 0.0
        self._got: float | None = None
        self.steps = self.images = 0
        self._mark = (0.0, 0.0, 0)

    def watch(self, batches: Iterable[Item]) -> Iterator[Item]:
        """Pass the batches on, telling waiting from training."""
        asked = time.perf_counter()
        for batch in batches:
            self._got = time.perf_counter()
            self._waited += self._got - asked
            yield batch
            asked = time.perf_counter()
            self._trained += asked - self._got
            self._got = None

    def count(self, images: int) -> None:
        """A step on so many images is done."""
        self.steps += 1
        self.images += images

    @property
    def training(self) -> float:
        """Seconds spent in the loop, the step that goes on included."""
        going = 0.0 if self._got is None else time.perf_counter() - self._got
        return self._trained + going

    def seconds_a_step(self) -> float:
        """Seconds a step takes, waiting and all; NaN before the first."""
        return (self._waited + self.training) / self.steps if self.steps else math.nan

    def rate(self) -> float:
        """Images a second, over the steps of this part of the run."""
        return self.images / max(self._waited + self.training, 1e-9)

    def wait_share(self) -> float:
        """The share of the time of the steps that went into waiting for data."""
        return self._waited / max(self._waited + self.training, 1e-9)

    def total(self) -> float:
        """Seconds since the run began, over all its parts."""
        return self._before + time.perf_counter() - self._started

    def lap(self) -> dict[str, float]:
        """Time since the last lap: `seconds`, share of `data_wait`, `images_per_second`."""
        training = self.training
        waited, trained, images = (
            self._waited - self._mark[0],
            training - self._mark[1],
            self.images - self._mark[2],
        )
        self._mark = (self._waited, training, self.images)
        seconds = max(waited + trained, 1e-9)
        return {
            "seconds": seconds,
            "data_wait": waited / seconds,
            "images_per_second": images / seconds,
        }
