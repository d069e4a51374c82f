"""Scoring of predictions against scoring image by image with numpy, on the labels of a store.

Three tasks under `mtpsl`, the same scores on both sides. Predictions are made of the labels with
noise and are no part of the time, nor are reading and what is done to the images for a network.
numpy does what a script does: argmax and one `bincount` an image, errors of depth, angles by
arccos, whose median is taken at the end. Ours is `evaluate` as a run calls it, which besides looks
for NaN and keeps what intervals need of each image. Both in turn, batch by batch, in one run. Times
are of the processor, of all threads together, and of the clock, which beside other work says
little. `read once` is the time of one sum over all predictions, labels and masks: what any scoring
takes at least, that looks at them. Ours is compiled where numba is installed, and by torch with
--plain. With --parts each part of torch alone, the last batch again and again: least of ten times.

    python -m benchmarks.metrics.scoring --data data/nyu.h5 [--images N] [--threads N] [--plain]
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from benchmarks.machine import describe, versions
from mtdata import open_store
from mtdata.reading.batch import Batch
from mtdata.reading.loader import Loader
from mtmodels.encodings import highest
from mtmodels.metrics.confusion import confusion
from mtmodels.metrics.depth import error_sums
from mtmodels.metrics.normals import THRESHOLDS, angles, by_step
from mtmodels.metrics.tally import all_finite, pieces
from mtmodels.scoring.evaluate import evaluate_under

TASKS = ("semantic", "depth", "normals")


def now() -> NDArray[np.float64]:
    """Seconds of the processor, and of the clock."""
    return np.array([time.process_time(), time.perf_counter()])


class ByImage:
    """The scores of a script."""

    def __init__(self, classes: int) -> None:
        self.matrix = np.zeros((classes, classes), np.int64)
        self.depth = np.zeros(4)
        self.normals = np.zeros(5)
        self.angles: list[NDArray[np.float32]] = []

    def add(self, given: dict[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]) -> None:
        """Add one image: of each task prediction, label and which pixels count."""
        logits, label, valid = given["semantic"]
        classes = len(self.matrix)
        cells = classes * label[0][valid] + logits.argmax(0)[valid]
        self.matrix += np.bincount(cells, minlength=classes**2).reshape(classes, classes)
        predicted, label, valid = given["depth"]
        label, predicted = label[0][valid], np.maximum(predicted, 1e-9)[0][valid]
        error = np.abs(predicted - label)
        self.depth += (error.sum(), (error / label).sum(), (error**2).sum(), len(error))
        predicted, label, valid = given["normals"]
        angle = np.degrees(np.arccos(np.clip((predicted * label).sum(0)[valid], -1, 1)))
        within = [np.count_nonzero(angle < limit) for limit in THRESHOLDS]
        self.normals += (angle.sum(), (angle**2).sum(), *within)
        self.angles.append(angle)

    def scores(self) -> dict[str, float]:
        """All of a table, by task."""
        hit = self.matrix.diagonal()
        iou = 100 * hit / (self.matrix.sum(0) + self.matrix.sum(1) - hit)
        absolute, relative, square = self.depth[:3] / self.depth[3]
        angles = np.concatenate(self.angles)
        mean, squared, *within = self.normals / len(angles)
        return {
            "semantic miou": float(np.nanmean(iou)),
            "semantic pixel_accuracy": float(100 * hit.sum() / self.matrix.sum()),
            "depth abs_err": float(absolute),
            "depth rel_err": float(relative),
            "depth rmse": float(square**0.5),
            "normals mean": float(mean),
            "normals median": float(np.median(angles)),
            "normals rmse": float(squared**0.5),
            **{f"normals within_{t:g}": 100 * w for t, w in zip(THRESHOLDS, within, strict=True)},
        }


def predictions(batch: Batch, classes: int, rng: torch.Generator) -> dict[str, Tensor]:
    """The labels with noise."""
    semantic, depth, normals = (batch.labels[task] for task in TASKS)
    ids = semantic[:, 0].long().clamp(0, classes - 1)
    logits = functional.one_hot(ids, classes).movedim(-1, 1).float()
    logits += 0.6 * torch.randn(logits.shape, generator=rng)
    near = normals + 0.4 * torch.randn(normals.shape, generator=rng)
    return {
        "semantic": logits.contiguous(),
        "depth": depth + 0.5 * torch.randn(depth.shape, generator=rng),
        "normals": functional.normalize(near, dim=1),
    }


class Turns:
    """Batches for `evaluate` that are first scored with numpy, and how long each side takes."""

    def __init__(self, loader: Loader, classes: int, *, most: int) -> None:
        self.loader, self.classes, self.most = loader, classes, most
        self.plain = ByImage(classes)
        self.images = 0
        self.numpy, self.read, self.other, self.started = np.zeros((4, 2))
        self.predicted: dict[str, Tensor] = {}
        self.last: Batch

    def __iter__(self) -> Iterator[Batch]:
        rng = torch.Generator().manual_seed(0)
        entered = now()
        for number, batch in enumerate(self.loader.epoch(0)):
            if number == self.most:
                return
            if number == 1:  # the first batch warmed both up
                self.images = 0
                self.numpy, self.read, self.other = np.zeros((3, 2))
                self.started = entered
            self.last, self.predicted = batch, predictions(batch, self.classes, rng)
            given = {t: (self.predicted[t], batch.labels[t], batch.valid[t]) for t in TASKS}
            arrays = {task: [part.numpy() for part in parts] for task, parts in given.items()}
            before = now()
            for i in range(len(batch)):
                image = {task: tuple(part[i] for part in parts) for task, parts in arrays.items()}
                self.plain.add(image)
            middle = now()
            for parts in given.values():
                for part in parts:
                    (part.sum if part.is_floating_point() else part.count_nonzero)()
            done = now()
            self.numpy, self.read = self.numpy + middle - before, self.read + done - middle
            self.images += len(batch)
            ready = batch.to("cpu")  # as a network takes it
            self.other = self.other + now() - entered
            yield ready
            entered = now()
        self.other = self.other + now() - entered

    def predict(self, _image: Tensor) -> dict[str, Tensor]:
        """What was made of the batch at hand."""
        return self.predicted


def parts_of(turns: Turns, batch: Batch) -> Iterator[tuple[str, float]]:
    """What each part of scoring takes alone, in milliseconds of the clock an image."""
    logits, depth, normals = (turns.predicted[task] for task in TASKS)
    semantic, metres, directions = (batch.labels[task] for task in TASKS)
    shown, measured, _ = (batch.valid[task] for task in TASKS)
    class_, angle = highest(logits), angles(normals, directions)
    all_parts: dict[str, Callable[[slice], object]] = {
        "is all finite?": lambda i: [all_finite(one[i]) for one in (logits, depth, normals)],
        "class of the highest logit": lambda i: highest(logits[i]),
        "confusion matrix": lambda i: confusion(
            class_[i], semantic[i, 0], shown[i], classes=turns.classes
        ),
        "errors of depth": lambda i: error_sums(depth[i], metres[i], measured[i]),
        "angles of normals": lambda i: angles(normals[i], directions[i]),
        "their histogram": lambda i: by_step(angle[i]),
    }
    for name, part in all_parts.items():
        times = []
        for _ in range(10):
            before = time.perf_counter()
            for piece in pieces(len(logits), logits.device):
                part(piece)
            times.append(time.perf_counter() - before)
        yield name, 1e3 * min(times) / len(logits)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--images", type=int, help="about as many; all without it")
    parser.add_argument("--threads", type=int, default=1, help="of torch; numpy has one")
    parser.add_argument("--parts", action="store_true", help="what each part takes, too")
    parser.add_argument("--plain", action="store_true", help="ours without compiled passes")
    parser.add_argument("--smoke", action="store_true", help="two batches: does it run?")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"{describe()}, {versions()}")
    data = open_store(given.data).dataset(given.split, TASKS)
    classes = next(task.channels for task in data.tasks if task.name == "semantic")
    loader = Loader(data, batch=given.batch, shuffle=False)
    most = -1 if given.images is None else 1 + given.images // given.batch
    turns = Turns(loader, classes, most=2 if given.smoke else most)
    scores = evaluate_under(
        ["mtpsl"], turns.predict, turns, tasks=data.tasks, keep=True, compiled=not given.plain
    )[0].scores
    ours = now() - turns.started - turns.other
    started = now()
    by_image = turns.plain.scores()
    theirs = turns.numpy + now() - started
    for name, value in by_image.items():
        task, metric = name.split()
        print(f"{name:24} numpy {value:9.4f}, ours {scores[task][metric]:9.4f}")
    height, width = data[0].image.shape[:2]
    print(f"{turns.images} images of {height}x{width}, {given.threads} threads of torch")
    for at, clock in enumerate(("processor", "clock")):
        a_numpy, a_ours, a_read = (
            1e3 * float(t[at]) / turns.images for t in (theirs, ours, turns.read)
        )
        print(
            f"{clock:9}: numpy {a_numpy:.1f} ms an image, ours {a_ours:.1f}, read once "
            f"{a_read:.1f}: {a_numpy / a_ours:.2f} times as fast"
        )
    for name, taken in parts_of(turns, turns.last) if given.parts else ():
        print(f"{taken:6.3f} ms an image: {name}")


if __name__ == "__main__":
    main()
