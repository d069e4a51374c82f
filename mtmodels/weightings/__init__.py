"""Weightings of the tasks, by name."""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtmodels.weightings.base import Weighting

WEIGHTINGS: "Registry[type[Weighting]]" = Registry(
    "weighting",
    base="mtmodels.weightings.base:Weighting",
    members={
        "equal": "mtmodels.weightings.fixed:Equal",
        "fixed": "mtmodels.weightings.fixed:Fixed",
        "uncertainty": "mtmodels.weightings.uncertainty:Uncertainty",
        "dwa": "mtmodels.weightings.dwa:DWA",
        "rlw": "mtmodels.weightings.rlw:RLW",
        "gradnorm": "mtmodels.weightings.gradnorm:GradNorm",
        "adaptive-variance": "mtmodels.weightings.adaptive_variance:AdaptiveVariance",
        "adamt": "mtmodels.weightings.adamt:AdaMT",
        "pcgrad": "mtmodels.weightings.aggregators:PCGrad",
        "mgda": "mtmodels.weightings.aggregators:MGDA",
        "cagrad": "mtmodels.weightings.aggregators:CAGrad",
        "imtl-g": "mtmodels.weightings.aggregators:IMTLG",
        "aligned-mtl": "mtmodels.weightings.aggregators:AlignedMTL",
        "nash-mtl": "mtmodels.weightings.aggregators:NashMTL",
        "upgrad": "mtmodels.weightings.aggregators:UPGrad",
        "dualproj": "mtmodels.weightings.aggregators:DualProj",
        "graddrop": "mtmodels.weightings.aggregators:GradDrop",
        "config": "mtmodels.weightings.aggregators:ConFIG",
        "fairgrad": "mtmodels.weightings.aggregators:FairGrad",
        "gradvac": "mtmodels.weightings.aggregators:GradVac",
    },
)

__all__ = ["WEIGHTINGS"]
