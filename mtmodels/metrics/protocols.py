"""Protocols: how each kind of label is scored."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from mtdata import Task
from mtdata.errors import UnknownNameError
from mtmodels.metrics import METRICS
from mtmodels.metrics.base import Metric
from mtmodels.metrics.binary import PerImageBinary, PooledBinary
from mtmodels.metrics.cityscapes import CityscapesClasses
from mtmodels.metrics.classes import PerImageClasses, PooledClasses, ShownClasses
from mtmodels.metrics.depth import ClampedDepth, PooledDepth, XTasCDepth
from mtmodels.metrics.edges import Edges
from mtmodels.metrics.normals import PooledNormals
from mtmodels.metrics.saliency import Saliency

At = Literal["stored", "original", "source"]


class Protocol(Mapping[str, type[Metric]]):
    """The metric of each kind of label that is scored, by the name of the kind.

    Args:
        summary: One sentence for `mtmodels list metrics`.
        kinds: The metric of each kind.
        named: The metric of tasks that are scored otherwise than their kind, by kind and task.
        at: The size that is scored at: "stored", as the store has it, padding and all; "original",
            each image and its labels brought back to the size that they had; "source", the same
            and only where nothing was resized or cropped.
        asked: Whether it is scored only where it is asked for, since it takes long or is for one
            data set; the others are scored at the end of every run.
    """

    def __init__(
        self,
        summary: str,
        kinds: Mapping[str, type[Metric]],
        *,
        named: Mapping[tuple[str, str], type[Metric]] | None = None,
        at: At = "stored",
        asked: bool = False,
    ) -> None:
        self.summary = summary
        self.named = dict(named or {})
        self.at = at
        self.asked = asked
        self._kinds = dict(kinds)

    def of(self, task: Task) -> type[Metric]:
        """The metric of a task; raises KeyError where its kind is not scored."""
        return self.find(task.kind.name, task.name)

    def find(self, kind: str, task: str) -> type[Metric]:
        """As `of`, by the names of kind and task."""
        return self.named.get((kind, task), self._kinds[kind])

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


PASCAL = Protocol(
    "PASCAL-Context at the original size: best thresholds of saliency, edges one to one.",
    {
        "classes": PooledClasses,
        "binary": Saliency,
        "depth": PooledDepth,
        "normals": PooledNormals,
    },
    named={("classes", "parts"): ShownClasses, ("binary", "edges"): Edges},
    at="original",
    asked=True,
)

CITYSCAPES = Protocol(
    "Classes and categories as the official evaluator scores them, at full size.",
    {"classes": CityscapesClasses, "depth": PooledDepth},
    at="source",
    asked=True,
)


def metric_for(task: Task, protocol: str, **options: Any) -> Metric:
    """The metric of a task under a protocol.

    Args:
        task: The task.
        protocol: A key of `METRICS`.
        options: What metrics take; one that does not know an option goes without it.

    Raises:
        UnknownNameError: where there is no such protocol, or it does not score this kind of label.
        UsageError: where it does not score these classes.
    """
    kinds = METRICS[protocol]
    if task.kind.name not in kinds:
        raise UnknownNameError(f"metric of protocol `{protocol}` for kind", task.kind.name, kinds)
    metric = kinds.of(task)
    return metric(task, **{name: options[name] for name in metric.takes if name in options})
