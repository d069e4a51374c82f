"""Networks, losses, methods, weightings, metrics and training on partly labelled images."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtdata.plugins import load_plugin
    from mtmodels.kinds import kind_model
    from mtmodels.methods import METHODS
    from mtmodels.methods.base import Finding, Method, ParameterGroup, Probe, Stage
    from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions
    from mtmodels.methods.terms import Terms
    from mtmodels.methods.views import View, Views
    from mtmodels.metrics import METRICS
    from mtmodels.metrics.base import Metric
    from mtmodels.networks import NETWORKS
    from mtmodels.networks.base import EncoderOptions, Network, NetworkOptions, Output
    from mtmodels.networks.encoders import ENCODERS
    from mtmodels.networks.encoders.base import Encoder
    from mtmodels.options import Factor, Options, Positive, Share, Weight
    from mtmodels.predicting.opening import load
    from mtmodels.predicting.predictor import Predictor
    from mtmodels.weightings import WEIGHTINGS
    from mtmodels.weightings.base import Weighting

# Every command imports this package, and torch alone costs seconds: all of it waits until used.
_HOME = {
    name: module
    for module, names in {
        "mtdata.plugins": ("load_plugin",),
        "mtmodels.kinds": ("kind_model",),
        "mtmodels.methods": ("METHODS",),
        "mtmodels.methods.base": ("Finding", "Method", "ParameterGroup", "Probe", "Stage"),
        "mtmodels.methods.parts.supervision": ("Supervision", "SupervisionOptions"),
        "mtmodels.methods.terms": ("Terms",),
        "mtmodels.methods.views": ("View", "Views"),
        "mtmodels.metrics": ("METRICS",),
        "mtmodels.metrics.base": ("Metric",),
        "mtmodels.networks": ("NETWORKS",),
        "mtmodels.networks.base": ("EncoderOptions", "Network", "NetworkOptions", "Output"),
        "mtmodels.networks.encoders": ("ENCODERS",),
        "mtmodels.networks.encoders.base": ("Encoder",),
        "mtmodels.options": ("Factor", "Options", "Positive", "Share", "Weight"),
        "mtmodels.predicting.opening": ("load",),
        "mtmodels.predicting.predictor": ("Predictor",),
        "mtmodels.weightings": ("WEIGHTINGS",),
        "mtmodels.weightings.base": ("Weighting",),
    }.items()
    for name in names
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


__all__ = [
    "ENCODERS",
    "METHODS",
    "METRICS",
    "NETWORKS",
    "WEIGHTINGS",
    "Encoder",
    "EncoderOptions",
    "Factor",
    "Finding",
    "Method",
    "Metric",
    "Network",
    "NetworkOptions",
    "Options",
    "Output",
    "ParameterGroup",
    "Positive",
    "Predictor",
    "Probe",
    "Share",
    "Stage",
    "Supervision",
    "SupervisionOptions",
    "Terms",
    "View",
    "Views",
    "Weight",
    "Weighting",
    "kind_model",
    "load",
    "load_plugin",
]
