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
        mean: Subtracted from an image, one value a colour; 0 as released with the papers on NYUv2.
        std: What an image is then divided by, one value a colour.

    Raises:
        ValueError: where there is no task, two tasks share a name, `width` is not positive, or
            `mean` and `std` are not three values each, `std` positive.
    """

    summary: ClassVar[str]
    """One sentence for `mtmodels list networks`."""
    reference: ClassVar[str]
    """Paper and section."""
    stride: ClassVar[int] = 32
    """Height and width of an image should be divisible by this."""
    minimum_images: ClassVar[int] = 1
    """Images that a training step should hold, counted over the views."""
    transfer_width: ClassVar[float] = 1.0
    """At width 1, the width of the transfer networks that cost about as much as this network."""
    mapping_width: ClassVar[float] = 1.0
    """At width 1, the width of the mapping network that costs about as much as this network."""
    mapping_trunk: ClassVar[str] = "resnet18"
    """The kind of mapping network: that of the paper for SegNet and for ResNets."""
    feature_channels: int
    feature_stride: int

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        width: float = 1.0,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        super().__init__()
        names = [task.name for task in tasks]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"`tasks` should be one or more different tasks; found {names}.")
        if not width > 0:
            raise ValueError(f"`width` should be above 0; found {width}.")
        if len(mean) != 3 or len(std) != 3 or not all(value > 0 for value in std):
            raise ValueError(
                "`mean` and `std` should be three values each, those of `std` above 0; "
                f"found {list(mean)} and {list(std)}."
            )
        self.tasks = tuple(tasks)
        self.width = width
        self.mean, self.std = tuple(mean), tuple(std)

    @abstractmethod
    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks."""

    def normalised(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """The image as the first layer wants it."""
        if self.mean == (0, 0, 0) and self.std == (1, 1, 1):
            return image
        mean, std = (image.new_tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (image - mean) / std

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

    @classmethod
    def check_images(cls, images: int) -> None:
        """Refuse a number of images that the network cannot train on at once.

        Raises:
            ValueError: where there are too few.
        """
        if images < cls.minimum_images:
            raise ValueError(
                f"a training step should hold {cls.minimum_images} images or more, for batch norm "
                f"to compare; found {images}. Give a larger --batch, --views 2, or another "
                "--network."
            )

    @torch.no_grad()
    def predict(self, image: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b c h w"]]:
        """Predict images of any size: pad on the right and bottom, run, cut to size.

        Call `eval()` first: batch normalisation follows the mode that the network is in.
        """
        height, width = image.shape[-2:]
        pad = (-width % self.stride, -height % self.stride)
        padded = nn.functional.pad(image, (0, pad[0], 0, pad[1]), mode="replicate")
        predictions = self(padded).predictions
        return {name: p[..., :height, :width] for name, p in predictions.items()}
