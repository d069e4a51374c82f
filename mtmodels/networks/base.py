"""What every network promises: an image in, one prediction a task and a feature map out."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from mtdata import Task
from mtdata.tasks.resize import PIXELS, fitting_size
from mtmodels.errors import MemberError, OutputError
from mtmodels.networks.encoders import normalisation
from mtmodels.networks.encoders.base import Encoder
from mtmodels.options import Colour, Factor, Options, Width, options_class

Attention = Mapping[str, Mapping[str, Float[Tensor, "b c hm wm"]]]
"""For each task its masks, by the names of the layers that they pick from, in order."""


@dataclass(frozen=True)
class Output:
    """What a network says of a batch of `b` images.

    `predictions[task]` is logits (classes, binary), depth in the units of the task, or unit
    normals, at the size of the image. `features` is the shared map that consistency methods
    regularise with. `decoded` is the last map that all tasks share, where they share a decoder.
    """

    predictions: Mapping[str, Float[Tensor, "b c h w"]]
    features: Float[Tensor, "b d hf wf"]
    decoded: Float[Tensor, "b e hd wd"] | None = None

    def __post_init__(self) -> None:
        # A shape checker looks at one entry of a mapping only; here all of them are compared.
        shapes = {name: (p.shape[0], *p.shape[-2:]) for name, p in self.predictions.items()}
        first = next(iter(shapes.values()), None)  # no set: sizes are symbols in an export
        ranks = (p.ndim for p in self.predictions.values())
        if any(shape != first for shape in shapes.values()) or any(rank != 4 for rank in ranks):
            raise ValueError(f"`predictions` should share one size; found {shapes}.")


def check_output(network: str, output: object, tasks: Sequence[Task], image: Tensor) -> None:
    """Refuse what a network says of images where it is no `Output`, or does not fit its tasks.

    Args:
        network: What to call it in an error.
        output: What it says.
        tasks: What it should predict.
        image: The images, `[b, 3, h, w]`.

    Raises:
        OutputError: naming the task, what was expected and what was found.
    """
    if not isinstance(output, Output):
        raise OutputError(
            network, f"should give an `Output` (mtmodels.Output); found {type(output).__name__}."
        )
    for task in tasks:
        if task.name not in output.predictions:
            found = ", ".join(f"`{name}`" for name in output.predictions) or "none"
            raise OutputError(network, f"should predict `{task.name}`; it predicts {found}.")
    check_predictions(network, output.predictions, tasks, image)


def check_predictions(
    network: str, predictions: Mapping[str, Tensor], tasks: Sequence[Task], image: Tensor
) -> None:
    """Refuse predictions of another shape than `[b, task.channels, h, w]`; absent ones are not.

    Raises:
        OutputError: naming the task, what was expected and what was found.
    """
    for task in tasks:
        expected = [len(image), task.channels, *image.shape[-2:]]
        found = list(predictions[task.name].shape) if task.name in predictions else expected
        if found != expected:
            what = f"{image.shape[0]} images of {image.shape[-2]}x{image.shape[-1]}"
            raise OutputError(
                network, f"should predict `{task.name}` as {expected} for {what}; found {found}."
            )


def check_features(network: "Network", output: Output, image: Tensor) -> None:
    """Refuse maps that methods read, of another size than the network says.

    Raises:
        MemberError: with what was expected and what was found.
    """
    height, width = image.shape[-2:]
    for name, found in (("feature", output.features), ("decoded", output.decoded)):
        channels, stride = (getattr(network, f"{name}_{of}") for of in ("channels", "stride"))
        expected = [len(image), channels, height // stride, width // stride]
        if found is not None and list(found.shape) != expected:
            raise MemberError(
                f"the network `{type(network).__name__}`",
                f"should give {'`features`' if name == 'feature' else '`decoded`'} of "
                f"{expected} for {len(image)} images of {height}x{width}, by its "
                f"`{name}_channels` and `{name}_stride`; found {list(found.shape)}.",
            )


class NetworkOptions(Options):
    """What every network can be told."""

    width: Width = 1.0
    """A factor on all channels; 1 is the published network."""
    mean: Colour = (0.0, 0.0, 0.0)
    """Subtracted from an image, one value a colour; 0 as released with the papers on NYUv2."""
    std: Colour = (1.0, 1.0, 1.0)
    """What an image is then divided by, one value a colour, each above 0."""


class EncoderOptions(NetworkOptions):
    """What every network with an encoder can be told; one with a choice of them has `encoder`."""

    encoder_weights: str | Path | None = None
    """Null, `imagenet`, `package` (of `tf_efficientnet_lite0`), or a file with the state of the
    network of torchvision that the encoder repeats, or of the model of timm. They bring their
    normalisation: `mean` and `std` are those of the images they come from, each unless given."""
    encoder_rate: Factor = 1.0
    """A factor on the learning rate of the encoder: of what pre-trained weights go to."""
    freeze_encoder: Annotated[int, Field(ge=0)] = 0
    """Steps, from the first, in which the weights of the encoder, those that pre-trained ones go
    to, stay as they are. Batch norm in it goes on counting, but for `freeze_norm`."""
    freeze_norm: bool = False
    """Whether batch norm in the encoder keeps its running statistics, and normalises by them in
    training as well."""


def normalised(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a network, with the normalisation that its pre-trained weights want.

    Each of `mean` and `std` that is given stays.
    """
    if options.get("encoder_weights") is None or {"mean", "std"} <= options.keys():
        return dict(options)
    return {**normalisation(options.get("encoder"), options["encoder_weights"]), **options}


