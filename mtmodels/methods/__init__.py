"""Methods, by name."""

from mtmodels.method import Method
from mtmodels.methods.align import Align
from mtmodels.methods.consistency import CrossTaskConsistency
from mtmodels.methods.mtpsl import JointTaskSpaces
from mtmodels.methods.ssl import CropConsistency
from mtmodels.methods.supervised import Supervised

METHODS: dict[str, type[Method]] = {
    "align": Align,
    "mtpsl": JointTaskSpaces,
    "sl": Supervised,
    "ssl": CropConsistency,
    "xtc": CrossTaskConsistency,
}

__all__ = [
    "METHODS",
    "Align",
    "CropConsistency",
    "CrossTaskConsistency",
    "JointTaskSpaces",
    "Supervised",
]
