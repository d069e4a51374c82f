"""SegNet split at the last layer: the network of MTPSL on NYUv2 and Cityscapes."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.base import EncoderOptions, Network, Output
from mtmodels.networks.blocks import (
    Predicting,
    convolution,
    last_convolution,
    normalised_block,
    scaled,
)
from mtmodels.networks.encoders.segnet_encoder import STAGES, SegNetEncoder

WIDE = 1024
"""Channels of the last stage of the wide variant."""


class SegNetDecoder(nn.Module):
    """The encoder mirrored: values go back to where the maxima were, then convolutions.

    Args:
        stages: Those of the encoder.
    """

    def __init__(self, stages: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        outputs = (stages[0][1], *(channels for _, channels in stages[:-1]))
        self.stages = nn.ModuleList(
            normalised_block(channels, after, count=count)
            for (count, channels), after in zip(reversed(stages), reversed(outputs), strict=True)
        )

    def forward(
        self, x: Float[Tensor, "b c h w"], places: Sequence[Tensor]
    ) -> Float[Tensor, "b d h2 w2"]:
        """The map at the size of the image."""
        for stage, place in zip(self.stages, reversed(places), strict=True):
            x = stage(F.max_unpool2d(x, place, [2, 2]))
        return x


class SegNetOptions(EncoderOptions):
    """What SegNet can be told."""

    wide: bool = False
    """Whether the last stage has 1024 channels in place of 512."""
    deep: bool = False
    """Whether every stage has twice its convolutions."""


class SegNet(Network):
    """All tasks share encoder and decoder; each has two last convolutions of its own.

    Args:
        tasks: The tasks to predict.
        channels_in: Channels of what it reads: 3 for images, those of a task for a network that
            maps one task to another.
        options: Those of `SegNetOptions`.

    Raises:
        ValueError: where `channels_in` is not positive, or not 3 with a `mean` or `std`.
        UsageError, DataError: where the weights do not fit or cannot be had.

    Reference: Badrinarayanan, Kendall and Cipolla 2017; the "split" variant of Liu, Johns and
    Davison 2019 (MTAN), which MTPSL takes.
    Differs from the released code: classes are logits (the loss takes their log-softmax), normals
    too short to have a direction stay finite, and log-variances belong to a weighting.
    """

    summary: ClassVar[str] = "SegNet split at the last layer, as in MTAN and MTPSL."
    reference: ClassVar[str] = "MTPSL, section 4 and its released code; MTAN"
    options: SegNetOptions
    layers: ClassVar[str] = "vgg"
    norm_stride: ClassVar[int] = 16

    def __init__(
        self,
        tasks: Sequence[Task],
        channels_in: int = 3,
        **options: Any,
    ) -> None:
        super().__init__(tasks, **options)
        self.channels_in = channels_in
        self._check_channels()
        chosen = self.options
        stages = scaled_stages(chosen.width, wide=chosen.wide, deep=chosen.deep)
        self.encoder = SegNetEncoder(channels_in, stages, weights=chosen.encoder_weights)
        self.decoder = SegNetDecoder(stages)
        channels = stages[0][1]
        self.heads = nn.ModuleDict({t.name: head(channels, t.channels) for t in tasks})
        self.feature_channels = stages[-1][1]
        self.feature_stride = 32
        self.decoded_channels = channels

    def _check_channels(self) -> None:
        if self.channels_in < 1:
            raise ValueError(f"`channels_in` should be 1 or more; found {self.channels_in}.")
        mean, std = self.options.mean, self.options.std
        if self.channels_in != 3 and (any(mean) or set(std) != {1}):
            raise ValueError(
                "`mean` and `std` should be left out where `channels_in` is not 3; "
                f"found {list(mean)} and {list(std)} with {self.channels_in} channels."
            )

    def forward(self, image: Float[Tensor, "b c h w"]) -> Output:
        """Predict all tasks at the size of the image."""
        if image.shape[1] != self.channels_in:
            raise ValueError(
                f"`image` should have {self.channels_in} channels, as `channels_in` says; "
                f"found {image.shape[1]}."
            )
        self.check_size(*image.shape[-2:])
        x = self.normalised(image) if self.channels_in == 3 else image
        features, places = self.encoder(x)
        x = self.decoder(features, places)
        predictions = {
            task.name: kind_model(task).activation(self.heads[task.name](x)) for task in self.tasks
        }
        return Output(predictions, features, x)

    def shared_parameters(self) -> list[nn.Parameter]:
        """The last convolution of the decoder."""
        return list(last_convolution(self.decoder).parameters())


def scaled_stages(width: float, *, wide: bool, deep: bool) -> tuple[tuple[int, int], ...]:
    """Convolutions and their channels in each stage of a variant."""
    last = (STAGES[-1][0], WIDE if wide else STAGES[-1][1])
    return tuple(
        (2 * count if deep else count, scaled(channels, width))
        for count, channels in (*STAGES[:-1], last)
    )


def head(channels: int, channels_out: int) -> nn.Sequential:
    """A task's own layers; as released, nothing stands between the two convolutions."""
    return nn.Sequential(
        convolution(channels, channels, bias=True),
        convolution(channels, channels_out, size=1, bias=True, layer=Predicting),
    )
