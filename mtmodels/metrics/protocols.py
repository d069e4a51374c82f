"""Protocols: how each kind of label is scored.

Metrics are imported when they are asked for.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from mtdata import Task
from mtdata.errors import UnknownNameError, UsageError
from mtdata.registry import imported
from mtmodels.metrics import METRICS
from mtmodels.metrics.scores import HIGHER_IS_BETTER

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
        asked: Whether it is scored only where it is asked for, since it takes long, is for one
            data set or repeats others; the others are scored at the end of every run.
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

    def problem(self) -> str | None:
        """What is wrong with its metrics, for a protocol of a plug-in; None where nothing is."""
        from mtmodels.metrics.base import Metric

        if not isinstance(self.summary, str):
            return f"should have text as its `summary`; found {self.summary!r}."
        for at, given in (*self._kinds.items(), *self._named.items()):
            try:
                found = _class(given)
            except (ImportError, AttributeError, ValueError) as error:
                return f'should have "module:Class" for `{at}`; found {given!r} ({error}).'
            if not (isinstance(found, type) and issubclass(found, Metric)):
                return f"should have a class of mtmodels.Metric for `{at}`; found {found!r}."
            if lacks := sorted(found.__abstractmethods__):
                return f"has `{found.__name__}` for `{at}`, which lacks {', '.join(lacks)}."
            if not isinstance(getattr(found, "better", None), Mapping):
                return (
                    f"has `{found.__name__}` for `{at}`, which should say in `better` for each "
                    "score whether higher is better."
                )
            for name, high in found.better.items():
                if HIGHER_IS_BETTER.get(name, high) != high:
                    return (
                        f"has `{found.__name__}` for `{at}`, whose `better` should say "
                        f"{not high} of `{name}`, as that of the score of this name that is "
                        f"built in; found {high}. Choose another name."
                    )
        return None

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

COMMON = Protocol(
    "What papers on one task report: all pixels of the split are pooled, with threshold accuracies "
    "and logarithms of depth and the accuracy of each class.",
    {
        "classes": "mtmodels.metrics.classes:CommonClasses",
        "binary": "mtmodels.metrics.binary:PooledBinary",
        "depth": "mtmodels.metrics.depth:CommonDepth",
        "normals": "mtmodels.metrics.normals:PooledNormals",
    },
    asked=True,
)


def check_scored(task: Task, protocol: str) -> None:
    """Refuse what a protocol cannot score, before anything is trained; errors as `metric_for`."""
    kinds = METRICS[protocol]
    if task.kind.name not in kinds:
        raise UnknownNameError(f"metric of protocol `{protocol}` for kind", task.kind.name, kinds)
    if kinds.asked or protocol in METRICS.origins:
        metric = kinds.of(task)(task)  # it may refuse these classes; those of all runs never do
        if protocol in METRICS.origins:
            _try(metric, protocol)


def _try(metric: "mtmodels.metrics.base.Metric", protocol: str) -> None:
    """Score one made-up prediction: what fails after a training fails before it.

    Raises:
        UsageError: where it fails, or gives what is no score that it declares.
    """
    import numpy as np
    import torch

    from mtdata.store.format import stored_form

    task, size = metric.task, (16, 16)
    shape, dtype = stored_form(task.kind, size)
    label = torch.from_numpy(task.kind.decode(np.zeros(shape, dtype))[0])
    label = (label[None] if label.ndim == 2 else label.permute(2, 0, 1))[None]
    prediction, valid = torch.ones(1, task.channels, *size), torch.ones(1, *size, dtype=torch.bool)
    who = (
        f"the metric `{type(metric).__name__}` of protocol `{protocol}` should score `{task.name}`"
    )
    try:
        metric.update(prediction, label, valid)
        scores = metric.compute()
    except Exception as error:
        raise UsageError(f"{who}; it failed with {type(error).__name__}: {error}") from error
    for name, value in scores.items():
        if name not in metric.better:
            known = ", ".join(metric.better)
            raise UsageError(f"{who} with what `better` names, {known}; found `{name}`.")
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, (int, float)) for one in values):
            raise UsageError(f"{who} with numbers; found {value!r} as `{name}`.")


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
