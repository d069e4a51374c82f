"""Scores as numbers and as JSON, and which of them should be high. Nothing here needs torch.

Shares (`miou`, `iou`, `pixel_accuracy`, `within_*`, `*_at_0.5`) are in percent, as the papers print
them; depth errors are in the units of the task (`rel_err` is a ratio), angles in degrees.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

Score = float | list[float]
Scores = Mapping[str, Mapping[str, Score]]
"""For each task, for each score, its value; a list has one value a class."""
LooseScores = Mapping[str, Mapping[str, Any]]
"""Scores, or what JSON made of them: None for NaN, a whole number for a float."""

HIGHER_IS_BETTER: dict[str, bool] = {
    "miou": True,
    "pixel_accuracy": True,
    "iou": True,
    "category_miou": True,
    "category_iou": True,
    "abs_err": False,
    "rel_err": False,
    "rmse": False,
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

HEADLINES = ("miou", "abs_err", "mean", "ods_f", "max_f", "iou_at_0.5")
"""The score that speaks for a task alone: the first of these that it has."""


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
