"""What every network promises: an image in, one prediction a task and a feature map out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtdata import Task


@dataclass(frozen=True)
class Output:
    """What a network says of a batch of `b` images.

    `predictions[task]` is logits (classes, binary), depth in the units of the task, or unit
    normals, at the size of the image. `features` is the shared map that consistency methods
    regularise with.
    """

    predictions: Mapping[str, Float[Tensor, "b c h w"]]
    features: Float[Tensor, "b d hf wf"]

    def __post_init__(self) -> None:
        # A shape checker looks at one entry of a mapping only; here all of them are compared.
        shapes = {name: (p.shape[0], *p.shape[-2:]) for name, p in self.predictions.items()}
        if len(set(shapes.values())) > 1 or any(p.ndim != 4 for p in self.predictions.values()):
            raise ValueError(f"`predictions` should share one size; found {shapes}.")


class Network(nn.Module, ABC):
    """Image -> `Output`. Images are RGB in [0, 1]; a network that wants them normalised does so.

    Args:
        tasks: The tasks to predict, in order.
        width: A factor on the channels of its layers; 1 is the published network.

    Raises:
        ValueError: where there is no task, two tasks share a name, or `width` is not positive.
    """

    stride: ClassVar[int] = 32
    """Height and width of an image should be divisible by this."""
    feature_channels: int
    feature_stride: int

    def __init__(self, tasks: Sequence[Task], *, width: float = 1.0) -> None:
        super().__init__()
        names = [task.name for task in tasks]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"`tasks` should be one or more different tasks; found {names}.")
        if not width > 0:
            raise ValueError(f"`width` should be above 0; found {width}.")
        self.tasks = tuple(tasks)
        self.width = width

    @abstractmethod
    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks."""

    @abstractmethod
    def shared_parameters(self) -> list[nn.Parameter]:
        """The last layer that all tasks share: where GradNorm and its kin measure gradients."""

    @classmethod
    def check_size(cls, height: int, width: int) -> None:
        """Refuse a size that the network cannot take.

        Raises:
            ValueError: naming the nearest sizes that it can.
        """
        if height % cls.stride or width % cls.stride or min(height, width) < cls.stride:
            h, w = (max(cls.stride, round(x / cls.stride) * cls.stride) for x in (height, width))
            raise ValueError(
                f"height and width should be divisible by {cls.stride}; found {height}x{width}. "
                f"The nearest size is {h}x{w}."
            )

    @torch.no_grad()
    def predict(self, image: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b c h w"]]:
        """Predict images of any size: pad on the right and bottom, run, cut to size."""
        height, width = image.shape[-2:]
        pad = (-width % self.stride, -height % self.stride)
        padded = nn.functional.pad(image, (0, pad[0], 0, pad[1]), mode="replicate")
        predictions = self(padded).predictions
        return {name: p[..., :height, :width] for name, p in predictions.items()}
