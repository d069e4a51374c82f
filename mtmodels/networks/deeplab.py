"""DeepLab on an encoder, dilated or with all its scales, for the PASCAL experiments."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.late import COMPILER, imported
from mtmodels.networks.base import EncoderOptions, Network, Output
from mtmodels.networks.blocks import Predicting, convolution, magnify, scaled
from mtmodels.networks.encoders import make_encoder

with imported("torchvision", without=COMPILER):
    from torchvision.models.segmentation.deeplabv3 import ASPP

RATES = (12, 24, 36)
HEAD_CHANNELS = 256
JOINED_CHANNELS = 512
"""What the maps of all scales become, in the network of DiffusionMTL."""


class DeepLabHead(nn.Sequential):
    """Spatial pyramid pooling by dilated convolutions, one 3x3 convolution, the prediction."""

    def __init__(self, channels_in: int, channels: int, channels_out: int) -> None:
        super().__init__(
            ASPP(channels_in, list(RATES), channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            Predicting(channels, channels_out, 1),
        )


class DeepLabOptions(EncoderOptions):
    """What DeepLab can be told."""

    encoder: str = "resnet18"
    """Which encoder, one that can be dilated; `mtmodels list encoders` shows them. `width` is a
    factor on its channels as well, where it has a width."""


class DeepLab(Network):
    """All tasks share an encoder that stays at an eighth of the size; each has a DeepLab head.

    A head pools the whole map into one value a channel and normalises it over the batch, so that
    training takes two images or more at once.

    Args:
        tasks: The tasks to predict.
        options: Those of `DeepLabOptions`.

    Raises:
        UsageError, DataError: where the weights do not fit or cannot be had.

    Reference: Vandenhende et al. 2021, "Multi-Task Learning for Dense Prediction Tasks: A Survey",
    and its released code, which MTPSL takes for PASCAL; head from Chen et al. 2017 (DeepLabv3).
    """

    options: DeepLabOptions
    summary: ClassVar[str] = "An encoder dilated to an eighth of the size, one ASPP head a task."
    reference: ClassVar[str] = "MTPSL, section 4 (PASCAL); Vandenhende et al. 2021; DeepLabv3"
    stride: ClassVar[int] = 8
    minimum_images: ClassVar[int] = 2
    scales: ClassVar[tuple[int, ...]] = (8,)
    """The strides of the maps of the encoder that the heads read; it is dilated to end at 8."""

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        width, weights = self.options.width, self.options.encoder_weights
        self.encoder = make_encoder(
            self.options.encoder, width=width, weights=weights, dilated=self.scales[-1] == 8
        )
        self._places = [self.encoder.place(stride) for stride in self.scales]
        self.feature_channels = sum(self.encoder.channels[place] for place in self._places)
        self.feature_stride = 8
        self.join: nn.Module = nn.Identity()
        if len(self.scales) > 1:
            joined = scaled(JOINED_CHANNELS, width)
            self.join = convolution(self.feature_channels, joined, bias=True)
            self.feature_channels = joined
        channels = scaled(HEAD_CHANNELS, width)
        self.heads = nn.ModuleDict(
            {t.name: DeepLabHead(self.feature_channels, channels, t.channels) for t in tasks}
        )

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Output:
        """Predict all tasks at an eighth of the size of the image, and magnify.

        Raises:
            ValueError: where it trains on one image.
        """
        self.check_size(*image.shape[-2:])
        if self.training:
            self.check_images(len(image))
        maps = self.encoder(self.normalised(image))
        size = torch.Size(side // self.feature_stride for side in image.shape[-2:])
        read = [maps[place] for place in self._places]
        features = self.join(
            torch.cat([x if x.shape[-2:] == size else magnify(x, size) for x in read], dim=1)
        )
        predictions = {
            task.name: kind_model(task).activation(
                magnify(self.heads[task.name](features), image.shape[-2:])
            )
            for task in self.tasks
        }
        return Output(predictions, features)

    def shared_parameters(self) -> list[nn.Parameter]:
        """The last layer of the encoder, or what joins its maps."""
        return list(self.join.parameters()) or list(self.encoder.last_layer().parameters())


class DeepLabMultiScale(DeepLab):
    """`deeplab` that reads the maps of all stages of an encoder which is not dilated.

    Those at a quarter to a 32nd of the size are brought to an eighth, joined, and a 3x3 convolution
    makes 512 channels of them: what the results of DiffusionMTL and of what came after it on
    PASCAL stand on, MTPSL among them as those authors trained it again. Its heads are those of
    `deeplab`, so that it is no network of theirs but for the encoder.

    Reference: Ye and Xu 2024, "DiffusionMTL", its encoder; heads as in `deeplab`.
    """

    summary: ClassVar[str] = "The maps of all stages of an encoder, joined, one ASPP head a task."
    reference: ClassVar[str] = "DiffusionMTL (its encoder); DeepLabv3"
    stride: ClassVar[int] = 32
    scales: ClassVar[tuple[int, ...]] = (4, 8, 16, 32)
    norm_stride: ClassVar[int] = 32


class DeepLabResNet18Options(DeepLabOptions):
    """What it can be told: all but another encoder."""

    encoder: ClassVar[str] = "resnet18"  # type: ignore[misc]  # no field, so no option


class DeepLabResNet18(DeepLab):
    """`deeplab` with its first encoder, under its name in version 0.1."""

    summary: ClassVar[str] = "`deeplab` with ResNet-18, under its first name."
    options: DeepLabResNet18Options
