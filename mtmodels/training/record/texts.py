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


def arrow(name: str) -> str:
    """Whether a score is better high or low; empty where nobody knows."""
    return {True: "↑", False: "↓", None: ""}[HIGHER_IS_BETTER.get(name)]
