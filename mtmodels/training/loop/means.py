"""Means over an epoch, for weightings with a history and for the log."""

from collections.abc import Mapping, Sequence
from typing import Any

from mtmodels.training.loop.result import Numbers, StepResult
from mtmodels.weightings.base import EpochStatistics


class Means:
    """Adds up named values; a name that a step lacks does not count there."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, float | int] = {}

    def add(self, values: Mapping[str, float], counts: Numbers | None = None) -> None:
        """Add the values of a step.

        Args:
            values: By name.
            counts: How many each of them is a mean of; 1 where they are not given.
        """
        for name, value in values.items():
            count = 1 if counts is None else counts[name]
            self._sums[name] = self._sums.get(name, 0.0) + value * count
            self._counts[name] = self._counts.get(name, 0) + count

    def means(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / self._counts[name] for name, total in self._sums.items()}

    @property
    def counts(self) -> dict[str, int]:
        """How many values each of them is a mean of, where no counts were given."""
        return {name: int(count) for name, count in self._counts.items()}

    def take(self) -> dict[str, float]:
        """Give the means and start anew."""
        means = self.means()
        self._sums, self._counts = {}, {}
        return means

    def state(self) -> dict[str, Any]:
        """As plain values."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state` gave."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


class EpochMeans:
    """The means of all that a step tells of its terms.

    Args:
        tasks: The order of what is given by task; batches show tasks in any order.
    """

    def __init__(self, tasks: Sequence[str] = ()) -> None:
        self._order = tuple(tasks)
        self._tasks, self._of_image, self._squares = Means(), Means(), Means()
        self._further = {name: Means() for name in ("auxiliary", "parts", "labelled")}
        self._images: dict[str, float | int] = {}

    def add(self, result: StepResult) -> None:
        """Add a step."""
        self._tasks.add(result.tasks)
        # A task has terms without a label of its own, too.
        shown = {name: result.images.get(name) or 1 for name in result.tasks}
        of_image = {name: x / shown[name] for name, x in result.tasks.items()}
        self._of_image.add(of_image)
        self._squares.add({name: value**2 for name, value in of_image.items()})
        self._further["auxiliary"].add(result.auxiliary)
        self._further["parts"].add(result.parts)
        self._further["labelled"].add(result.labelled, result.images)
        for task, count in result.images.items():
            self._images[task] = self._images.get(task, 0) + count

    def statistics(self) -> EpochStatistics:
        """Mean and variance of the terms of tasks so far, of an image that shows the task.

        A checkpoint of version 0.1 has neither: the epoch that goes on from it has those of its
        rest.
        """
        means, squares = self._of_image.means(), self._squares.means()
        variances = {name: max(0.0, squares[name] - mean**2) for name, mean in means.items()}
        return EpochStatistics(means, variances, self._of_image.counts)

    def take(self) -> dict[str, dict[str, Any]]:
        """Give the fields of an epoch row and start anew.

        Returns:
            `means` of the terms of tasks, `auxiliary` and `parts`, each over the steps that have
            the term; `images` that showed each task, and `labelled`, the mean of its direct loss
            over all of them.
        """
        fields: dict[str, dict[str, Any]] = {"means": self._tasks.take()}
        for means in (self._of_image, self._squares):
            means.take()
        fields |= {name: means.take() for name, means in self._further.items()}
        fields["images"], self._images = self._images, {}
        return {field: self._in_order(values) for field, values in fields.items()}

    def _in_order(self, values: dict[str, Any]) -> dict[str, Any]:
        return {name: values[name] for name in self._order if name in values} | values

    def state(self) -> dict[str, Any]:
        """As plain values."""
        further = {name: means.state() for name, means in self._further.items()}
        further |= {"of_image": self._of_image.state(), "squares": self._squares.state()}
        return {**self._tasks.state(), **further, "images": dict(self._images)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state` gave; older checkpoints have the means of tasks alone."""
        self._tasks.load_state(state)
        own = {"of_image": self._of_image, "squares": self._squares} if "of_image" in state else {}
        for name, means in (*self._further.items(), *own.items()):
            means.load_state(state.get(name, {"sums": {}, "counts": {}}))
        self._images = dict(state.get("images", {}))
