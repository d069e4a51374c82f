"""Learning-rate schedules: pure functions of where in the training a step is."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mtmodels.options import Options, Positive


@dataclass(frozen=True)
class Position:
    """Where in the training a step is.

    Args:
        step: Steps done before this one, in the whole run.
        steps_per_epoch: Steps of an epoch.
        epochs: Epochs of the run.
        steps: Steps of the run, where it ends within its last epoch; None for whole epochs.
    """

    step: int
    steps_per_epoch: int
    epochs: int
    steps: int | None = None

    @property
    def epoch(self) -> int:
        """Epochs done before this step."""
        return self.step // self.steps_per_epoch

    @property
    def total(self) -> int:
        """Steps of the whole run."""
        return self.steps_per_epoch * self.epochs if self.steps is None else self.steps

    @property
    def done(self) -> bool:
        """Whether no step is left."""
        return self.step >= self.total

    @property
    def progress(self) -> float:
        """The share of the training that is done, in [0, 1]: 0 at the first step, 1 at the last."""
        last = self.total - 1
        return min(1.0, self.step / last) if last > 0 else 0.0

    def rise(self, warmup: float) -> float:
        """How far a linear rise over a share of the training is, in [0, 1]: 0 at the first step."""
        return min(1.0, self.progress / warmup) if warmup else 1.0


Part = Annotated[float, Field(ge=0, lt=1)]
Inner = Annotated[float, Field(gt=0, lt=1)]


class Schedule(Options, ABC):
    """A factor on a learning rate; its fields are its options."""

    summary: ClassVar[str]

    @abstractmethod
    def __call__(self, position: Position) -> float:
        """The factor at a step."""

    def idle(self, *, epochs: int) -> Iterator[str]:
        """Say what of it does nothing in a run of so many epochs, in a sentence each."""
        return iter(())


class Constant(Schedule):
    """The rate of the run, all along."""

    summary: ClassVar[str] = "the rate as it is, all along"

    warmup: Part = 0.0
    """The share of the training over which the rate rises from 0."""

    def __call__(self, position: Position) -> float:
        """1, but for the rise."""
        return position.rise(self.warmup)


class Step(Schedule):
    """Multiply the rate by `factor` after each `every` epochs."""

    summary: ClassVar[str] = "down by a factor every so many epochs"

    every: Positive = 60
    """Epochs between two steps."""
    factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    """What the rate is multiplied with at each."""
    warmup: Part = 0.0
    """The share of the training over which the rate rises from 0."""

    def __call__(self, position: Position) -> float:
        """Factor ^ (epochs done / every), but for the rise."""
        return float(self.factor ** (position.epoch // self.every)) * position.rise(self.warmup)

    def idle(self, *, epochs: int) -> Iterator[str]:
        """Where the run ends before its first step."""
        if self.every >= epochs:
            sooner = f"`every: {max(1, epochs // 3)}`, say, or " if epochs > 1 else ""
            yield (
                f"`step` never lowers the rate: its first step is after epoch {self.every} of "
                f"{epochs}. Give {sooner}another schedule."
            )


class Poly(Schedule):
    """Fall as (1 - done / all) ^ `power`, to 0 behind the last step.

    Reference: the released code of Vandenhende et al. 2021, which MTPSL takes for PASCAL.
    """

    summary: ClassVar[str] = "down as a power of what is left of the training"

    power: Annotated[float, Field(gt=0, lt=math.inf)] = 0.9
    """The power; 0.9 as released, and 1 for a straight line."""
    per: Literal["epoch", "step"] = "epoch"
    """How often the rate changes: with every `epoch`, as released, or every `step`."""
    warmup: Part = 0.0
    """The share of the training over which the rate rises from 0."""

    def __call__(self, position: Position) -> float:
        """The factor at a step, above 0."""
        done = position.step
        if self.per == "epoch":
            done = position.epoch * position.steps_per_epoch
        left = max(0.0, 1 - done / position.total)
        return float(left**self.power) * position.rise(self.warmup)

    def idle(self, *, epochs: int) -> Iterator[str]:
        """Where the run has no second epoch."""
        if self.per == "epoch" and epochs == 1:
            yield (
                "`poly` never lowers the rate: it does so with each epoch, and the run has one. "
                "Give `per: step`."
            )


class Cosine(Schedule):
    """Rise linearly over the share `warmup`, then fall on half a cosine to the share `final`."""

    summary: ClassVar[str] = "down on half a cosine, after a linear rise where one is wanted"

    warmup: Part = 0.0
    """The share of the training over which the rate rises from 0."""
    final: Part = 0.0
    """The share of the rate that is left at the end."""

    def __call__(self, position: Position) -> float:
        """The factor at a step."""
        done = position.progress
        if done < self.warmup:
            return done / self.warmup
        return _anneal(1.0, self.final, (done - self.warmup) / (1 - self.warmup))


class OneCycle(Schedule):
    """Rise from the share `start` to the rate of the run, then fall to the share `final`.

    Both parts are half cosines. Only the rate cycles; the momentum stays.

    Reference: Smith and Topin 2019, with the defaults of the usual implementation.
    """

    summary: ClassVar[str] = "up and down once, on half cosines"

    warmup: Inner = 0.3
    """The share of the training over which the rate rises."""
    start: Inner = 0.04
    """The share of the rate that it begins with."""
    final: Inner = 4e-6
    """The share of the rate that is left at the end."""

    def __call__(self, position: Position) -> float:
        """The factor at a step."""
        done = position.progress
        if done < self.warmup:
            return _anneal(self.start, 1.0, done / self.warmup)
        return _anneal(1.0, self.final, (done - self.warmup) / (1 - self.warmup))


def _anneal(start: float, end: float, share: float) -> float:
    """Go from `start` to `end` along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
