"""Weights that stay: equal ones, or given ones."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from mtdata.errors import UnknownNameError
from mtmodels.options import Options
from mtmodels.weightings.total import TotalWeighting


class Equal(TotalWeighting):
    """The plain sum of the losses."""

    summary: ClassVar[str] = "the sum of the losses"
    reference: ClassVar[str] = "all papers' baseline"
    adds_up: ClassVar[bool] = True

    def scale(self, losses: Mapping[str, Tensor]) -> list[Tensor]:
        """The losses."""
        return list(losses.values())

    def weights(self) -> dict[str, float]:
        """1 for every task."""
        return dict.fromkeys(self.tasks, 1.0)


class FixedOptions(Options):
    """What fixed weights are."""

    values: Mapping[str, float]
    """One weight a task, above 0."""


class Fixed(TotalWeighting):
    """A given weight for every task.

    Args:
        tasks: Names of the tasks of the run.
        options: Those of `FixedOptions`.

    Raises:
        ValueError: where a task has no weight, a weight no task, or one is not above 0.
    """

    options: FixedOptions
    summary: ClassVar[str] = "a given weight for every task"
    reference: ClassVar[str] = "PASCAL survey: 1, 2, 5, 50, 10"
    adds_up: ClassVar[bool] = True

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks, **options)
        values = self.options.values
        for name in values:
            if name not in self.tasks:
                raise UnknownNameError("task for the option `values`", name, self.tasks)
        missing = [name for name in self.tasks if name not in values]
        if missing:
            raise ValueError(
                f"`values` should have a weight for every task; found none for "
                f"{', '.join(missing)}."
            )
        for name, value in values.items():
            if not 0 < value < float("inf"):
                raise ValueError(f"`values[{name}]` should be above 0; found {value}.")
        self.values = {name: float(values[name]) for name in self.tasks}

    def scale(self, losses: Mapping[str, Tensor]) -> list[Tensor]:
        """The losses times their weights."""
        return [self.values[name] * loss for name, loss in losses.items()]

    def weights(self) -> dict[str, float]:
        """The weights as given."""
        return dict(self.values)
