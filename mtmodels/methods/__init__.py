"""Methods, by name."""

from mtmodels.method import Method
from mtmodels.methods.align import Align
from mtmodels.methods.consistency import CrossTaskConsistency
from mtmodels.methods.contrastive import ContrastivePairs
from mtmodels.methods.discriminator import DiscriminatedPairs
from mtmodels.methods.mtpsl import JointTaskSpaces
from mtmodels.methods.ssl import CropConsistency
from mtmodels.methods.supervised import Supervised

METHODS: dict[str, type[Method]] = {
    "align": Align,
    "contrastive": ContrastivePairs,
    "discriminator": DiscriminatedPairs,
    "mtpsl": JointTaskSpaces,
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
    "DiscriminatedPairs",
    "JointTaskSpaces",
    "Supervised",
]
