"""Regimes: which labels of a training split may be seen."""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtdata.regimes.base import Regime

REGIMES: "Registry[type[Regime]]" = Registry(
    "regime",
    base="mtdata.regimes.base:Regime",
    members={
        "full": "mtdata.regimes.full:Full",
        "one": "mtdata.regimes.one:One",
        "random": "mtdata.regimes.random:Random",
        "imbalanced": "mtdata.regimes.imbalanced:Imbalanced",
        "fraction": "mtdata.regimes.fraction:Fraction",
    },
)

__all__ = ["REGIMES"]
