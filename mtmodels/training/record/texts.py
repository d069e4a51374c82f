"""Scores for people, in a terminal and on pages."""

import math
from collections.abc import Mapping
from typing import Any

from mtmodels.metrics.scores import HIGHER_IS_BETTER, LooseScores

FEW = 10
"""Images of which a score says little, where they are fewer."""


def rests_on(images: int | None, labelled: Mapping[str, int] | None) -> str:
    """What to say of how many labels scores rest on; empty where there is nothing to say.

    Args:
        images: How many were scored; None where that is not known.
        labelled: How many of them show each task; None for scores of before.
    """
    if labelled is None:
        return ""
    fewer = [f"{task} {n:,}" for task, n in labelled.items() if n != images]
    told = [f"Images that show a task, where they are fewer: {', '.join(fewer)}."] if fewer else []
    few = [task for task, n in labelled.items() if n < FEW]
    told += [f"A score of fewer than {FEW} images says little: {', '.join(few)}."] if few else []
    return " ".join(told)


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
