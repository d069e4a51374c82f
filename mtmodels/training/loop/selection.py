"""Which epoch is the best: scores of several tasks made one number."""

import math
from collections.abc import Sequence
from typing import Any

from mtdata import Task
from mtdata.errors import UsageError
from mtmodels.metrics import METRICS
from mtmodels.metrics.scores import HEADLINES, HIGHER_IS_BETTER, Scores, headline, headline_among
from mtmodels.training.config import Config


def check_selects(config: Config, tasks: Sequence[Task]) -> None:
    """Refuse to choose an epoch by scores none of which speaks for a task.

    Raises:
        UsageError: with what to do.
    """
    metrics = [METRICS[config.protocol].of(task) for task in tasks]
    chosen = config.select in ("holdout", "val", "paper")
    if chosen and not any(headline_among(metric.better) for metric in metrics):
        raise UsageError(
            "an epoch should be chosen by a score that speaks for a task, one of "
            f"{', '.join(HEADLINES)}; the protocol `{config.protocol}` has none of these. Give "
            "--select last, or another --protocol."
        )


def improvement(scores: Scores, than: Scores) -> float:
    """Mean relative change over the tasks, in percent, each with its sign: above 0 is better.

    One score a task, as a part of the larger of the two, so that units cancel and that the way back
    has the same number with the other sign. Where higher is better it is a part of 1 at least: a
    share of 0, as of masks that are not found yet, is no reason to make much of the first pixels. A
    task without a finite score on either side is left out. NaN where none is left.
    """
    changes = []
    for task in scores.keys() & than.keys():
        now, then = headline(scores, task), headline(than, task)
        if now is not None and then is not None:
            high = HIGHER_IS_BETTER[now[0]]
            gain = (now[1] - then[1]) * (1 if high else -1)
            whole = max(abs(now[1]), abs(then[1]), 1 if high else 0)
            changes.append(100 * gain / whole if gain else 0.0)
    return sum(changes) / len(changes) if changes else math.nan


class Selection:
    """Keeps the scores of the best epoch so far; one that improves on them takes its place.

    A fixed reference, as of the first epoch, would weigh the tasks by how little was learnt there:
    a mIoU of 1 % then makes every later gain of it hundreds of percent.
    """

    def __init__(self) -> None:
        self.scores: Scores | None = None
        self.best_epoch = 0

    def offer(self, scores: Scores, epoch: int) -> tuple[float, bool]:
        """Take the scores of an epoch; how much better than the best yet, and whether it is one."""
        value = improvement(scores, scores if self.scores is None else self.scores)
        if is_best := value > 0 or _says_nothing(self.scores):
            self.scores, self.best_epoch = scores, epoch
        return value, is_best

    def state(self) -> dict[str, Any]:
        """As plain values."""
        scores = None if self.scores is None else {t: dict(s) for t, s in self.scores.items()}
        return {"scores": scores, "best_epoch": self.best_epoch}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to what `state` gave."""
        self.scores, self.best_epoch = state["scores"], state["best_epoch"]


def _says_nothing(scores: Scores | None) -> bool:
    return scores is None or all(headline(scores, task) is None for task in scores)
