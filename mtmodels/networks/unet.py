"""A compact network: any encoder, one light decoder for all tasks, heads at quarter size."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.base import EncoderOptions, Network, Output
from mtmodels.networks.blocks import Predicting, last_convolution, magnify, normalised_block, scaled
from mtmodels.networks.encoders import make_encoder

DECODER_CHANNELS = (256, 128, 64)
HEAD_CHANNELS = 64
FEATURE_STRIDES = (32, 16, 8, 4)


class Head(nn.Sequential):
    """One 3x3 convolution of a task's own, then its prediction."""

    def __init__(self, channels_in: int, channels: int, channels_out: int) -> None:
        super().__init__(
            normalised_block(channels_in, channels, count=1), Predicting(channels, channels_out, 1)
        )


class UNetOptions(EncoderOptions):
    """What the compact network can be told."""

    encoder: str = "resnet18"
    """Which encoder; `mtmodels list encoders` shows them. `width` is a factor on its channels as
    well, where it has a width."""
    feature_stride: int = 32
    """Where the feature map comes from that consistency methods regularise with: 32 for the
    encoder, as in SegNet; 16, 8 or 4 for the stage of the decoder with that share of the size of
    the image."""


class UNet(Network):
    """Made to learn real data on two processor cores; not from a paper.

    All tasks share the encoder and a decoder of one convolution a scale, up to a quarter of the
    size of the image. Heads predict there and are magnified to the size of the image.

    Args:
        tasks: The tasks to predict.
        options: Those of `UNetOptions`.

    Raises:
        UsageError, DataError: where the weights do not fit or cannot be had.
        ValueError: where `feature_stride` is another number.
    """

    summary: ClassVar[str] = (
        "Any encoder, shared light decoder, heads at quarter size: fast on a CPU."
    )
    reference: ClassVar[str] = "none; a U-Net (Ronneberger et al. 2015)"

    options: UNetOptions
    compact: ClassVar[bool] = True
    norm_stride: ClassVar[int] = 32

    def __init__(
        self,
        tasks: Sequence[Task],
        **options: Any,
    ) -> None:
        super().__init__(tasks, **options)
        width, feature_stride = self.options.width, self.options.feature_stride
        if feature_stride not in FEATURE_STRIDES:
            raise ValueError(
                f"`feature_stride` should be one of {FEATURE_STRIDES}; found {feature_stride}."
            )
        self.encoder = make_encoder(
            self.options.encoder, width=width, weights=self.options.encoder_weights
        )
        self._places = [self.encoder.place(stride) for stride in FEATURE_STRIDES]
        deepest, *skips = (self.encoder.channels[place] for place in self._places)
        channels = [scaled(c, width) for c in DECODER_CHANNELS]
        inputs = [below + skip for below, skip in zip([deepest, *channels], skips, strict=False)]
        self.decoder = nn.ModuleList(
            normalised_block(i, o, count=1) for i, o in zip(inputs, channels, strict=True)
        )
        head = scaled(HEAD_CHANNELS, width)
        self.heads = nn.ModuleDict({t.name: Head(channels[-1], head, t.channels) for t in tasks})
        self.feature_stride = feature_stride
        self.decoded_channels, self.decoded_stride = channels[-1], FEATURE_STRIDES[-1]
        self.feature_channels = [deepest, *channels][FEATURE_STRIDES.index(feature_stride)]

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks at the size of the image."""
        self.check_size(*image.shape[-2:])
        read = self.encoder(self.normalised(image))
        deepest, *skips = (read[place] for place in self._places)
        x = deepest
        maps = [deepest]
        for block, skip in zip(self.decoder, skips, strict=True):
            x = block(torch.cat([magnify(x, skip.shape[-2:]), skip], dim=1))
            maps.append(x)
        predictions = {
            task.name: kind_model(task).activation(
                magnify(self.heads[task.name](x), image.shape[-2:])
            )
            for task in self.tasks
        }
        return Output(predictions, maps[FEATURE_STRIDES.index(self.feature_stride)], x)

    def shared_parameters(self) -> list[nn.Parameter]:
        """The last convolution of the shared decoder."""
        return list(last_convolution(self.decoder[-1]).parameters())


class UNetResNet18Options(UNetOptions):
    """What it can be told: all but another encoder."""

    encoder: ClassVar[str] = "resnet18"  # type: ignore[misc]  # no field, so no option


class UNetResNet18(UNet):
    """`unet` with its first encoder, under its name in version 0.1."""

    summary: ClassVar[str] = "`unet` with ResNet-18, under its first name."
    options: UNetResNet18Options
