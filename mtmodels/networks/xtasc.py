"""XTasC-Net without its transfer networks: a ResNet encoder and one decoder a task."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.base import EncoderOptions, Network, Output
from mtmodels.networks.blocks import Predicting, convolution, normalised_block, scaled, upsample
from mtmodels.networks.encoders import make_encoder


class Decoder(nn.Module):
    """Five blocks of three convolutions and a magnification, then the head of one task.

    Args:
        skips: Channels of the maps of the encoder, the finest first.
        channels_out: Channels of the prediction.
        channels: Channels of every block.
    """

    def __init__(self, skips: Sequence[int], channels_out: int, *, channels: int) -> None:
        super().__init__()
        finest_last = list(reversed(skips))
        inputs = [finest_last[0], *(channels + skip for skip in finest_last[1:])]
        self.blocks = nn.ModuleList(normalised_block(c, channels, count=3) for c in inputs)
        self.head = convolution(channels, channels_out, size=1, bias=False, layer=Predicting)

    def forward(self, maps: tuple[Tensor, ...]) -> Float[Tensor, "b c h w"]:
        """The last layer's raw output at the size of the image."""
        x = upsample(self.blocks[0](maps[-1]))
        for block, skip in zip(self.blocks[1:], reversed(maps[:-1]), strict=True):
            x = upsample(block(torch.cat([x, skip], dim=1)))
        raw: Tensor = self.head(x)
        return raw


class XTasCNet(Network):
    """The direct part of XTasC-Net; the method `xtc` adds the transfer networks.

    Args:
        tasks: The tasks to predict.
        options: Those of `EncoderOptions`.

    Raises:
        UsageError, DataError: where the weights do not fit or cannot be had.

    Reference: Nakano, Chen and Demachi, "Cross-Task Consistency Learning Framework for Multi-Task
    Learning", section IV-A.
    """

    options: EncoderOptions
    reference: ClassVar[str] = "XTasC-Net, section IV-A"
    depth: ClassVar[int]
    norm_stride: ClassVar[int] = 32

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        width, weights = self.options.width, self.options.encoder_weights
        self.encoder = make_encoder(f"resnet{self.depth}", width=width, weights=weights)
        # The published decoder takes 512 channels from ResNet-18 and 34, 2048 from ResNet-50.
        self.decoders = nn.ModuleDict(
            {
                task.name: Decoder(
                    self.encoder.channels, task.channels, channels=scaled(128, width)
                )
                for task in tasks
            }
        )
        self.feature_channels = self.encoder.channels[-1]
        self.feature_stride = 32

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks at the size of the image."""
        self.check_size(*image.shape[-2:])
        maps = self.encoder(self.normalised(image))
        predictions = {
            task.name: kind_model(task).activation(self.decoders[task.name](maps))
            for task in self.tasks
        }
        return Output(predictions, maps[-1])

    def shared_parameters(self) -> list[nn.Parameter]:
        """The weight of the last convolution of the encoder, as GradNorm uses it in the paper."""
        return list(self.encoder.last_layer().parameters())


class XTasCResNet18(XTasCNet):
    """With ResNet-18."""

    summary: ClassVar[str] = "XTasC-Net with ResNet-18: one U-Net decoder a task, full size."
    depth: ClassVar[int] = 18


class XTasCResNet34(XTasCNet):
    """With ResNet-34, the paper's choice."""

    summary: ClassVar[str] = "XTasC-Net with ResNet-34, the paper's choice."
    depth: ClassVar[int] = 34


class XTasCResNet50(XTasCNet):
    """With ResNet-50."""

    summary: ClassVar[str] = "XTasC-Net with ResNet-50."
    depth: ClassVar[int] = 50
