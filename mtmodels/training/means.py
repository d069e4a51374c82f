"""Mean losses over an epoch, for weightings with a history and for the log."""

from collections.abc import Mapping
from typing import Any


class Means:
    """Adds up named values; a name that a step lacks does not count there."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, values: Mapping[str, float]) -> None:
        """Add the values of a step."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """Give the means and start anew."""
        means = {name: total / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means

    def state(self) -> dict[str, Any]:
        """As plain values."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go back to what `state` gave."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
