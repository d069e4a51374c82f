"""Delta: by how much, in percent, scores are better than a baseline, over all tasks."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import UsageError
from mtmodels.metrics.scores import HIGHER_IS_BETTER, LooseScores, headline_among, to_json

Draws = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""For each task, for each score, its values over many draws of the images."""
XTASC_METRICS = (
    ("miou", "pixel_accuracy"),
    ("miou", "max_f"),
    ("abs_err", "rel_err"),
    ("mean", "median"),
    ("iou_at_0.5", "f_at_0.5"),
)
"""The metrics of eq. 17 (the first of `miou`, and those of depth), and, for kinds it does not have,
two likewise. A task has the first pair that its scores hold both of."""


class NothingRelativeError(UsageError):
    """A baseline has a score of 0, or one that is no number, which nothing is relative to."""


@dataclass(frozen=True)
class Baseline:
    """What others are measured against.

    Args:
        name: Where the scores are from: runs, or a published row.
        scores: Its scores.
    """

    name: str
    scores: LooseScores


@dataclass(frozen=True)
class Delta:
    """Mean relative improvement in percent; above 0 is better than the baseline.

    `terms["depth.abs_err"]` is the part of one metric.
    """

    form: str
    value: float
    terms: Mapping[str, float]
    baseline: Baseline

    def to_json(self) -> dict[str, Any]:
        """The delta with the baseline that it belongs to."""
        return {
            "form": self.form,
            "value": self.value,
            "terms": dict(self.terms),
            "baseline": {"name": self.baseline.name, "scores": to_json(self.baseline.scores)},
        }


def delta_xtasc(
    scores: LooseScores, baseline: Baseline, *, tasks: Sequence[str] | None = None
) -> Delta:
    """Mean relative improvement over all metrics: mIoU, accuracy, absolute and relative error.

    Args:
        scores: What is measured.
        baseline: What against; single-task networks in the paper.
        tasks: The tasks to count; without it both sides must have the same.

    Raises:
        UsageError: where a task or a metric is missing on one side, or has no finite value.
        NothingRelativeError: where a score of the baseline is 0 or no number.

    Reference: XTasC-Net, eq. 17.
    """
    return _delta("xtasc", scores, baseline, tasks, _pair)


def delta_mtpsl(
    scores: LooseScores, baseline: Baseline, *, tasks: Sequence[str] | None = None
) -> Delta:
    """Mean relative improvement over tasks, one metric each: mIoU, absolute error, mean angle.

    Args:
        scores: What is measured.
        baseline: What against; supervised learning under the same regime in the tables.
        tasks: The tasks to count; without it both sides must have the same.

    Raises:
        UsageError: where a task or a metric is missing on one side, or has no finite value.
        NothingRelativeError: where a score of the baseline is 0 or no number.
    """
    return _delta("mtpsl", scores, baseline, tasks, _one)


DELTAS: dict[str, Callable[..., Delta]] = {
    "xtasc": delta_xtasc,
    "mtpsl": delta_mtpsl,
    "pascal": delta_mtpsl,
    "cityscapes": delta_mtpsl,
    "common": delta_mtpsl,
}
"""The published form of delta that goes with a protocol."""

FORMS: dict[str, Callable[..., Delta]] = {"mtpsl": delta_mtpsl, "xtasc": delta_xtasc}
"""The two published forms: the mean over tasks, and that over metrics."""


def uncounted(baseline: Baseline, tasks: Iterable[str]) -> str:
    """Which of some tasks no delta counts, as the baseline lacks them; empty where it has all."""
    lacking = [task for task in dict.fromkeys(tasks) if task not in baseline.scores]
    if not lacking:
        return ""
    return (
        f"delta counts {', '.join(baseline.scores)}; not {', '.join(lacking)}, which the "
        "baseline lacks"
    )


def forms_of(protocol: str) -> Sequence[str]:
    """The forms to show under a protocol: none under one that no published form goes with."""
    return tuple(FORMS) if protocol in DELTAS else ()


Choose = Callable[[Mapping[str, object]], Sequence[str]]


