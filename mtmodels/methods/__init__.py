"""Methods, by name."""

from mtmodels.method import Method
from mtmodels.methods.align import Align
from mtmodels.methods.consistency import CrossTaskConsistency
from mtmodels.methods.supervised import Supervised

METHODS: dict[str, type[Method]] = {
    "align": Align,
    "sl": Supervised,
    "xtc": CrossTaskConsistency,
}

__all__ = ["METHODS", "Align", "CrossTaskConsistency", "Supervised"]
