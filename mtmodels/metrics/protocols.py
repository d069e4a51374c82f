"""Protocols: how each kind of label is scored."""

from collections.abc import Iterator, Mapping

from mtdata import Task
from mtdata.errors import UnknownNameError
from mtmodels.metrics import METRICS
from mtmodels.metrics.base import Metric
from mtmodels.metrics.binary import PerImageBinary, PooledBinary
from mtmodels.metrics.classes import PerImageClasses, PooledClasses
from mtmodels.metrics.depth import ClampedDepth, XTasCDepth
from mtmodels.metrics.normals import PooledNormals


class Protocol(Mapping[str, type[Metric]]):
    """The metric of each kind of label that is scored, by the name of the kind.

    Args:
        summary: One sentence for `mtmodels list metrics`.
        kinds: The metric of each kind.
    """

    def __init__(self, summary: str, kinds: Mapping[str, type[Metric]]) -> None:
        self.summary = summary
        self._kinds = dict(kinds)

    def __getitem__(self, kind: str) -> type[Metric]:
        return self._kinds[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


MTPSL = Protocol(
    "All pixels of the split are pooled: one confusion matrix, one mean error; on Cityscapes the "
    "relative one includes pixels at infinity.",
    {
        "classes": PooledClasses,
        "binary": PooledBinary,
        "depth": ClampedDepth,
        "normals": PooledNormals,
    },
)

XTASC = Protocol(
    "Classes are scored image by image, then averaged; errors are pooled over pixels, and pixels "
    "at infinity do not count on Cityscapes.",
    {
        "classes": PerImageClasses,
        "binary": PerImageBinary,
        "depth": XTasCDepth,
        "normals": PooledNormals,
    },
)


def metric_for(task: Task, protocol: str) -> Metric:
    """The metric of a task under a protocol.

    Raises:
        UnknownNameError: where there is no such protocol, or it does not score this kind of label.
    """
    kinds = METRICS[protocol]
    if task.kind.name not in kinds:
        raise UnknownNameError(f"metric of protocol `{protocol}` for kind", task.kind.name, kinds)
    return kinds[task.kind.name](task)
