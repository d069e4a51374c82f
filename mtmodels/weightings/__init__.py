"""Weightings, by name."""

from mtmodels.weightings.base import Weighting
from mtmodels.weightings.fixed import Equal, Fixed
from mtmodels.weightings.uncertainty import Uncertainty

WEIGHTINGS: dict[str, type[Weighting]] = {
    "equal": Equal,
    "fixed": Fixed,
    "uncertainty": Uncertainty,
}

__all__ = ["WEIGHTINGS", "Equal", "Fixed", "Uncertainty"]
