"""DeepLab on a dilated encoder; with ResNet-18 the network of the PASCAL experiments."""

from collections.abc import Sequence
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.base import EncoderOptions, Network, Output
from mtmodels.networks.blocks import magnify, scaled
from mtmodels.networks.encoders import make_encoder

RATES = (12, 24, 36)
HEAD_CHANNELS = 256


class DeepLabHead(nn.Sequential):
    """Spatial pyramid pooling by dilated convolutions, one 3x3 convolution, the prediction."""

    def __init__(self, channels_in: int, channels: int, channels_out: int) -> None:
        super().__init__(
            ASPP(channels_in, list(RATES), channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels_out, 1),
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

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        width, weights = self.options.width, self.options.encoder_weights
        self.encoder = make_encoder(
            self.options.encoder, width=width, weights=weights, dilated=True
        )
        self._place = self.encoder.place(self.stride)
        self.feature_channels = self.encoder.channels[self._place]
        self.feature_stride = self.stride
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
        features = self.encoder(self.normalised(image))[self._place]
        predictions = {
            task.name: kind_model(task).activation(
                magnify(self.heads[task.name](features), image.shape[-2:])
            )
            for task in self.tasks
        }
        return Output(predictions, features)

    def shared_parameters(self) -> list[nn.Parameter]:
        """The last layer of the encoder."""
        return list(self.encoder.last_layer().parameters())


class DeepLabResNet18Options(DeepLabOptions):
    """What it can be told: all but another encoder."""

    encoder: ClassVar[str] = "resnet18"  # type: ignore[misc]  # no field, so no option


class DeepLabResNet18(DeepLab):
    """`deeplab` with its first encoder, under its name in version 0.1."""

    summary: ClassVar[str] = "`deeplab` with ResNet-18, under its first name."
    options: DeepLabResNet18Options
