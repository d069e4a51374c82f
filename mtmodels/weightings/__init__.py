"""Weightings of the tasks, by name."""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtmodels.weightings.base import Weighting

WEIGHTINGS: "Registry[type[Weighting]]" = Registry(
    "weighting",
    base="mtmodels.weightings.base:Weighting",
    members={
        "equal": "mtmodels.weightings.fixed:Equal",
        "fixed": "mtmodels.weightings.fixed:Fixed",
        "uncertainty": "mtmodels.weightings.uncertainty:Uncertainty",
    },
)

__all__ = ["WEIGHTINGS"]
