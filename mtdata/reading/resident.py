"""All that a run trains on, kept on a card, and batches of it made there."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import NDArray
from torch import Tensor

from mtdata.errors import UsageError
from mtdata.progress import Progress
from mtdata.reading.augment import Augmentation, sample_rng
from mtdata.reading.batch import Batch, extents_and_cameras, in_unit
from mtdata.reading.dataset import Dataset
from mtdata.reading.geometry import Change, Paste, Rotate, device, gathered
from mtdata.reading.memory import available
from mtdata.store import format as layout
from mtdata.tasks.stored import StoredSample
from mtdata.tasks.task import Task

Item = tuple[int, int]
"""An epoch and an image."""
SPARE = 0.75
"""The share of the free memory of a card that it may take: the network has to train there too."""


class Resident:
    """The images of a dataset and the labels that may be seen, in tensors of a device.

    A batch is what collating the samples of the dataset gives, with the same draws of the same
    generators: the same bits, but for normals (2e-5), and for samples that are turned or shrunk,
    whose images differ by up to two grey levels, and normals by 4e-3, as OpenCV rounds in between.

    Args:
        dataset: What is kept; a label that it does not show is never read.
        on: The device.

    Raises:
        UsageError: where that needs more memory than is free there, or a sample is changed in a way
            that only processors can do.
    """

    memory = "memory of the card"
    """In words."""

    def __init__(self, dataset: Dataset, on: torch.device) -> None:
        transform = dataset.transform or Augmentation(flip=0.0, scales=(1.0,))
        if not isinstance(transform, Augmentation) or transform.photometric is not None:
            raise UsageError(
                "`cache` should be `memory` where images are changed by a library for processors: "
                "`augmentation.photometric` is one. Give --cache memory, or leave the change of "
                "colours out."
            )
        self.dataset, self.device, self._transform = dataset, on, transform
        n, size = len(dataset), dataset.size
        # Where each label is among those of its task; -1 where it may not be seen.
        seen = dataset.labelled
        self._places = np.where(seen, np.cumsum(seen, axis=0) - 1, -1)
        self._forms = {task.name: _form(task, size) for task in dataset.tasks}
        pixels = prod(size)
        self.nbytes = n * 3 * pixels + sum(
            int(count) * (prod(shape) * dtype.itemsize + pixels)
            for count, (shape, dtype) in zip(seen.sum(0), self._forms.values(), strict=True)
        )
        """Bytes of memory that it takes."""
        self._check_memory()
        self._images = torch.empty(0)
        self._labels: dict[str, tuple[Tensor, Tensor]] = {}
        self._known: list[StoredSample | None] = [None] * n

    @property
    def cells(self) -> tuple[int, int]:
        """How many images and how many labels are kept."""
        return len(self.dataset), int(self.dataset.labelled.sum())

    def fill(self, progress: Progress | None = None) -> None:
        """Read every image and every label that may be seen.

        Args:
            progress: Told how many images are done, and of how many.

        Raises:
            StoreError: where a chunk is broken; it names the sample and the label.
        """
        for index in range(len(self.dataset)):
            self._read(index)
            if progress is not None:
                progress(index + 1, len(self.dataset), "cache")

    def batch(self, items: Sequence[Item], *, seed: int) -> Batch:
        """The batch of some images, each changed as it is in its epoch.

        Raises:
            StoreError: where something was not read before, and cannot be.
        """
        known = [self._read(index) for _, index in items]
        changes = [
            self._transform.changes(sample_rng(seed, epoch, sample.key), sample)
            for (epoch, _), sample in zip(items, known, strict=True)
        ]
        images = [index for _, index in items]
        places = self._places[images]
        labels, valid, rows = {}, {}, {}
        # In the order in which the samples show them.
        for column in dict.fromkeys(np.argwhere(places >= 0)[:, 1].tolist()):
            task, shown = self.dataset.tasks[column], np.flatnonzero(places[:, column] >= 0)
            labels[task.name], valid[task.name] = self._label(
                task, places[shown, column], [changes[row] for row in shown]
            )
            rows[task.name] = torch.from_numpy(shown).to(self.device)
        moved = [_moved(sample, each) for sample, each in zip(known, changes, strict=True)]
        extents, cameras = extents_and_cameras(moved)
        keys = tuple(sample.key for sample in known)
        image = self._image(np.array(images), changes)
        return Batch(keys, image, labels, valid, rows, extents, cameras)

    def _image(
        self, at: NDArray[np.int64], changes: Sequence[Sequence[Change]]
    ) -> Float[Tensor, "b 3 h w"]:
        place, windows = self._windows(at, changes)
        image = gathered.images(self._images, place, windows).permute(0, 3, 1, 2)
        for row in _alone(changes):
            one = image[row : row + 1].float()
            for change in changes[row]:
                one = device.apply(one, [change])[0].round()
            image[row] = one[0].to(torch.uint8)
        return in_unit(image)

    def _label(
        self, task: Task, at: NDArray[np.int64], changes: Sequence[Sequence[Change]]
    ) -> tuple[Shaped[Tensor, "n c h w"], Bool[Tensor, "n h w"]]:
        kept, seen = self._labels[task.name]
        place, windows = self._windows(at, changes)
        valid = gathered.pick(seen, place, windows)
        if task.kind.interpolation == "linear":
            label = gathered.vectors(kept, seen, place, windows)
        else:
            label = gathered.pick(kept, place, windows)
        paper = self._transform.paper_geometry
        label = gathered.corrected(label, task.kind, _together(changes), paper=paper)
        label = label[:, None] if label.ndim == 3 else label.permute(0, 3, 1, 2).contiguous()
        for row in _alone(changes):
            one, some = label[row : row + 1], valid[row : row + 1]
            for change in changes[row]:
                one, some = device.apply(one, [change], kind=task.kind, valid=some, paper=paper)
            label[row], valid[row] = one[0], some[0]
        return label, valid

    def _windows(
        self, at: NDArray[np.int64], changes: Sequence[Sequence[Change]]
    ) -> tuple[Int[Tensor, " b"], gathered.Windows]:
        windows = gathered.Windows.of(_together(changes), self.dataset.size, self.device)
        return torch.from_numpy(at).to(self.device, non_blocking=True), windows

    def _read(self, index: int) -> StoredSample:
        """Read an image and what it shows, once; what is left to know of it on the processor."""
        found = self._known[index]
        if found is not None:
            return found
        if not self._labels:
            self._images, self._labels = self._room()
        dataset = self.dataset
        shown = {
            task.name: place
            for task, place in zip(dataset.tasks, self._places[index].tolist(), strict=True)
            if place >= 0
        }
        sample = dataset.split.read(int(dataset.rows[index]), list(shown))
        self._images[index] = torch.from_numpy(sample.image)
        for name, place in shown.items():
            label, valid = self._labels[name]
            label[place] = torch.from_numpy(sample.labels[name])
            valid[place] = torch.from_numpy(sample.valid[name])
        blank = np.broadcast_to(np.uint8(0), sample.image.shape)
        found = StoredSample(sample.key, blank, {}, sample.camera, sample.extent)
        self._known[index] = found
        return found

    def _room(self) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
        """Tensors for all that is kept."""
        size, counts = self.dataset.size, self.dataset.labelled.sum(0).tolist()
        labels = {
            name: (
                torch.empty((count, *shape), dtype=dtype, device=self.device),
                torch.empty((count, *size), dtype=torch.bool, device=self.device),
            )
            for (name, (shape, dtype)), count in zip(self._forms.items(), counts, strict=True)
        }
        images = torch.empty((len(self.dataset), *size, 3), dtype=torch.uint8, device=self.device)
        return images, labels

    def _check_memory(self) -> None:
        card = self.device.type == "cuda"
        free = torch.cuda.mem_get_info(self.device)[0] if card else available()
        if free is not None and self.nbytes > SPARE * free:
            raise UsageError(
                "`cache` should be `memory` or `none` where a card is small: the "
                f"{self.nbytes / 1e9:.2f} GB of images and visible labels are more than "
                f"{SPARE:.0%} of the {free / 1e9:.2f} GB that are free there, and the network "
                "needs the rest. Give --cache memory, train fewer tasks, or read smaller images "
                "with --size."
            )


def _form(task: Task, size: tuple[int, int]) -> tuple[tuple[int, ...], torch.dtype]:
    """Shape and type of a decoded label."""
    shape, dtype = layout.stored_form(task.kind, size)
    label = torch.from_numpy(task.kind.decode(np.zeros(shape, dtype))[0])
    return tuple(label.shape), label.dtype


def _moved(sample: StoredSample, changes: Sequence[Change]) -> StoredSample:
    """Camera and extent after some changes."""
    camera, extent = sample.camera, sample.extent
    for change in changes:
        camera = camera and change.camera(camera, *sample.image.shape[:2])
        extent = change.extent(extent, *sample.image.shape[:2])
    return replace(sample, camera=camera, extent=extent)


def _alone(changes: Sequence[Sequence[Change]]) -> list[int]:
    """The images that more is done to than cropping and mirroring: one after the other."""
    return [
        row for row, each in enumerate(changes)
        if any(isinstance(change, Rotate | Paste) for change in each)
    ]  # fmt: skip


def _together(changes: Sequence[Sequence[Change]]) -> list[Sequence[Change]]:
    """What is done to all images at once; nothing to those that come alone."""
    alone = set(_alone(changes))
    return [() if row in alone else each for row, each in enumerate(changes)]
