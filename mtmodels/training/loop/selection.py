"""Which epoch is the best: scores of several tasks made one number."""

import math
from typing import Any

from mtmodels.metrics.scores import HIGHER_IS_BETTER, Scores, headline


def improvement(scores: Scores, first: Scores) -> float:
    """Mean relative improvement over the tasks, in percent, against the first epoch.

    One score a task, each with its sign, so that units cancel. A share of 0 in the first epoch, as
    of masks that are not found yet, improves by as many percent as it has then: nothing is a part
    of 0. A task without a finite score on either side is left out, and so is an error that was 0.
    NaN where none is left.
    """
    changes = []
    for task in scores:
        now, then = headline(scores, task), headline(first, task)
        if now is None or then is None:
            continue
        high = HIGHER_IS_BETTER[now[0]]
        if then[1] != 0:
            changes.append(100 * (1 if high else -1) * (now[1] - then[1]) / abs(then[1]))
        elif high:
            changes.append(now[1])
    return sum(changes) / len(changes) if changes else math.nan


class Selection:
    """Keeps the scores of the first epoch and how good the best epoch was."""

    def __init__(self) -> None:
        self.first: Scores | None = None
        self.best = -math.inf
        self.best_epoch = 0

    def offer(self, scores: Scores, epoch: int) -> tuple[float, bool]:
        """Take the scores of an epoch; returns its improvement and whether it is the best yet."""
        if self.first is None:
            self.first = scores
        value = improvement(scores, self.first)
        nothing_to_compare = math.isnan(value) and self.best == -math.inf
        is_best = nothing_to_compare or value > self.best
        if is_best:
            self.best = -math.inf if math.isnan(value) else value
            self.best_epoch = epoch
        return value, is_best

    def state(self) -> dict[str, Any]:
        """As plain values."""
        first = None if self.first is None else {t: dict(s) for t, s in self.first.items()}
        return {"first": first, "best": self.best, "best_epoch": self.best_epoch}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to what `state` gave."""
        self.first, self.best = state["first"], state["best"]
        self.best_epoch = state["best_epoch"]
