"""MTAN on a dilated ResNet-18, as the survey of Vandenhende et al. has it."""

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.attention import Mask, Stage
from mtmodels.networks.base import Attention, EncoderOptions, Network, Output
from mtmodels.networks.blocks import convolution, magnify, scaled
from mtmodels.networks.deeplab import HEAD_CHANNELS, DeepLabHead
from mtmodels.networks.encoders.resnet import ResNet18


class Refinement(nn.Module):
    """The residual block of ResNet-50, with a quarter of the channels within.

    torchvision's takes no number of channels that 4 does not divide, which widths make.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        within = max(1, channels_out // 4)
        self.inner = nn.Sequential(
            *_normalised(channels_in, within, size=1),
            nn.ReLU(inplace=True),
            *_normalised(within, within, size=3),
            nn.ReLU(inplace=True),
            *_normalised(within, channels_out, size=1),
        )
        self.around = nn.Sequential(*_normalised(channels_in, channels_out, size=1))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """The block."""
        refined: Tensor = self.inner(x) + self.around(x)
        return refined.relu()


class ResNet18MTAN(Network):
    """A shared ResNet-18 at an eighth of the size, paths of attention, a DeepLab head a task.

    In each of the four layers a mask is made from what its last residual block reads and what the
    path took in the layer before, and multiplied with what that block gives. A residual block that
    all paths share leads to the next layer.

    Args:
        tasks: The tasks to predict.
        options: Those of `EncoderOptions`.

    Raises:
        UsageError, DataError: where the weights do not fit or cannot be had.

    Reference: Vandenhende et al. 2021, "Multi-Task Learning for Dense Prediction Tasks: A Survey",
    and its released code; Liu, Johns and Davison 2019.
    """

    options: EncoderOptions
    summary: ClassVar[str] = "MTAN on ResNet-18 dilated to an eighth of the size, DeepLab heads."
    reference: ClassVar[str] = "MTAN; Vandenhende et al. 2021 and its released code"
    stride: ClassVar[int] = 8
    minimum_images: ClassVar[int] = 2

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        width, weights = self.options.width, self.options.encoder_weights
        self.encoder = ResNet18(width=width, weights=weights, dilated=True)
        _, *channels = self.encoder.channels
        ways = itertools.pairwise(channels)
        self.ways = nn.ModuleList(Refinement(i, o) for i, o in ways)
        self.masks = nn.ModuleDict({task.name: _masks(channels) for task in tasks})
        self.feature_channels = channels[-1]
        self.feature_stride = self.encoder.strides[-1]
        head = scaled(HEAD_CHANNELS, width)
        self.heads = nn.ModuleDict(
            {t.name: DeepLabHead(channels[-1], head, t.channels) for t in tasks}
        )

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks at an eighth of the size of the image, and magnify.

        Raises:
            ValueError: where it trains on one image.
        """
        stages = self._shared(image)
        predictions = {
            task.name: kind_model(task).activation(
                magnify(self.heads[task.name](self._attend(task.name, stages)[0]), image.shape[-2:])
            )
            for task in self.tasks
        }
        return Output(predictions, stages[-1].offered)

    @torch.no_grad()
    def attention(self, image: Float[Tensor, "b 3 h w"]) -> Attention:
        """The masks of each task in the four layers, at strides of 4 and three times 8."""
        stages = self._shared(image)
        return {
            task.name: {
                f"layer {i + 1}": mask for i, mask in enumerate(self._attend(task.name, stages)[1])
            }
            for task in self.tasks
        }

    def shared_parameters(self) -> list[nn.Parameter]:
        """The last convolution of the encoder."""
        return list(self.encoder.last_layer().parameters())

    def _shared(self, image: Tensor) -> list[Stage]:
        """What the last residual block of each layer reads and gives."""
        self.check_size(*image.shape[-2:])
        if self.training:
            self.check_images(len(image))
        encoder = self.encoder
        x = encoder.maxpool(encoder.relu(encoder.bn1(encoder.conv1(self.normalised(image)))))
        stages = []
        for layer in (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4):
            seen = layer[:-1](x)
            x = layer[-1](seen)
            stages.append(Stage(seen, x))
        return stages

    def _attend(self, task: str, stages: Sequence[Stage]) -> tuple[Tensor, list[Tensor]]:
        """What a task takes at last, and its masks."""
        taken: list[Tensor] = []
        masks = []
        for i, (stage, mask) in enumerate(zip(stages, self.masks[task].children(), strict=True)):
            if i:
                way = self.ways[i - 1](taken[0])
                shrunk = way.shape[-1] // stage.seen.shape[-1]
                taken = [F.max_pool2d(way, shrunk) if shrunk > 1 else way]
            masks.append(mask(torch.cat([stage.seen, *taken], dim=1)))
            taken = [masks[-1] * stage.offered]
        return taken[0], masks


def _normalised(channels_in: int, channels_out: int, *, size: int) -> tuple[nn.Module, nn.Module]:
    """A convolution and its batch norm."""
    conv = convolution(channels_in, channels_out, size=size, bias=False)
    return conv, nn.BatchNorm2d(channels_out)


def _masks(channels: Sequence[int]) -> nn.ModuleList:
    """The masks of one task: behind the first layer they see what was taken before, too."""
    return nn.ModuleList(
        Mask(c if i == 0 else 2 * c, c, between=max(1, c // 4)) for i, c in enumerate(channels)
    )
