"""Scoring of predictions against scoring image by image with numpy, on the labels of a store.

Three tasks under `mtpsl`. Predictions are made of the labels with noise and are no part of the
time, nor is reading. numpy does what a script does: argmax and one `bincount` an image, mean errors
of depth, angles by arccos, whose median is taken at the end. Ours counts besides what intervals
need of each image. Both in turn, batch by batch, in one run; both scores are printed. Times are of
the processor with one thread, else of the clock.

    python -m benchmarks.scoring --data data/nyu-288x384.h5 [--threads N] [--smoke]
"""

import argparse
import time
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
from mtmodels.metrics.protocols import metric_for

TASKS = ("semantic", "depth", "normals")


class ByImage:
    """The scores of a script."""

    def __init__(self, classes: int) -> None:
        self.matrix = np.zeros((classes, classes), np.int64)
        self.depth: list[NDArray[np.float32]] = []
        self.angles: list[NDArray[np.float32]] = []

    def add(self, given: dict[str, tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]) -> None:
        """Add one image: of each task prediction, label and which pixels count."""
        logits, label, valid = given["semantic"]
        classes = len(self.matrix)
        cells = classes * label[0][valid] + logits.argmax(0)[valid]
        self.matrix += np.bincount(cells, minlength=classes**2).reshape(classes, classes)
        predicted, label, valid = given["depth"]
        self.depth.append(np.abs(np.maximum(predicted, 1e-9) - label)[0][valid])
        predicted, label, valid = given["normals"]
        cosine = np.clip((predicted * label).sum(0)[valid], -1, 1)
        self.angles.append(np.degrees(np.arccos(cosine)))

    def scores(self) -> dict[str, float]:
        """Headlines, and what the median costs."""
        hit = self.matrix.diagonal()
        iou = 100 * hit / (self.matrix.sum(0) + self.matrix.sum(1) - hit)
        angles = np.concatenate(self.angles)
        return {
            "miou": float(np.nanmean(iou)),
            "abs_err": float(np.concatenate(self.depth).mean(dtype=float)),
            "mean": float(angles.mean(dtype=float)),
            "median": float(np.median(angles)),
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1, help="of torch; numpy has one")
    parser.add_argument("--smoke", action="store_true", help="two batches: does it run?")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    clock = time.process_time if given.threads == 1 else time.perf_counter
    print(f"{describe()}, {versions()}")
    store = open_store(given.data)
    data = store.dataset(given.split, TASKS)
    loader = Loader(data, batch=given.batch, shuffle=False)
    metrics = {task.name: metric_for(task, "mtpsl") for task in data.tasks}
    classes = next(task.channels for task in data.tasks if task.name == "semantic")
    plain, rng = ByImage(classes), torch.Generator().manual_seed(0)
    ours, theirs, images = 0.0, 0.0, 0
    for number, batch in enumerate(loader.epoch(0)):
        predicted = predictions(batch, classes, rng)
        given_to = {t: (predicted[t], batch.labels[t], batch.valid[t]) for t in TASKS}
        arrays = {task: [part.numpy() for part in parts] for task, parts in given_to.items()}
        started = clock()
        for i in range(len(batch)):
            plain.add({task: tuple(part[i] for part in parts) for task, parts in arrays.items()})
        middle = clock()
        for task, metric in metrics.items():
            metric.update(*given_to[task])
        if number:  # the first batch warms both up
            theirs, ours = theirs + middle - started, ours + clock() - middle
            images += len(batch)
        if given.smoke and number:
            break
    started = clock()
    by_image = plain.scores()
    middle = clock()
    scores = {name: s for metric in metrics.values() for name, s in metric.compute().items()}
    theirs, ours = theirs + middle - started, ours + clock() - middle
    height, width = batch.image.shape[-2:]
    for name, value in by_image.items():
        print(f"{name}: numpy {value:.4f}, ours {scores[name]:.4f}")
    print(
        f"{images} images of {height}x{width}: numpy {1e3 * theirs / images:.1f} ms an image, ours "
        f"{1e3 * ours / images:.1f}: {theirs / ours:.2f} times as fast"
    )


if __name__ == "__main__":
    main()