class Network(nn.Module, ABC):
    """Image -> `Output`. Images are RGB in [0, 1]; a network that wants them normalised does so.

    Args:
        tasks: The tasks to predict, in order.
        options: The fields of what `options` is declared as.

    Raises:
        ValueError: where there is no task, two tasks share a name, or an option cannot be.
    """

    options: NetworkOptions

    summary: ClassVar[str]
    """One sentence for `mtmodels list networks`."""
    reference: ClassVar[str]
    """Paper and section."""
    stride: ClassVar[int] = 32
    """Height and width of an image should be divisible by this."""
    minimum_images: ClassVar[int] = 1
    """Images that a training step should hold, counted over the views."""
    norm_stride: ClassVar[int] = 0
    """The image over the smallest map that batch norm sees, in height and width; 0 for none."""
    layers: ClassVar[str] = "resnet"
    """What its encoder is made of, "resnet" or "vgg"."""
    compact: ClassVar[bool] = False
    """Whether it costs a small part of what published networks cost; so should its company."""
    feature_channels: int
    feature_stride: int
    decoded_channels: int = 0
    """Of `Output.decoded`; 0 where the tasks share no decoder."""
    decoded_stride: int = 1

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__()
        names = [task.name for task in tasks]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"`tasks` should be one or more different tasks; found {names}.")
        declared = options_class(type(self))
        self.options = declared.read(normalised(options))  # type: ignore[assignment]
        if not all(value > 0 for value in self.options.std):
            raise ValueError(f"`std` should be above 0; found {list(self.options.std)}.")
        self.tasks = tuple(tasks)

    @abstractmethod
    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks."""

    def pretrained(self) -> list[nn.Module]:
        """What pre-trained weights go to: of one encoder, or of one for each task.

        They are the parts `encoder` or `encoders` of a network with `EncoderOptions`.
        """
        if not isinstance(self.options, EncoderOptions):
            return []
        parts: list[nn.Module] = []
        for name, part in self.named_children():
            parts += [part] if name == "encoder" else part.children() if name == "encoders" else []
        return [part.pretrained() if isinstance(part, Encoder) else part for part in parts]

    def train(self, mode: bool = True) -> "Network":
        """Go to training mode, all but the norms that `freeze_norm` keeps as they are."""
        super().train(mode)
        if isinstance(self.options, EncoderOptions) and self.options.freeze_norm:
            for encoder in self.pretrained():
                for module in encoder.modules():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.eval()
        return self

    def normalised(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """The image as the first layer wants it."""
        mean, std = self.options.mean, self.options.std
        if mean == (0, 0, 0) and std == (1, 1, 1):
            return image
        shift, scale = (image.new_tensor(values)[:, None, None] for values in (mean, std))
        return (image - shift) / scale

    @abstractmethod
    def shared_parameters(self) -> list[nn.Parameter]:
        """The last layer that all tasks share: where GradNorm and its kin measure gradients."""

    def start_at(self, task: str, values: Sequence[float]) -> bool:
        """Let predictions of a task begin near some values, by the bias of its last convolution.

        Args:
            task: Its name, which the names of its parameters have as a part.
            values: One a channel.

        Returns:
            Whether there is such a bias: XTasC-Net and AdaMT-Net have none.
        """
        bias = self.start_bias(task)
        if bias is None or len(bias) != len(values):
            return False
        with torch.no_grad():
            bias.copy_(bias.new_tensor(values))
        return True

    def start_bias(self, task: str) -> Tensor | None:
        """The bias of the last convolution of a task, one a channel; None where there is none."""
        layers = self._layers_of(task)
        channels = {one.name: one.channels for one in self.tasks}[task]
        bias = layers[-1].bias if layers else None
        return bias if bias is not None and len(bias) == channels else None

    def first_layer(self, task: str) -> nn.Conv2d | None:
        """The first convolution that a task has for itself; None where it has none.

        Args:
            task: Its name, which the names of its parameters have as a part.
        """
        return next(iter(self._layers_of(task)), None)

    def attention(self, image: Float[Tensor, "b 3 h w"]) -> Attention:
        """The masks by which each task picks from the maps of a layer; a network may have none.

        Returns:
            For each task its masks, values in [0, 1], without gradients, at the size of the image
            over a whole number; nothing where there are none.
        """
        return {}

    @classmethod
    def has_attention(cls) -> bool:
        """Whether `attention` gives anything."""
        return cls.attention is not Network.attention

    def _layers_of(self, task: str) -> list[nn.Conv2d]:
        """The convolutions that a task has for itself, in the order in which they were added."""
        named = self.named_modules()
        return [m for name, m in named if task in name.split(".") and isinstance(m, nn.Conv2d)]

    @classmethod
    def check_size(cls, height: int, width: int) -> None:
        """Refuse a size that the network cannot take.

        Raises:
            ValueError: naming one that it can.
        """
        if height % cls.stride or width % cls.stride or min(height, width) < cls.stride:
            h, w = fitting_size((height, width), cls.stride)
            remedy = f"Give --size {h}x{w}."
            if min(height, width) < cls.stride:  # images are read smaller, and never larger
                remedy = (
                    f"Give a larger --size, or none; where the store has no images of {h}x{w}, "
                    f"build it with `mtdata build --size {h}x{w}`."
                )
            elif height * width > PIXELS:
                remedy = (
                    f"Build the store with `mtdata build --size {h}x{w}`, or read it at that with "
                    f"--size {h}x{w}, which takes longer at each step."
                )
            raise ValueError(
                f"height and width should be divisible by {cls.stride}; found {height}x{width}. "
                f"{remedy}"
            )

    @classmethod
    def check_images(cls, images: int, size: tuple[int, int] | None = None) -> None:
        """Refuse a number of images that the network cannot train on at once.

        Args:
            images: In a step, counted over the views.
            size: Their height and width, where they are known.

        Raises:
            ValueError: where there are too few, or batch norm would see one value a channel.
        """
        if size is not None and cls.norm_stride and images == 1:
            height, width = (side // cls.norm_stride for side in size)
            if height * width < 2:
                raise ValueError(
                    "a training step should give batch norm more than one value to compare; found "
                    f"one image of {size[0]}x{size[1]}, whose smallest map has one pixel. Give a "
                    "larger --batch, --views 2, or larger images."
                )
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
        predictions = self(self.padded(image)).predictions
        return {name: p[..., :height, :width] for name, p in predictions.items()}

    def padded(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 hp wp"]:
        """The image at a size that the network takes: its edges go on to the right and below."""
        height, width = image.shape[-2:]
        pad = (0, -width % self.stride, 0, -height % self.stride)
        return nn.functional.pad(image, pad, mode="replicate")
