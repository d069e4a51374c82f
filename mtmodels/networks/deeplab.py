"""DeepLab on a dilated ResNet-18: the network of the PASCAL experiments."""

from collections.abc import Sequence
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.networks.base import EncoderOptions, Network, Output
from mtmodels.networks.blocks import magnify, scaled
from mtmodels.networks.encoders.resnet import ResNetEncoder

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


class DeepLabResNet18(Network):
    """All tasks share a ResNet-18 that stays at an eighth of the size; each has a DeepLab head.

    A head pools the whole map into one value a channel and normalises it over the batch, so that
    training takes two images or more at once.

    Args:
        tasks: The tasks to predict.
        options: Those of `EncoderOptions`.

    Raises:
        UsageError, DataError: where the weights do not fit or cannot be had.

    Reference: Vandenhende et al. 2021, "Multi-Task Learning for Dense Prediction Tasks: A Survey",
    and its released code, which MTPSL takes for PASCAL; head from Chen et al. 2017 (DeepLabv3).
    """

    options: EncoderOptions
    summary: ClassVar[str] = "ResNet-18 dilated to an eighth of the size, one ASPP head a task."
    reference: ClassVar[str] = "MTPSL, section 4 (PASCAL); Vandenhende et al. 2021; DeepLabv3"
    stride: ClassVar[int] = 8
    minimum_images: ClassVar[int] = 2

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        width, weights = self.options.width, self.options.encoder_weights
        self.encoder = ResNetEncoder(18, width=width, weights=weights, dilated=True)
        self.feature_channels = self.encoder.channels[-1]
        self.feature_stride = self.encoder.strides[-1]
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
        features = self.encoder(self.normalised(image))[-1]
        predictions = {
            task.name: kind_model(task).activation(
                magnify(self.heads[task.name](features), image.shape[-2:])
            )
            for task in self.tasks
        }
        return Output(predictions, features)

    def shared_parameters(self) -> list[nn.Parameter]:
        """The last convolution of the encoder."""
        return list(self.encoder.last_convolution().parameters())
