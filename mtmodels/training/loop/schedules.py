"""Learning-rate schedules: pure functions of where in the training a step is."""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """Where in the training a step is.

    Args:
        step: Steps done before this one, in the whole run.
        steps_per_epoch: Steps of an epoch.
        epochs: Epochs of the run.
    """

    step: int
    steps_per_epoch: int
    epochs: int

    @property
    def epoch(self) -> int:
        """Epochs done before this step."""
        return self.step // self.steps_per_epoch

    @property
    def progress(self) -> float:
        """The share of the training that is done, in [0, 1]: 0 at the first step, 1 at the last."""
        last = self.steps_per_epoch * self.epochs - 1
        return min(1.0, self.step / last) if last > 0 else 0.0


def constant(position: Position) -> float:
    """The rate of the run, all along."""
    return 1.0


def step(position: Position, *, every: int = 60, factor: float = 0.5) -> float:
    """Multiply the rate by `factor` after each `every` epochs.

    Raises:
        ValueError: where `every` is below 1 or `factor` is not in (0, 1].
    """
    if every < 1:
        raise ValueError(f"`every` should be 1 or more epochs; found {every}.")
    _check_share("factor", factor)
    return float(factor ** (position.epoch // every))


def cosine(position: Position, *, warmup: float = 0.0, final: float = 0.0) -> float:
    """Rise linearly over the share `warmup`, then fall on half a cosine to the share `final`.

    Raises:
        ValueError: where `warmup` or `final` is not in [0, 1).
    """
    for name, value in (("warmup", warmup), ("final", final)):
        if not 0 <= value < 1:
            raise ValueError(f"`{name}` should be in [0, 1); found {value}.")
    done = position.progress
    if done < warmup:
        return done / warmup
    return _anneal(1.0, final, (done - warmup) / (1 - warmup))


def onecycle(
    position: Position, *, warmup: float = 0.3, start: float = 0.04, final: float = 4e-6
) -> float:
    """Rise from the share `start` to the rate of the run, then fall to the share `final`.

    Both parts are half cosines. Only the rate cycles; the momentum stays.

    Raises:
        ValueError: where a share is out of (0, 1).

    Reference: Smith and Topin 2019, with the defaults of the usual implementation.
    """
    for name, value in (("warmup", warmup), ("start", start), ("final", final)):
        if not 0 < value < 1:
            raise ValueError(f"`{name}` should be in (0, 1); found {value}.")
    done = position.progress
    if done < warmup:
        return _anneal(start, 1.0, done / warmup)
    return _anneal(1.0, final, (done - warmup) / (1 - warmup))


def _anneal(start: float, end: float, share: float) -> float:
    """Go from `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _check_share(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise ValueError(f"`{name}` should be in (0, 1]; found {value}.")


SCHEDULES: dict[str, Callable[..., float]] = {
    "constant": constant,
    "step": step,
    "cosine": cosine,
    "onecycle": onecycle,
}
"""Each takes a `Position` and its options and gives a factor on the rate of the run."""
