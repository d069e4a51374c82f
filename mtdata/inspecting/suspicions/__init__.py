"""What looks wrong in images and labels: a family of checks, each by itself, without any model."""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtdata.inspecting.suspicions.base import Check

CHECKS: "Registry[type[Check]]" = Registry(
    "check",
    base="mtdata.inspecting.suspicions.base:Check",
    members={
        "shift": "mtdata.inspecting.suspicions.shift:Shift",
        "swap": "mtdata.inspecting.suspicions.swap:Swap",
        "unit": "mtdata.inspecting.suspicions.unit:Unit",
        "axes": "mtdata.inspecting.suspicions.axes:Axes",
        "duplicate": "mtdata.inspecting.suspicions.duplicate:Duplicate",
        "exposure": "mtdata.inspecting.suspicions.exposure:Exposure",
        "constant": "mtdata.inspecting.suspicions.constant:Constant",
    },
)

__all__ = ["CHECKS"]
