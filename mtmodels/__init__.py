"""Networks, losses, methods, weightings, metrics and training on partly labelled images."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtmodels.method import Method
    from mtmodels.methods import METHODS
    from mtmodels.metric import Metric
    from mtmodels.metrics import METRICS
    from mtmodels.network import Network, Output
    from mtmodels.networks import NETWORKS
    from mtmodels.terms import Terms
    from mtmodels.views import Views
    from mtmodels.weighting import Weighting
    from mtmodels.weightings import WEIGHTINGS

# Every command imports this package, and torch alone costs seconds: all of it waits until used.
_HOME = {
    "METHODS": "mtmodels.methods",
    "METRICS": "mtmodels.metrics",
    "NETWORKS": "mtmodels.networks",
    "WEIGHTINGS": "mtmodels.weightings",
    "Method": "mtmodels.method",
    "Metric": "mtmodels.metric",
    "Network": "mtmodels.network",
    "Output": "mtmodels.network",
    "Terms": "mtmodels.terms",
    "Views": "mtmodels.views",
    "Weighting": "mtmodels.weighting",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


__all__ = [
    "METHODS",
    "METRICS",
    "NETWORKS",
    "WEIGHTINGS",
    "Method",
    "Metric",
    "Network",
    "Output",
    "Terms",
    "Views",
    "Weighting",
]
