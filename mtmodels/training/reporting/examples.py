"""What takes a pass of the network: the images at either end, and how sure it is of classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer
from numpy.typing import NDArray
from torch import Tensor

from mtdata import Depth, Sample, Task
from mtdata.inspecting.keys import evenly
from mtdata.inspecting.pictures import (
    Swatch,
    depth_limits,
    error_picture,
    most_wrong,
    render,
    swatches,
    title,
)
from mtdata.pages.page import embedded
from mtdata.reading.batch import collate
from mtdata.reading.dataset import Dataset
from mtdata.tasks.kinds import Classes
from mtmodels.metrics.scores import HIGHER_IS_BETTER, headline_among
from mtmodels.scoring.evaluation import evaluation_mode
from mtmodels.scoring.intervals import per_image
from mtmodels.scoring.samples import Samples
from mtmodels.training.loop.validation import Scorer
from mtmodels.training.record.predictions import decided, without_padding

ENDS = 2
"""Images of each task that are shown at either end."""
IMAGES = 32
"""Images over which calibration is measured, evenly spread over the split."""
BINS = 15


@dataclass
class Calibration:
    """Pixels by how sure the network is of its class, in bins of one width over [0, 1]."""

    pixels: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))
    sure: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))
    right: NDArray[np.float64] = field(default_factory=lambda: np.zeros(BINS))

    def add(
        self,
        logits: Float[Tensor, "n c h w"],
        label: Integer[Tensor, "n 1 h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> None:
        """Take the valid pixels of some images in."""
        sure, found = logits.float().softmax(1).max(1)
        sure, right = sure[valid].double().cpu(), (found == label[:, 0])[valid].double().cpu()
        # As published: a bin holds its upper end.
        bins = ((sure * BINS).ceil().long() - 1).clamp(0, BINS - 1)
        self.pixels += torch.bincount(bins, minlength=BINS).numpy()
        self.sure += torch.bincount(bins, sure, minlength=BINS).numpy()
        self.right += torch.bincount(bins, right, minlength=BINS).numpy()

    def error(self) -> float:
        """The expected calibration error in [0, 1]: the mean gap, weighted by pixels; NaN of none.

        Reference: Guo et al. 2017, On Calibration of Modern Neural Networks, eq. 3.
        """
        total = self.pixels.sum()
        return float(np.abs(self.right - self.sure).sum() / total) if total else float("nan")

    def curve(self) -> list[tuple[float, float]]:
        """Mean confidence and share of right pixels of each bin that has pixels."""
        there = self.pixels > 0
        x, y = self.sure[there] / self.pixels[there], self.right[there] / self.pixels[there]
        return list(zip(x.tolist(), y.tolist(), strict=True))


@dataclass(frozen=True)
class Ends:
    """The best and the worst images of a task by one score of each image alone."""

    task: str
    score: str
    best: tuple[tuple[str, float], ...]
    worst: tuple[tuple[str, float], ...]


def ends_of(samples: Samples) -> list[Ends]:
    """The images at either end of each task; those that do not show it are left out."""
    found = []
    for task, scores in per_image(samples).items():
        name = headline_among(scores)
        if name is None:
            continue
        values = scores[name]
        order = [int(i) for i in np.argsort(values, kind="stable") if np.isfinite(values[i])]
        order = order[::-1] if HIGHER_IS_BETTER[name] else order
        each = min(ENDS, -(-len(order) // 2))
        told = [(samples.keys[i], float(values[i])) for i in order]
        worst = told[max(each, len(told) - each) :][::-1]
        found.append(Ends(task, name, tuple(told[:each]), tuple(worst)))
    return found


@dataclass(frozen=True)
class Looked:
    """What the pass gave: pictures by task and key, calibration by task, and of how many images.

    `legends` has the classes that the pictures of a task show.
    """

    pictures: Mapping[tuple[str, str], list[dict[str, Any]]]
    calibration: Mapping[str, Calibration]
    images: int
    legends: Mapping[str, list[Swatch]] = field(default_factory=dict)


def depict_ends(dataset: Dataset, scorer: Scorer, ends: Sequence[Ends]) -> Looked:
    """Predict the images at the ends and some evenly spread, each once.

    Args:
        dataset: What was scored; only labels that it shows are read.
        scorer: The network.
        ends: Which images to picture, of which task.
    """
    keys = list(dataset.keys)
    wanted: dict[str, list[str]] = {}
    for one in ends:
        for key, _ in (*one.best, *one.worst):
            wanted.setdefault(key, []).append(one.task)
    tasks = {task.name: task for task in dataset.tasks}
    given: dict[str, list[tuple[Sample, NDArray[Any]]]] = {}
    calibration = {t.name: Calibration() for t in dataset.tasks if isinstance(t.kind, Classes)}
    even = set(evenly(len(keys), IMAGES)) if calibration else set()
    for index in sorted(even | {keys.index(key) for key in wanted if key in keys}):
        sample = dataset.read(index)
        batch = collate([sample]).to(scorer.fabric.device, channels_last=scorer.channels_last)
        with torch.no_grad(), evaluation_mode(scorer.predict), scorer.fabric.autocast():
            predictions = scorer.predict(batch.image)
        for name, sums in calibration.items():
            if index in even and name in batch.labels:
                sums.add(predictions[name], batch.labels[name], batch.valid[name])
        for name in wanted.get(sample.key, ()):
            if name in sample.labels:
                prediction = without_padding(decided(tasks[name], predictions[name]), sample)
                given.setdefault(name, []).append((sample.trimmed(), prediction))
    pictures = {
        (name, sample.key): _row(sample, tasks[name], prediction, most)
        for name, of_task in given.items()
        for most in [_most_wrong(tasks[name], [sample for sample, _ in of_task])]
        for sample, prediction in of_task
    }
    legends = {
        name: swatches(
            tasks[name],
            [one for sample, predicted in of_task
             for one in (sample.labels[name][sample.valid[name]], predicted)],
        )
        for name, of_task in given.items()
    }  # fmt: skip
    return Looked(pictures, calibration, len(even), legends)


def _most_wrong(task: Task, samples: Sequence[Sample]) -> float:
    """The error at which the colours end, one for all images, so that they can be compared."""
    seen = [sample.labels[task.name][sample.valid[task.name]] for sample in samples]
    values = np.concatenate(seen)
    return most_wrong(task, values, np.ones(len(values), np.bool_))


def _row(sample: Sample, task: Task, prediction: NDArray[Any], most: float) -> list[dict[str, Any]]:
    """Image, label, prediction and how far they are apart, its colours up to `most`."""
    label, valid = sample.labels[task.name], sample.valid[task.name]
    limits = depth_limits(label, valid) if isinstance(task.kind, Depth) else None
    error = task.kind.distance(prediction, label)
    units = task.kind.distance_units
    until = f"error, bright from {most:.3g} {units}" if units else "error, bright where wrong"
    drawn = (
        (f"image {sample.key}", embedded(sample.image, "JPEG")),
        (
            f"label: {title(task, label, valid)}",
            embedded(render(task, label, valid, limits=limits)),
        ),
        ("prediction, same colours", embedded(render(task, prediction, limits=limits))),
        (until, embedded(error_picture(task, label, valid, error, most=most))),
    )
    return [
        {"uri": uri, "title": name, "alt": f"{task.name} of {sample.key}: {name}",
         "photo": not number, "void": not valid.all()}
        for number, (name, uri) in enumerate(drawn)
    ]  # fmt: skip
