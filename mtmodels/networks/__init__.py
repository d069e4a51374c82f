"""Networks, by name."""

from mtmodels.networks.auxiliary.transfer_network import TransferNetwork
from mtmodels.networks.base import Network
from mtmodels.networks.deeplab import DeepLabResNet18
from mtmodels.networks.segnet import SegNet
from mtmodels.networks.unet import UNetResNet18
from mtmodels.networks.xtasc import XTasCResNet18, XTasCResNet34, XTasCResNet50

NETWORKS: dict[str, type[Network]] = {
    "unet-resnet18": UNetResNet18,
    "xtasc-resnet18": XTasCResNet18,
    "xtasc-resnet34": XTasCResNet34,
    "xtasc-resnet50": XTasCResNet50,
    "segnet": SegNet,
    "deeplab-resnet18": DeepLabResNet18,
}

__all__ = [
    "NETWORKS",
    "DeepLabResNet18",
    "SegNet",
    "TransferNetwork",
    "UNetResNet18",
    "XTasCResNet18",
    "XTasCResNet34",
    "XTasCResNet50",
]
