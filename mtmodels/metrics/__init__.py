"""Metrics by protocol and kind of label: `METRICS[protocol][kind](task)`.

Scores under different protocols are different quantities: they never share a table.
"""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtmodels.metrics.protocols import Protocol

METRICS: "Registry[Protocol]" = Registry(
    "protocol",
    base="mtmodels.metrics.protocols:Protocol",
    members={
        "mtpsl": "mtmodels.metrics.protocols:MTPSL",
        "xtasc": "mtmodels.metrics.protocols:XTASC",
        "pascal": "mtmodels.metrics.protocols:PASCAL",
        "cityscapes": "mtmodels.metrics.protocols:CITYSCAPES",
        "common": "mtmodels.metrics.protocols:COMMON",
    },
)

__all__ = ["METRICS"]
