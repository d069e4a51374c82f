"""What a run tells whoever watches it; the command line draws bars and lines from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtmodels.metrics.scores import Scores
    from mtmodels.training.loop.result import StepResult


@dataclass(frozen=True)
class Standing:
    """Where a run is after a step.

    Args:
        epoch: The epoch that runs, counted from 1.
        step: Steps done in the run.
        steps: Steps of the whole run.
        epochs: Epochs of the whole run.
        done: Epochs that are done.
        left: Seconds that the rest will take, as far as one can tell; NaN before the first step.
        stage: What comes before the training proper; empty for that itself.
    """

    epoch: int
    step: int
    steps: int
    epochs: int
    done: int
    left: float
    stage: str = ""


class Watcher:
    """Hears what happens. This one keeps quiet; override what is of interest."""

    def say(self, text: str) -> None:
        """A sentence for people."""

    def step(self, progress: Standing, result: "StepResult") -> None:
        """A step is done."""

    def epoch(
        self,
        progress: Standing,
        means: Mapping[str, float],
        scores: "Scores",
        *,
        auxiliary: Mapping[str, float],
    ) -> None:
        """An epoch is done.

        Args:
            progress: Where the run is.
            means: Of each task the mean loss of the images that show it; of one that none of them
                shows, the mean of its term.
            scores: Empty where nothing was held out.
            auxiliary: Means of the terms beside those of tasks.
        """

    def evaluating(self, what: str, done: int, total: int) -> None:
        """A batch is scored."""

    def scoring(self, done: int, total: int, what: str) -> None:
        """Take note of a pass that scores, as `Progress` does."""
        self.evaluating("score", done, total)
