"""Networks, by name."""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtmodels.networks.base import Network

NETWORKS: "Registry[type[Network]]" = Registry(
    "network",
    base="mtmodels.networks.base:Network",
    members={
        "unet": "mtmodels.networks.unet:UNet",
        "unet-resnet18": "mtmodels.networks.unet:UNetResNet18",
        "xtasc-resnet18": "mtmodels.networks.xtasc:XTasCResNet18",
        "xtasc-resnet34": "mtmodels.networks.xtasc:XTasCResNet34",
        "xtasc-resnet50": "mtmodels.networks.xtasc:XTasCResNet50",
        "segnet": "mtmodels.networks.segnet:SegNet",
        "segnet-mtan": "mtmodels.networks.segnet_mtan:SegNetMTAN",
        "segnet-stan": "mtmodels.networks.segnet_mtan:SegNetSTAN",
        "segnet-cross-stitch": "mtmodels.networks.segnet_cross_stitch:SegNetCrossStitch",
        "segnet-dense": "mtmodels.networks.segnet_dense:SegNetDense",
        "mt-unet": "mtmodels.networks.mt_unet:MTUNet",
        "st-unet": "mtmodels.networks.mt_unet:STUNet",
        "adamt-net": "mtmodels.networks.adamt_net:AdaMTNet",
        "resnet18-mtan": "mtmodels.networks.resnet_mtan:ResNet18MTAN",
        "deeplab": "mtmodels.networks.deeplab:DeepLab",
        "deeplab-multi-scale": "mtmodels.networks.deeplab:DeepLabMultiScale",
        "deeplab-resnet18": "mtmodels.networks.deeplab:DeepLabResNet18",
    },
)

__all__ = ["NETWORKS"]
