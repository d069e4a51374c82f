"""Scores as numbers and as JSON, and which of them should be high. Nothing here needs torch.

Shares (`miou`, `iou`, `*_accuracy`, `delta1`, `within_*`, `*_at_0.5`) are in percent, as the papers
print them; depth errors are in the units of the task (`rel_err` is a ratio), angles in degrees.
"""

import math
from collections.abc import Container, Iterable, Mapping
from typing import Any

Score = float | list[float]
Scores = Mapping[str, Mapping[str, Score]]
"""For each task, for each score, its value; a list has one value a class."""
LooseScores = Mapping[str, Mapping[str, Any]]
"""Scores, or what JSON made of them: None for NaN, a whole number for a float."""

HIGHER_IS_BETTER: dict[str, bool] = {
    "miou": True,
    "pixel_accuracy": True,
    "class_accuracy": True,
    "iou": True,
    "category_miou": True,
    "category_iou": True,
    "abs_err": False,
    "rel_err": False,
    "rmse": False,
    "rmse_log": False,
    "delta1": True,
    "delta2": True,
    "delta3": True,
    "mean": False,
    "median": False,
    "within_11.25": True,
    "within_22.5": True,
    "within_30": True,
    "iou_at_0.5": True,
    "f_at_0.5": True,
    "max_f": True,
    "ods_f": True,
}

MEANING: dict[str, str] = {
    "miou": "Overlap of predicted and labelled area, mean over the classes, in percent.",
    "pixel_accuracy": "Pixels whose class is right, in percent.",
    "class_accuracy": "Pixels of a class that are found, mean over the classes, in percent.",
    "iou": "Overlap of predicted and labelled area of one class, in percent.",
    "category_miou": "Overlap of areas, mean over the groups of classes, in percent.",
    "category_iou": "Overlap of areas of one group of classes, in percent.",
    "abs_err": "Mean distance from the label, in the units of the task.",
    "rel_err": "Mean distance from the label as a part of the label.",
    "rmse": "Root of the mean squared error, which large errors rule.",
    "rmse_log": "Root of the mean squared error of logarithms, which counts factors.",
    "delta1": "Pixels less than a factor of 1.25 off, in percent.",
    "delta2": "Pixels less than a factor of 1.25 squared (1.56) off, in percent.",
    "delta3": "Pixels less than a factor of 1.25 cubed (1.95) off, in percent.",
    "mean": "Mean angle to the labelled direction, in degrees.",
    "median": "Angle to the labelled direction that half of the pixels do not exceed, in degrees.",
    "within_11.25": "Pixels whose direction is less than 11.25 degrees off, in percent.",
    "within_22.5": "Pixels whose direction is less than 22.5 degrees off, in percent.",
    "within_30": "Pixels whose direction is less than 30 degrees off, in percent.",
    "iou_at_0.5": "Overlap of predicted and labelled area where yes is likelier, in percent.",
    "f_at_0.5": "Balance of found and right pixels where yes is likelier, in percent.",
    "max_f": "Best balance of found and right pixels over all thresholds, in percent.",
    "ods_f": "Balance of found and right edges at the one best threshold, in percent.",
}
"""What each of them says, for a reader who has not met it."""

HEADLINES = ("miou", "abs_err", "mean", "ods_f", "max_f", "iou_at_0.5")
"""The score that speaks for a task alone: the first of these that it has."""


def headline_among(names: Container[str]) -> str | None:
    """The score that speaks for a task that has these, or None."""
    return next((name for name in HEADLINES if name in names), None)


def headline(scores: LooseScores, task: str) -> tuple[str, float] | None:
    """The score that speaks for a task, or None where it has none that is a number."""
    for name in HEADLINES:
        value = scores[task].get(name)
        if isinstance(value, float) and math.isfinite(value):
            return name, value
    return None


def better(names: Iterable[str]) -> dict[str, bool]:
    """For each of the scores, whether higher is better."""
    return {name: HIGHER_IS_BETTER[name] for name in names}


def to_json(value: Any) -> Any:
    """Scores as JSON allows them: NaN and infinity become None, whatever holds them."""
    if isinstance(value, Mapping):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_json(value: Any) -> Any:
    """Scores as `to_json` wrote them: None becomes NaN."""
    if isinstance(value, Mapping):
        return {name: from_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return math.nan if value is None else value
