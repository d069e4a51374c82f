"""Metrics by protocol and kind of label: `METRICS[protocol][kind](task)`.

Scores under different protocols are different quantities: they never share a table.
"""

from mtdata import Task
from mtdata.errors import UnknownNameError
from mtmodels.metrics.base import Metric
from mtmodels.metrics.binary import PerImageBinary, PooledBinary
from mtmodels.metrics.classes import PerImageClasses, PooledClasses
from mtmodels.metrics.depth import ClampedDepth, PooledDepth
from mtmodels.metrics.normals import PooledNormals

METRICS: dict[str, dict[str, type[Metric]]] = {
    "mtpsl": {
        "classes": PooledClasses,
        "binary": PooledBinary,
        "depth": ClampedDepth,
        "normals": PooledNormals,
    },
    "xtasc": {
        "classes": PerImageClasses,
        "binary": PerImageBinary,
        "depth": PooledDepth,
        "normals": PooledNormals,
    },
}

PROTOCOLS: dict[str, str] = {
    "mtpsl": "All pixels of the split are pooled: one confusion matrix, one mean error.",
    "xtasc": "Classes are scored image by image, then averaged; errors are pooled over pixels.",
}


def metric_for(task: Task, protocol: str) -> Metric:
    """The metric of a task under a protocol.

    Raises:
        UnknownNameError: where there is no such protocol, or it does not score this kind of label.
    """
    if protocol not in METRICS:
        raise UnknownNameError("protocol", protocol, METRICS)
    kinds = METRICS[protocol]
    if task.kind.name not in kinds:
        raise UnknownNameError(f"metric of protocol `{protocol}` for kind", task.kind.name, kinds)
    return kinds[task.kind.name](task)


__all__ = ["METRICS", "PROTOCOLS", "Metric", "metric_for"]
