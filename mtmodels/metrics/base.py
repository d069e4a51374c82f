"""What every metric promises: a state that grows with the batches, and scores at the end.

Not a class of torchmetrics: to import that takes 3 s of a core (scipy.signal, torchvision and the
compiler of torch come along), at the end of each training and in each report; and of its states
there are only sums here.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mtdata import Task
from mtmodels import processes
from mtmodels.metrics.resizing import Size, bilinear

if TYPE_CHECKING:
    from mtmodels.metrics.compiled import Compiled


class Metric(ABC):
    """Scores of one task under one protocol; a thin shell around pure functions.

    Every state is a sum over images, so that order and size of the batches do not matter,
    processes are merged by adding, and the scores of any other choice of the same images follow
    from what each of them added. A metric whose `update` calls `add` and that has `scores` in
    place of `compute` gets confidence intervals for that.

    Args:
        task: The task to score.
    """

    better: ClassVar[Mapping[str, bool]]
    """For each score: True where higher is better."""
    compiles: ClassVar[bool] = False
    """Whether `update` scores by `compiled_for`, where that gives something."""
    takes: ClassVar[tuple[str, ...]] = ()
    """The names of the options of its own."""
    images: Tensor
    """How many images were added."""
    added: Mapping[str, Tensor]
    """What each image of the last batch added to the states, `[n, ...]` by name of the state."""
    compiled: "Compiled | None" = None
    """Compiled passes over the pixels, where a split is so large that they pay."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.added = {}
        self._starts: dict[str, Tensor] = {}
        self.add_state("images", torch.tensor(0))

    def add_state(self, name: str, start: Shaped[Tensor, "..."]) -> None:
        """Declare a sum over images, an attribute that begins as `start`."""
        self._starts[name] = start
        setattr(self, name, start.clone())

    def compiled_for(self, prediction: Float[Tensor, "n ..."]) -> "Compiled | None":
        """The compiled passes, where there are some and they take this prediction."""
        return self.compiled if self.compiles and prediction.dtype == torch.float32 else None

    @property
    def states(self) -> dict[str, Tensor]:
        """The sums by their names."""
        return {name: getattr(self, name) for name in self._starts}

    def to(self, device: torch.device | str) -> "Metric":
        """Count on another device."""
        self._starts = {name: start.to(device) for name, start in self._starts.items()}
        for name, state in self.states.items():
            setattr(self, name, state.to(device))
        return self

    def reset(self) -> None:
        """Forget all images."""
        self.added = {}
        for name, start in self._starts.items():
            setattr(self, name, start.clone())

    def gather(self) -> None:
        """Add what the metrics of the other processes hold; all of them call it.

        Raises:
            LostProcessError: where another process is gone.
        """
        for name, state in self.states.items():
            setattr(self, name, processes.summed(state))

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
            setattr(self, name, getattr(self, name) + part.detach().sum(0))
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
        return {name: value.tolist() for name, value in self.scores(self.states).items()}
