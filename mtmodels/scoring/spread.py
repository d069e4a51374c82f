"""A number with how much it varies from seed to seed."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Mean over seeds, and their sample standard deviation where there are two or more."""

    mean: float
    std: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Mean and deviation of one or more values; NaN where one of them is not finite."""
        if not all(map(math.isfinite, values)):
            return cls(math.nan, math.nan if len(values) > 1 else None)
        std = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), std)

    def text(self, decimals: int) -> str:
        """The mean, with its deviation; a dash for no number."""
        if not math.isfinite(self.mean):
            return "-"
        spread = "" if self.std is None else f" ± {self.std:.{decimals}f}"
        return f"{self.mean:.{decimals}f}{spread}"
