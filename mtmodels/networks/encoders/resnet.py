"""The ResNet encoder that several networks share, with the feature maps of all its scales."""

from pathlib import Path
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from mtmodels.late import COMPILER, imported
from mtmodels.networks.blocks import scaled
from mtmodels.networks.encoders.base import Encoder
from mtmodels.networks.encoders.weights import RESNET, load_encoder_weights

with imported("torchvision", without=COMPILER):
    from torchvision.models.resnet import BasicBlock, Bottleneck

LAYOUTS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


class ResNetEncoder(Encoder):
    """ResNet (He et al. 2016) without its classifier; its parts are named as in torchvision.

    Args:
        width: A factor on all channels.
        weights: None, "imagenet", or a file with the state of a torchvision ResNet.
        dilated: Whether the maps stay at an eighth of the size of the image: the strides of the
            last two stages become dilations, which changes no weight (Yu, Koltun and Funkhouser
            2017, "Dilated Residual Networks").

    Raises:
        UsageError, DataError: where the weights do not fit or cannot be had.
    """

    reference: ClassVar[str] = "He et al. 2016"
    depth: ClassVar[int]
    """How many layers it has, with the classifier."""

    def __init__(
        self, *, width: float = 1.0, weights: str | Path | None = None, dilated: bool = False
    ) -> None:
        super().__init__()
        block, counts = LAYOUTS[self.depth]
        planes = [scaled(c, width) for c in (64, 128, 256, 512)]
        self.conv1 = nn.Conv2d(3, planes[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(planes[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        outputs = [p * block.expansion for p in planes]
        self.layer1 = _stage(block, planes[0], planes[0], counts[0], stride=1)
        self.layer2 = _stage(block, outputs[0], planes[1], counts[1], stride=2)
        self.layer3 = _stage(block, outputs[1], planes[2], counts[2], stride=2)
        self.layer4 = _stage(block, outputs[2], planes[3], counts[3], stride=2)
        self.channels = (planes[0], *outputs)
        self.strides = (2, 4, 8, 8, 8) if dilated else (2, 4, 8, 16, 32)
        if dilated:
            _dilate(self.layer3, 2)
            _dilate(self.layer4, 4)
        _initialise(self)
        if weights is not None:
            load_encoder_weights(self, weights, RESNET[self.depth])

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, ...]:
        """The five maps; at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size of the image, or `strides`."""
        first = self.relu(self.bn1(self.conv1(image)))
        second = self.layer1(self.maxpool(first))
        third = self.layer2(second)
        fourth = self.layer3(third)
        return first, second, third, fourth, self.layer4(fourth)


class ResNet18(ResNetEncoder):
    """With 18 layers."""

    summary: ClassVar[str] = "ResNet-18, as in torchvision."
    depth: ClassVar[int] = 18


class ResNet34(ResNetEncoder):
    """With 34 layers."""

    summary: ClassVar[str] = "ResNet-34, as in torchvision."
    depth: ClassVar[int] = 34


class ResNet50(ResNetEncoder):
    """With 50 layers, three in a block."""

    summary: ClassVar[str] = "ResNet-50, as in torchvision."
    depth: ClassVar[int] = 50


def _stage(
    block: type[BasicBlock] | type[Bottleneck],
    channels_in: int,
    planes: int,
    count: int,
    *,
    stride: int,
) -> nn.Sequential:
    """`count` residual blocks, the first of which changes the size and the channels."""
    channels_out = planes * block.expansion
    shortcut = None
    if stride != 1 or channels_in != channels_out:
        shortcut = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 1, stride=stride, bias=False),
            nn.BatchNorm2d(channels_out),
        )
    first = block(channels_in, planes, stride, shortcut)
    return nn.Sequential(first, *(block(channels_out, planes) for _ in range(count - 1)))


def _dilate(stage: nn.Sequential, dilation: int) -> None:
    """Take the stride out of a stage, and dilate what comes behind it by that much more.

    The convolution that had the stride reads the finer map as the stage before wrote it.
    """
    for layer in stage.modules():
        if isinstance(layer, nn.Conv2d):
            reach = dilation // 2 if max(layer.stride) > 1 else dilation
            layer.stride = (1, 1)
            if layer.kernel_size == (3, 3):
                layer.dilation = layer.padding = (reach, reach)


def _initialise(encoder: nn.Module) -> None:
    """Kaiming-normal by the number of outputs, as torchvision starts its ResNets."""
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
