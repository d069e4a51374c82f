"""Encoders by name, and the weights that they may start from."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtdata.errors import UsageError
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

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""What the images had that torchvision's encoders were trained on."""


def make_encoder(name: str, **arguments: Any) -> "Encoder":
    """Make the encoder of a name.

    Args:
        name: A member of `ENCODERS`, or a model of timm.
        arguments: Those of `Encoder`.

    Raises:
        UnknownNameError: where there is no such encoder, naming the nearest.
        UsageError, DataError: where it cannot be what was asked for, or have those weights.
    """
    if name in ENCODERS:
        made = ENCODERS[name](**arguments)
        for attribute in ("channels", "strides"):
            found = getattr(made, attribute, None)
            if not found or len(found) != len(getattr(made, "channels", ())):
                raise UsageError(
                    f"the encoder `{name}` should say the `channels` and the `strides` of each of "
                    f"its maps; found {found!r} as `{attribute}`. Set both in the class, or in its "
                    "constructor."
                )
        return made
    from mtmodels.networks.encoders.timm_encoder import TimmEncoder

    return TimmEncoder(name, **arguments)


def normalisation(name: str | None, weights: str | Path) -> dict[str, Any]:
    """The `mean` and `std` of the images that pre-trained weights come from.

    Args:
        name: The encoder; None for a network that has one of its own.
        weights: As `Encoder` takes them.

    Raises:
        UnknownNameError: where there is no such encoder.
    """
    if name is None or name in ENCODERS:
        return dict(IMAGENET)
    from mtmodels.networks.encoders.timm_encoder import normalisation_of

    return normalisation_of(name, weights)


__all__ = ["ENCODERS", "make_encoder", "normalisation"]
