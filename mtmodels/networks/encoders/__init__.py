"""Encoders by name, and the weights that they may start from."""

from typing import TYPE_CHECKING, Any

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtmodels.networks.encoders.base import Encoder

ENCODERS: "Registry[type[Encoder]]" = Registry(
    "encoder",
    base="mtmodels.networks.encoders.base:Encoder",
    members={
        "resnet18": "mtmodels.networks.encoders.resnet:ResNet18",
        "resnet34": "mtmodels.networks.encoders.resnet:ResNet34",
        "resnet50": "mtmodels.networks.encoders.resnet:ResNet50",
    },
)


def make_encoder(name: str, **arguments: Any) -> "Encoder":
    """Make the encoder of a name.

    Args:
        name: A member of `ENCODERS`.
        arguments: Those of `Encoder`.

    Raises:
        UnknownNameError: where there is no such encoder, naming the nearest.
        UsageError, DataError: where it cannot be what was asked for, or have those weights.
    """
    return ENCODERS[name](**arguments)


__all__ = ["ENCODERS", "make_encoder"]
