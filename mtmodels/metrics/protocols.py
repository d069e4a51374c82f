"""Protocols: how each kind of label is scored.

Metrics are imported when they are asked for.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from mtdata import Task
from mtdata.errors import UnknownNameError
from mtdata.registry import imported
from mtmodels.metrics import METRICS

if TYPE_CHECKING:
    import mtmodels.metrics.base

At = Literal["stored", "original", "source"]


class Protocol(Mapping[str, "type[mtmodels.metrics.base.Metric]"]):
    """The metric of each kind of label that is scored, by the name of the kind.

    Args:
        summary: One sentence for `mtmodels list metrics`.
        kinds: The metric of each kind, or where it is, as "module:Class".
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
        kinds: "Mapping[str, str | type[mtmodels.metrics.base.Metric]]",
        *,
        named: "Mapping[tuple[str, str], str | type[mtmodels.metrics.base.Metric]] | None" = None,
        at: At = "stored",
        asked: bool = False,
    ) -> None:
        self.summary = summary
        self._named = dict(named or {})
        self.at = at
        self.asked = asked
        self._kinds = dict(kinds)

    @property
    def named(self) -> "Mapping[tuple[str, str], type[mtmodels.metrics.base.Metric]]":
        """The metric of tasks that are scored otherwise than their kind, by kind and task."""
        return {key: _class(metric) for key, metric in self._named.items()}

    def of(self, task: Task) -> "type[mtmodels.metrics.base.Metric]":
        """The metric of a task; raises KeyError where its kind is not scored."""
        return self.find(task.kind.name, task.name)

    def find(self, kind: str, task: str) -> "type[mtmodels.metrics.base.Metric]":
        """As `of`, by the names of kind and task."""
        return _class(self._named.get((kind, task), self._kinds[kind]))

    def __getitem__(self, kind: str) -> "type[mtmodels.metrics.base.Metric]":
        return _class(self._kinds[kind])

    def __contains__(self, kind: object) -> bool:
        # That of Mapping would import the metric.
        return kind in self._kinds

    def __iter__(self) -> Iterator[str]:
        return iter(self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)


MTPSL = Protocol(
    "All pixels of the split are pooled: one confusion matrix, one mean error; on Cityscapes the "
    "relative one includes pixels at infinity.",
    {
        "classes": "mtmodels.metrics.classes:PooledClasses",
        "binary": "mtmodels.metrics.binary:PooledBinary",
        "depth": "mtmodels.metrics.depth:ClampedDepth",
        "normals": "mtmodels.metrics.normals:PooledNormals",
    },
)

XTASC = Protocol(
    "Classes are scored image by image, then averaged; errors are pooled over pixels, and pixels "
    "at infinity do not count on Cityscapes.",
    {
        "classes": "mtmodels.metrics.classes:PerImageClasses",
        "binary": "mtmodels.metrics.binary:PerImageBinary",
        "depth": "mtmodels.metrics.depth:XTasCDepth",
        "normals": "mtmodels.metrics.normals:PooledNormals",
    },
)


PASCAL = Protocol(
    "PASCAL-Context at the original size: best thresholds of saliency, edges one to one.",
    {
        "classes": "mtmodels.metrics.classes:PooledClasses",
        "binary": "mtmodels.metrics.saliency:Saliency",
        "depth": "mtmodels.metrics.depth:PooledDepth",
        "normals": "mtmodels.metrics.normals:PooledNormals",
    },
    named={
        ("classes", "parts"): "mtmodels.metrics.classes:ShownClasses",
        ("binary", "edges"): "mtmodels.metrics.edges:Edges",
    },
    at="original",
    asked=True,
)

CITYSCAPES = Protocol(
    "Classes and categories as the official evaluator scores them, at full size.",
    {
        "classes": "mtmodels.metrics.cityscapes:CityscapesClasses",
        "depth": "mtmodels.metrics.depth:PooledDepth",
    },
    at="source",
    asked=True,
)


def check_scored(task: Task, protocol: str) -> None:
    """Refuse what a protocol cannot score, before anything is trained; errors as `metric_for`."""
    kinds = METRICS[protocol]
    if task.kind.name not in kinds:
        raise UnknownNameError(f"metric of protocol `{protocol}` for kind", task.kind.name, kinds)
    if kinds.asked or protocol in METRICS.origins:
        kinds.of(task)(task)  # it may refuse these classes; those that all runs have never do


def metric_for(task: Task, protocol: str, **options: Any) -> "mtmodels.metrics.base.Metric":
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


def _class(
    metric: "str | type[mtmodels.metrics.base.Metric]",
) -> "type[mtmodels.metrics.base.Metric]":
    found: type[mtmodels.metrics.base.Metric] = (
        imported(metric) if isinstance(metric, str) else metric
    )
    return found
