"""Methods, by name."""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtmodels.methods.base import Method

METHODS: "Registry[type[Method]]" = Registry(
    "method",
    base="mtmodels.methods.base:Method",
    members={
        "sl": "mtmodels.methods.sl:SL",
        "ssl": "mtmodels.methods.ssl:SSL",
        "teacher": "mtmodels.methods.teacher:Teacher",
        "self-training": "mtmodels.methods.self_training:SelfTraining",
        "geometry": "mtmodels.methods.geometry:Geometry",
        "xtc": "mtmodels.methods.xtc:XTC",
        "align": "mtmodels.methods.align:Align",
        "mtpsl": "mtmodels.methods.mtpsl:MTPSL",
        "direct-map": "mtmodels.methods.direct_map:DirectMap",
        "perceptual-map": "mtmodels.methods.perceptual_map:PerceptualMap",
        "contrastive": "mtmodels.methods.contrastive:Contrastive",
        "discriminator": "mtmodels.methods.discriminator:Discriminator",
        "x-task": "mtmodels.methods.x_task:XTask",
        "kd": "mtmodels.methods.kd:KD",
        "jtr": "mtmodels.methods.jtr:JTR",
    },
)

__all__ = ["METHODS"]
