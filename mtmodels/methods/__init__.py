"""Methods, by name."""

from mtmodels.methods.align import Align
from mtmodels.methods.base import Method
from mtmodels.methods.contrastive import ContrastivePairs
from mtmodels.methods.direct_map import DirectMap
from mtmodels.methods.discriminator import DiscriminatedPairs
from mtmodels.methods.mtpsl import JointTaskSpaces
from mtmodels.methods.perceptual_map import PerceptualMap
from mtmodels.methods.sl import Supervised
from mtmodels.methods.ssl import CropConsistency
from mtmodels.methods.xtc import CrossTaskConsistency

METHODS: dict[str, type[Method]] = {
    "align": Align,
    "contrastive": ContrastivePairs,
    "direct-map": DirectMap,
    "discriminator": DiscriminatedPairs,
    "mtpsl": JointTaskSpaces,
    "perceptual-map": PerceptualMap,
    "sl": Supervised,
    "ssl": CropConsistency,
    "xtc": CrossTaskConsistency,
}

__all__ = [
    "METHODS",
    "Align",
    "ContrastivePairs",
    "CropConsistency",
    "CrossTaskConsistency",
    "DirectMap",
    "DiscriminatedPairs",
    "JointTaskSpaces",
    "PerceptualMap",
    "Supervised",
]
