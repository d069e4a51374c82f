"""What a run shows while it goes: a bar on a terminal, now and then a line elsewhere."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cli.shared.common import say
from cli.shared.progress import may_draw
from mtmodels.training.loop.watcher import Standing, Watcher

if TYPE_CHECKING:
    import rich.console
    import rich.progress

    from mtmodels.metrics.scores import Scores
    from mtmodels.training.loop.result import StepResult

EVERY = 30.0
"""Seconds between lines where there is no terminal."""


class LineWatcher(Watcher):
    """Says a line at the start, at most every half minute, and at the end of an epoch."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def say(self, text: str) -> None:
        """A sentence for people."""
        say(text)

    def step(self, progress: Standing, result: "StepResult") -> None:
        """Say how it goes, now and then."""
        if progress.step == 1 or time.monotonic() - self._said >= EVERY:
            self._said = time.monotonic()
            say(
                f"{_stage(progress)}step {progress.step}/{progress.steps}  epoch {progress.epoch}  "
                f"{losses(_shown(result), result.auxiliary)}{_left(progress)}"
            )

    def epoch(
        self,
        progress: Standing,
        means: Mapping[str, float],
        scores: "Scores",
        *,
        auxiliary: Mapping[str, float],
    ) -> None:
        """Say what an epoch brought."""
        self._said = time.monotonic()
        held = f"  to select: {headlines(scores)}" if scores else ""
        say(
            f"{_stage(progress)}epoch {progress.done}/{progress.epochs}  "
            f"{losses(means, auxiliary)}{held}{_left(progress)}"
        )


class BarWatcher(Watcher):
    """Draws bars of rich."""

    def __init__(self, bars: "rich.progress.Progress") -> None:
        self._bars = bars
        self._training: dict[str, Any] = {}
        self._scoring: Any = None

    def say(self, text: str) -> None:
        """A sentence above the bars."""
        self._bars.console.print(text, markup=False, highlight=False)

    def step(self, progress: Standing, result: "StepResult") -> None:
        """Move the bar on."""
        stage = progress.stage
        if stage not in self._training:
            bar = self._bars.add_task("", total=progress.steps, told="", left="")
            self._training[stage] = bar
        self._bars.update(
            self._training[stage],
            completed=progress.step,
            description=f"{_stage(progress)}epoch {progress.epoch}/{progress.epochs}",
            told=losses(_shown(result), result.auxiliary, digits=3),
            left=_left(progress, "{}"),
        )

    def epoch(
        self,
        progress: Standing,
        means: Mapping[str, float],
        scores: "Scores",
        *,
        auxiliary: Mapping[str, float],
    ) -> None:
        """Print a line that stays."""
        held = f"  to select: {headlines(scores)}" if scores else ""
        told = losses(means, auxiliary)
        self.say(f"{_stage(progress)}epoch {progress.done}/{progress.epochs}  {told}{held}")

    def evaluating(self, what: str, done: int, total: int) -> None:
        """Show a second bar while scoring."""
        if self._scoring is None:
            self._scoring = self._bars.add_task(what, total=total, told="", left="")
        self._bars.update(self._scoring, description=what, completed=done, total=total)
        if done == total:
            self._bars.remove_task(self._scoring)
            self._scoring = None


@contextmanager
def watching() -> Iterator[Watcher]:
    """The watcher that suits stderr and the general options."""
    if not may_draw():
        yield LineWatcher()
        return
    from rich.console import Console

    with training_bars(Console(stderr=True)) as bars:
        yield BarWatcher(bars)


def training_bars(console: "rich.console.Console") -> "rich.progress.Progress":
    """Bars with the time left and the losses."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[told]}"),
        console=console,
    )


def _stage(progress: Standing) -> str:
    """The name of a stage that comes before the training proper."""
    return f"{progress.stage}: " if progress.stage else ""


def _left(progress: Standing, form: str = "  {} left") -> str:
    """The time that the rest takes; nothing where no step has said how long one is."""
    return "" if math.isnan(progress.left) else form.format(clock(progress.left))


def _shown(result: "StepResult") -> dict[str, float]:
    """The loss of each task as its curve has it: over the images that show it, not the batch."""
    return {name: result.labelled.get(name, term) for name, term in result.tasks.items()}


def losses(tasks: Mapping[str, float], auxiliary: Mapping[str, float], *, digits: int = 4) -> str:
    """Losses for people: that of each task, and the sum of all other terms in one number.

    The others go by the name of their kind where they are of one ("crops" of "depth/crops").
    """
    told = list(tasks.items())
    if auxiliary:
        kinds = {name.rpartition("/")[2] for name in auxiliary}
        kind = kinds.pop() if len(kinds) == 1 else "auxiliary"
        told.append((kind, sum(auxiliary.values())))
    return "  ".join(f"{name} {value:.{digits}g}" for name, value in told)


def headlines(scores: "Scores") -> str:
    """One score a task."""
    from mtmodels.metrics.scores import headline

    found = {task: headline(scores, task) for task in scores}
    return "  ".join(f"{task} {one[0]} {one[1]:.4g}" for task, one in found.items() if one)


def clock(seconds: float) -> str:
    """Time for people: 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
