"""Networks, losses, methods, weightings, metrics and training on partly labelled images."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtdata.plugins import load_plugin
    from mtmodels.methods import METHODS
    from mtmodels.methods.base import Method
    from mtmodels.methods.terms import Terms
    from mtmodels.methods.views import Views
    from mtmodels.metrics import METRICS
    from mtmodels.metrics.base import Metric
    from mtmodels.networks import NETWORKS
    from mtmodels.networks.base import Network, Output
    from mtmodels.weightings import WEIGHTINGS
    from mtmodels.weightings.base import Weighting

# Every command imports this package, and torch alone costs seconds: all of it waits until used.
_HOME = {
    "METHODS": "mtmodels.methods",
    "METRICS": "mtmodels.metrics",
    "NETWORKS": "mtmodels.networks",
    "WEIGHTINGS": "mtmodels.weightings",
    "Method": "mtmodels.methods.base",
    "Metric": "mtmodels.metrics.base",
    "Network": "mtmodels.networks.base",
    "Output": "mtmodels.networks.base",
    "Terms": "mtmodels.methods.terms",
    "Views": "mtmodels.methods.views",
    "Weighting": "mtmodels.weightings.base",
    "load_plugin": "mtdata.plugins",
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
    "load_plugin",
]
