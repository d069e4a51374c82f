"""A compact network: ResNet-18 encoder, one light decoder for all tasks, heads at quarter size."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.base import EncoderOptions, Network, Output
from mtmodels.networks.blocks import last_convolution, magnify, normalised_block, scaled
from mtmodels.networks.encoders.resnet import ResNetEncoder

DECODER_CHANNELS = (256, 128, 64)
HEAD_CHANNELS = 64
FEATURE_STRIDES = (32, 16, 8, 4)


class Head(nn.Sequential):
    """One 3x3 convolution of a task's own, then its prediction."""

    def __init__(self, channels_in: int, channels: int, channels_out: int) -> None:
        super().__init__(
            normalised_block(channels_in, channels, count=1), nn.Conv2d(channels, channels_out, 1)
        )


class UNetOptions(EncoderOptions):
    """What the compact network can be told."""

    feature_stride: int = 32
    """Where the feature map comes from that consistency methods regularise with: 32 for the
    encoder, as in SegNet; 16, 8 or 4 for the stage of the decoder with that share of the size of
    the image."""


class UNetResNet18(Network):
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
        "ResNet-18, shared light decoder, heads at quarter size: fast on a CPU."
    )
    reference: ClassVar[str] = "none; a U-Net (Ronneberger et al. 2015) on ResNet-18"

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
        self.encoder = ResNetEncoder(18, width=width, weights=self.options.encoder_weights)
        _, *skips, deepest = self.encoder.channels
        channels = [scaled(c, width) for c in DECODER_CHANNELS]
        inputs = [
            below + skip for below, skip in zip([deepest, *channels], reversed(skips), strict=False)
        ]
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
        _, *skips, deepest = self.encoder(self.normalised(image))
        x = deepest
        maps = [deepest]
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
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