def _pair(metrics: Mapping[str, object]) -> Sequence[str]:
    whole = [pair for pair in XTASC_METRICS if all(name in metrics for name in pair)]
    parts = [pair for pair in XTASC_METRICS if any(name in metrics for name in pair)]
    return next(iter([*whole, *parts]), ())


def _one(metrics: Mapping[str, object]) -> Sequence[str]:
    name = headline_among(metrics)
    return () if name is None else (name,)


def _delta(
    form: str, scores: LooseScores, baseline: Baseline, tasks: Sequence[str] | None, choose: Choose
) -> Delta:
    terms: dict[str, float] = {}
    for task in _common_tasks(scores, baseline, tasks):
        names = choose(baseline.scores[task])
        if not names:
            raise UsageError(
                f"`{task}` should have a score that delta ({form}) counts; {baseline.name} has "
                f"{', '.join(baseline.scores[task]) or 'none'}. Leave the task out (--tasks)."
            )
        for name in names:
            theirs = _base(baseline, task, name)
            ours = _number(scores[task].get(name), task, name, "the scores to compare")
            change = 100 * (ours - theirs) / theirs
            terms[f"{task}.{name}"] = change if HIGHER_IS_BETTER[name] else -change
    return Delta(form, sum(terms.values()) / len(terms), terms, baseline)


def _common_tasks(
    scores: LooseScores, baseline: Baseline, tasks: Sequence[str] | None
) -> Sequence[str]:
    wanted = tuple(tasks if tasks is not None else dict.fromkeys([*baseline.scores, *scores]))
    for task in wanted:
        for side, name in ((baseline.scores, baseline.name), (scores, "the scores to compare")):
            if task not in side:
                raise UsageError(
                    f"delta should compare the same tasks; found no `{task}` in {name}, which has "
                    f"{', '.join(side) or 'no task'}. Give a baseline of all tasks (several "
                    "single-task runs together may be one), or name the tasks to count (--tasks)."
                )
    if not wanted:
        raise UsageError("delta should have a task to compare; found none. Name one.")
    return wanted


def _is_nothing(value: object) -> bool:
    """Whether a score is there, but 0 or no number."""
    return isinstance(value, (int, float)) and (value == 0 or not math.isfinite(value))


def _base(baseline: Baseline, task: str, metric: str) -> float:
    """What is divided by."""
    value = baseline.scores[task].get(metric)
    if _is_nothing(value):
        raise NothingRelativeError(
            f"`{metric}` of `{task}` should not be {value:g} in {baseline.name}: nothing is "
            "relative to it. Choose another baseline, or name the tasks to count (--tasks)."
        )
    return _number(value, task, metric, baseline.name)


def _number(value: object, task: str, metric: str, where: str) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        found = "nothing" if value is None else value
        raise UsageError(
            f"`{metric}` of `{task}` should be a finite number in {where}; found {found}. "
            "Evaluate again under the same protocol, or name the tasks to count (--tasks)."
        )
    return float(value)


def of_draws(terms: Iterable[str], ours: LooseScores, theirs: LooseScores) -> Any:
    """The delta of terms (`depth.abs_err`), of numbers or for each of many draws of the images.

    It is no finite number where that is 0 which it is relative to: in a seed, or in a draw.
    """
    values = []
    with np.errstate(all="ignore"):
        for term in terms:
            task, _, metric = term.partition(".")
            # Python's own numbers raise where they are divided by 0.
            mine, base = np.asarray(ours[task][metric]), np.asarray(theirs[task][metric], float)
            change = 100 * (mine - base) / base
            values.append(change if HIGHER_IS_BETTER[metric] else -change)
        return np.mean(values, axis=0)


def nothing_relative_to(scores: LooseScores) -> list[tuple[str, str]]:
    """Task and name of the scores that either form counts, and that are 0 or no number."""
    return [
        (task, name)
        for task, metrics in scores.items()
        for name in dict.fromkeys([*_one(metrics), *_pair(metrics)])
        if _is_nothing(metrics.get(name))
    ]
