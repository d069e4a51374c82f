"""Networks, by name."""

from mtmodels.network import Network
from mtmodels.networks.transfer import TransferNetwork
from mtmodels.networks.unet import UNetResNet18
from mtmodels.networks.xtasc import XTasCResNet18, XTasCResNet34, XTasCResNet50

NETWORKS: dict[str, type[Network]] = {
    "unet-resnet18": UNetResNet18,
    "xtasc-resnet18": XTasCResNet18,
    "xtasc-resnet34": XTasCResNet34,
    "xtasc-resnet50": XTasCResNet50,
}

__all__ = [
    "NETWORKS",
    "TransferNetwork",
    "UNetResNet18",
    "XTasCResNet18",
    "XTasCResNet34",
    "XTasCResNet50",
]
