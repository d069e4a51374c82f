"""What happens in a step and in an epoch."""

from typing import TYPE_CHECKING

from mtdata.registry import Registry

if TYPE_CHECKING:
    from mtmodels.training.loop.optimisers import Optimiser
    from mtmodels.training.loop.schedules import Schedule

SCHEDULES: "Registry[type[Schedule]]" = Registry(
    "schedule",
    base="mtmodels.training.loop.schedules:Schedule",
    members={
        "constant": "mtmodels.training.loop.schedules:Constant",
        "step": "mtmodels.training.loop.schedules:Step",
        "poly": "mtmodels.training.loop.schedules:Poly",
        "cosine": "mtmodels.training.loop.schedules:Cosine",
        "onecycle": "mtmodels.training.loop.schedules:OneCycle",
    },
)

OPTIMISERS: "Registry[type[Optimiser]]" = Registry(
    "optimiser",
    base="mtmodels.training.loop.optimisers:Optimiser",
    members={
        "adam": "mtmodels.training.loop.optimisers:Adam",
        "adamw": "mtmodels.training.loop.optimisers:AdamW",
        "sgd": "mtmodels.training.loop.optimisers:SGD",
    },
)

__all__ = ["OPTIMISERS", "SCHEDULES"]
