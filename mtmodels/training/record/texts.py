"""Scores for people, in a terminal and on pages."""

import math
from typing import Any

from mtmodels.metrics.scores import HIGHER_IS_BETTER, LooseScores


def plain_scores(scores: LooseScores) -> str:
    """The scores as lines of text, a task a line."""
    lines = []
    for task, values in scores.items():
        told = "  ".join(
            f"{name} {number(value)}"
            for name, value in values.items()
            if not isinstance(value, list)
        )
        lines.append(f"  {task:<10}{told}")
    return "\n".join(lines)


def number(value: Any) -> str:
    """A score for people: four significant digits."""
    return "n/a" if value is None or math.isnan(value) else f"{value:.4g}"


def estimate(value: float | None, low: float | None, high: float | None) -> tuple[str, str, str]:
    """A score and the ends of its interval with the digits that this leaves: two of half its width.

    The ends are empty where there is no interval.
    """
    if value is None:
        return number(value), "", ""
    if low is None or high is None:
        # In percent two decimals are enough; a small number keeps its first four.
        return f"{value:.2f}" if abs(value) >= 10 or not value else number(value), "", ""
    half = (high - low) / 2
    if not half or not math.isfinite(value):
        return number(value), number(low), number(high)
    digits = min(max(1 - math.floor(math.log10(half)), 0), 6)
    return f"{value:.{digits}f}", f"{low:.{digits}f}", f"{high:.{digits}f}"


def arrow(name: str) -> str:
    """Whether a score is better high or low; empty where nobody knows."""
    return {True: "↑", False: "↓", None: ""}[HIGHER_IS_BETTER.get(name)]
