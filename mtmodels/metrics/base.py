"""What every metric promises: a state that grows with the batches, and scores at the end."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torchmetrics
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mtdata import Task
from mtmodels.metrics.resizing import Size, bilinear


class Metric(torchmetrics.Metric, ABC):
    """Scores of one task under one protocol; a thin shell of torchmetrics around pure functions.

    Every state is a sum over images, so that order and size of the batches do not matter,
    torchmetrics merges processes by adding, and the scores of any other choice of the same images
    follow from what each of them added. A metric whose `update` calls `add` and that has `scores`
    in place of `compute` gets confidence intervals for that.

    Args:
        task: The task to score.
        options: What torchmetrics takes (how states are gathered).
    """

    full_state_update = False
    better: ClassVar[Mapping[str, bool]]
    """For each score: True where higher is better."""
    takes: ClassVar[tuple[str, ...]] = ()
    """The names of the options of its own."""
    images: Tensor
    """How many images were added."""
    added: Mapping[str, Tensor]
    """What each image of the last batch added to the states, `[n, ...]` by name of the state."""

    def __init__(self, task: Task, **options: Any) -> None:
        super().__init__(**options)
        self.task = task
        self.added = {}
        self.add_state("images", torch.tensor(0), dist_reduce_fx="sum")

    @abstractmethod
    def update(
        self,
        prediction: Float[Tensor, "n c h w"],
        label: Shaped[Tensor, "n d h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Add the images of a batch that show the task."""

    def add(self, **parts: Shaped[Tensor, "n ..."]) -> None:
        """Add to the states what each image of a batch has."""
        self.images += len(next(iter(parts.values())))
        for name, part in parts.items():
            setattr(self, name, getattr(self, name) + part.sum(0))
        self.added = parts

    @classmethod
    def scores(cls, states: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Tensor]:
        """The scores of sums of what images added, over any axes before those of the states.

        A score of each class has the classes as its last axis.
        """
        raise NotImplementedError(f"{cls.__name__} should have `scores` or `compute`")

    @staticmethod
    def resized(
        prediction: Float[Tensor, "n c h w"], size: Size
    ) -> Float[Tensor, "n c height width"]:
        """A prediction at the size that it is scored at, where that is another; bilinear."""
        return bilinear(prediction, size)

    def compute(self) -> dict[str, float | list[float]]:
        """The scores over all that was added; NaN where nothing valid was."""
        states = {name: getattr(self, name) for name in self.metric_state}
        return {name: value.tolist() for name, value in self.scores(states).items()}
