"""Score a network on batches, one pass, whatever the size of the split."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mtdata import Task
from mtdata.parallel import Pool
from mtdata.progress import Progress
from mtdata.reading.batch import Batch
from mtmodels import processes
from mtmodels.errors import PredictionError
from mtmodels.metrics import METRICS
from mtmodels.metrics.base import Metric
from mtmodels.metrics.protocols import metric_for
from mtmodels.metrics.tally import NotFiniteError, all_finite, pieces
from mtmodels.networks.base import check_predictions
from mtmodels.scoring.evaluation import Evaluation, Predict, evaluation_mode
from mtmodels.scoring.original import Frame
from mtmodels.scoring.samples import Collector

if TYPE_CHECKING:
    from mtmodels.metrics.compiled import Compiled


def evaluate_under(
    protocols: Sequence[str],
    predict: Predict,
    batches: Iterable[Batch],
    *,
    tasks: Sequence[Task],
    device: torch.device | str = "cpu",
    precision: Callable[[], AbstractContextManager[Any]] = nullcontext,
    channels_last: bool = False,
    frames: Mapping[str, Frame] | None = None,
    jobs: int = 1,
    thresholds: int | None = None,
    keep: bool = False,
    alone: bool = False,
    compiled: bool = False,
    progress: Progress | None = None,
) -> list[Evaluation]:
    """Predict every batch once and score it against its labels, at the size of the protocol.

    Gradients are off. The module that `predict` belongs to is put into evaluation mode, and each of
    its parts back into the mode in which it was. Memory does not grow with the number of batches,
    but for what is kept of each image, a few kB; in a group of processes, each with its own
    batches, all get the scores of the whole.

    Args:
        protocols: Keys of `METRICS`; there is one result each.
        predict: `Method.predict`, `Network.predict`, or any function from images to predictions.
        batches: What to score; labels that a batch lacks are not scored.
        tasks: The tasks to score.
        device: Where to predict and count.
        precision: Makes the mixed-precision context to predict in (`fabric.autocast`); scores are
            always computed in full precision.
        channels_last: Memory layout of the images.
        frames: The size that each image had, by its key, for protocols that score at that; an
            image that is not in it is scored as it is.
        jobs: Processes for scores that take long: edges under `pascal`.
        thresholds: How many thresholds edges are scored at; None for as many as published.
        keep: Whether to keep what each image adds, from which intervals are made.
        alone: Whether this process of a group scores all of it, while the others do something else.
        compiled: Whether to score by compiled passes over the pixels, where numba is installed and
            the device is a processor; what is only rounded otherwise differs in its last digits.
        progress: Told (batches done, batches in all or 0, what).

    Raises:
        UnknownNameError: for a protocol that is unknown or does not score a kind of label.
        PredictionError: where a prediction is missing, or not finite.
        OutputError: where one does not fit its task, or the images.
    """
    named = _name(predict)
    images, total = 0, len(batches) if isinstance(batches, Sized) else 0
    with (
        Pool(jobs) as pool,
        _passes(wanted=compiled and torch.device(device).type == "cpu") as passes,
        torch.no_grad(),
        evaluation_mode(predict),
    ):
        options = {"spread": pool.map} | ({} if thresholds is None else {"thresholds": thresholds})
        metrics = [
            {task.name: metric_for(task, protocol, **options).to(device) for task in tasks}
            for protocol in protocols
        ]
        for metric in (metric for under in metrics for metric in under.values()):
            metric.compiled = passes
        kinds = {task.name: task.kind.name for task in tasks}
        collectors = [Collector(protocol, kinds) if keep else None for protocol in protocols]
        for done, batch in enumerate(batches, start=1):
            moved = batch.to(device, channels_last=channels_last)
            with precision():
                predictions = predict(moved.image)
            check_predictions(named, predictions, tasks, moved.image)
            for protocol, under, into in zip(protocols, metrics, collectors, strict=True):
                stored = METRICS[protocol].at == "stored"
                _score(under, predictions, moved, {} if stored else frames or {}, into)
            images += len(batch)
            if progress is not None:
                progress(done, total, "evaluate")
    if not alone:
        images = sum(processes.gathered(images))
        # A process whose batches lack a task still takes part in the merge of its states.
        for metric in (metric for under in metrics for metric in under.values()):
            metric.gather()
    return [
        _evaluation(under, images, protocol, into)
        for under, protocol, into in zip(metrics, protocols, collectors, strict=True)
    ]


@contextmanager
def _passes(*, wanted: bool) -> "Iterator[Compiled | None]":
    """The compiled passes, where they are wanted and can be."""
    with ExitStack() as stack:
        passes = None
        if wanted:
            with suppress(ImportError):  # without the extra `fast`, or where it fits no numpy
                from mtmodels.metrics.compiled import compiled  # takes a quarter of a second

                passes = stack.enter_context(compiled())
        yield passes


def _name(predict: Predict) -> str:
    """Of the network that predicts, or of the function."""
    owner = getattr(predict, "__self__", predict)
    owner = getattr(owner, "network", owner)  # of a method
    return getattr(owner, "__name__", type(owner).__name__)


def _score(
    metrics: Mapping[str, Metric],
    predictions: Mapping[str, Tensor],
    batch: Batch,
    frames: Mapping[str, Frame],
    into: Collector | None,
) -> None:
    if into is not None:
        into.start(batch.keys)
    for name, metric in metrics.items():
        if name not in batch.labels:
            continue
        rows = batch.rows[name].tolist()
        keys = tuple(batch.keys[row] for row in rows)
        if name not in predictions:
            raise PredictionError(name, keys, f"is missing among {sorted(predictions)}")
        prediction = predictions[name]
        if rows != list(range(len(prediction))):  # else there is nothing to leave out, nor to copy
            prediction = prediction[batch.rows[name]]
        prediction = prediction.to(torch.promote_types(prediction.dtype, torch.float32))
        given = prediction, batch.labels[name], batch.valid[name]
        # Compiled passes look for NaN by the way, at the size of the prediction.
        passes = None if frames else metric.compiled_for(prediction)
        # Processes that share the images want all of them at once, and so do threads.
        whole = passes is not None or "spread" in metric.takes
        for some in [slice(None)] if whole else pieces(len(rows), prediction.device):
            piece = tuple(one[some] for one in given)
            try:
                looks = passes.looks if passes else 0
                if passes is None and not all_finite(piece[0]):
                    raise NotFiniteError
                for at, one in _brought(metric, keys[some], piece, frames):
                    metric.update(*one)
                    if into is not None:
                        into.add(name, [rows[some][i] for i in at], metric.added)
                # A metric may have done without: in double precision, or as it has its own way.
                if passes is not None and passes.looks == looks and not all_finite(piece[0]):
                    raise NotFiniteError
            except NotFiniteError:
                finite = prediction.isfinite().flatten(1).all(1).tolist()
                wrong = tuple(key for key, whole in zip(keys, finite, strict=True) if not whole)
                raise PredictionError(name, wrong, "holds NaN or infinity") from None


def _brought(
    metric: Metric, keys: Sequence[str], given: tuple[Tensor, ...], frames: Mapping[str, Frame]
) -> Iterator[tuple[list[int], tuple[Tensor, ...]]]:
    """The images at the size that they are scored at, those of one size together, with places."""
    groups: dict[Frame | None, list[int]] = {}
    for at, key in enumerate(keys):
        groups.setdefault(frames.get(key), []).append(at)
    for frame, rows in groups.items():
        some = given if len(groups) == 1 else tuple(x[rows] for x in given)
        yield rows, some if frame is None else frame.bring(metric.resized, *some)


def _evaluation(
    metrics: Mapping[str, Metric], images: int, protocol: str, into: Collector | None
) -> Evaluation:
    labelled = {name: int(metric.images) for name, metric in metrics.items()}
    scores = {name: metrics[name].compute() for name, n in labelled.items() if n}
    samples = None if into is None else into.samples()
    return Evaluation(protocol, images, labelled, scores, samples)
