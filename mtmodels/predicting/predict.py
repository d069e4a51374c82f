"""Predict images with a run that was trained, and write files."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.progress import Progress
from mtdata.sources.files.imagefile import read_rgb
from mtdata.urls import StorePath
from mtmodels.errors import UnreadImagesError
from mtmodels.predicting.attention import check_attention
from mtmodels.predicting.folder import INDEX, Folder
from mtmodels.predicting.images import Image, passed_over, readable_images
from mtmodels.predicting.mapper import check_maps, open_mapper
from mtmodels.predicting.opening import open_predictor
from mtmodels.predicting.predictor import Predictor
from mtmodels.predicting.sizes import How, Size, network_size
from mtmodels.predicting.videos import count, frames, is_video
from mtmodels.predicting.writing import Writer
from mtmodels.training.setup.loading import Which, open_run


class Read(NamedTuple):
    """An image that was read: a file, or a frame of a video."""

    name: str
    path: Path
    frame: int | None = None
    seconds: float | None = None

    def where(self) -> dict[str, Any]:
        """Where it is from."""
        place = {} if self.frame is None else {"frame": self.frame, "seconds": self.seconds}
        return {"name": self.name, "source": str(self.path), **place}


class Group(NamedTuple):
    """Images that are predicted at once, at one size."""

    images: list["Read"]
    pixels: list[NDArray[np.uint8]]
    size: Size


def predict(
    path: Path,
    images: Sequence[Path],
    out: Path,
    *,
    tasks: Sequence[str] | None = None,
    size: How = "trained",
    which: Which | None = None,
    batch: int | None = None,
    device: str = "auto",
    raw: bool = False,
    pictures: bool = True,
    mapped: bool = False,
    attention: bool = False,
    data: StorePath | None = None,
    every: int = 1,
    trust_plugins: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Predict images, and write what each task has at each of their pixels.

    Args:
        path: The run folder.
        images: Files, videos too, and folders that are searched for images.
        out: The folder to write.
        tasks: Which; None for all of the run.
        size: At which size to predict; see `network_size`.
        which: The checkpoint; None for the one that the run selected.
        batch: Images at once; None for the batch of the run, 1 where they keep their own size.
        device: "auto" for a card where there is one, "cpu" or "cuda".
        raw: Whether to write what the network gave, too.
        pictures: Whether to draw image and predictions side by side, which takes time.
        mapped: Whether to draw predictions beside their maps in the joint spaces of task pairs.
        attention: Whether to draw the masks by which each task picks from the maps of the network,
            and with `raw` to write them.
        data: A store that knows the tasks; None for what the run knows itself.
        every: Of videos every so-many-th frame.
        trust_plugins: Whether to run the plug-ins of a run that is from elsewhere.
        overwrite: Whether `out` may hold files.
        progress: Told (images done, images, what).

    Returns:
        What was written to `predictions.json`.

    Raises:
        RunFolderError: where there is no run or no such checkpoint.
        UsageError: for images, tasks or a folder that cannot be, and where `mapped` is wanted of a
            method without joint spaces, or `attention` of a network without.
        SampleError: where the only file is no whole image or video.
        UnreadImagesError: where some files are none, after all others are predicted and written;
            it holds what would have been returned.
        PredictionError: where a prediction is not finite.
        MtdataError: where the disk is full or cannot be written.
    """
    run, folder = open_run(path, trust_plugins=trust_plugins), Folder(out)
    if mapped:
        check_maps(run, tasks)
    if attention:
        check_attention(run)
    folder.check(overwrite=overwrite)
    found, bad = readable_images(images, out)
    if not found:
        raise bad[0] if len(bad) == 1 else UnreadImagesError(bad, None)
    predictor = open_predictor(run, tasks=tasks, which=which, device=device, data=data)
    mapper = open_mapper(run, predictor, which) if mapped else None
    writer = Writer(folder, predictor.tasks, raw=raw, pictures=pictures, mapper=mapper)
    at_once = batch or (1 if size == "native" else run.config.batch)
    rows: list[dict[str, Any]] = []
    videos = [image.path for image in found if is_video(image.path)]
    expected = len(found) - len(videos) + _expected(videos, every)
    read = _read(found, bad, every)
    for group in _groups(read, size, predictor.trained_size, at_once=at_once):
        if not rows:
            folder.begin()
        for row in _write(group, predictor, writer, attention=attention):
            rows.append(row)
            if progress is not None:
                progress(len(rows), max(expected, len(rows)), "predict")
    if not rows:
        raise bad[0] if len(bad) == 1 else UnreadImagesError(bad, None)
    index: dict[str, Any] = {
        "run": str(path),
        "checkpoint": which or run.selected,
        "dataset": run.dataset,
        "tasks": writer.describe(),
        "images": rows,
    }
    if others := passed_over(images, out):
        index["passed_over"] = others
    if bad:
        index["unread"] = [
            {"source": str(error.path), "problem": f"{error.problem} {error.remedy}"}
            for error in bad
        ]
    folder.put(INDEX, (json.dumps(index, indent=2) + "\n").encode())
    if bad:
        raise UnreadImagesError(bad, index)
    return index


def _expected(videos: Sequence[Path], every: int) -> int:
    """About how many frames there are; what is wrong with a video is told when it is read."""
    found = 0
    for path in videos:
        with suppress(SampleError):
            found += count(path, every)
    return found


def _read(
    found: Sequence[Image], bad: list[SampleError], every: int
) -> Iterator[tuple[Read, NDArray[np.uint8]]]:
    """The pixels of all images and frames that can be read; `bad` gets what cannot."""
    for image in found:
        try:
            if not is_video(image.path):
                yield Read(image.name, image.path), read_rgb(image.path)
                continue
            for frame in frames(image.path, every):
                name = f"{image.name}/{frame.number:06d}"
                yield Read(name, image.path, frame.number, round(frame.seconds, 3)), frame.pixels
        except SampleError as error:
            bad.append(error)


def _groups(
    read: Iterator[tuple[Read, NDArray[np.uint8]]], how: How, trained: Size, *, at_once: int
) -> Iterator[Group]:
    """Neighbours that are predicted at the same size, so many at once."""
    group = None
    for image, pixels in read:
        size = network_size((pixels.shape[0], pixels.shape[1]), how, trained)
        if group is not None and (size != group.size or len(group.images) == at_once):
            yield group
            group = None
        group = group or Group([], [], size)
        group.images.append(image)
        group.pixels.append(pixels)
    if group is not None:
        yield group


def _write(
    group: Group, predictor: Predictor, writer: Writer, *, attention: bool
) -> Iterator[dict[str, Any]]:
    """Predict a group and write it; yields what there is to know of each image."""
    names = [image.name for image in group.images]
    given = predictor.predict(group.pixels, names, group.size)
    masks = predictor.attention(group.pixels, group.size) if attention else [None] * len(given)
    rows = zip(group.images, group.pixels, given, masks, strict=True)
    for image, pixels, predictions, own in rows:
        yield {
            **image.where(),
            "size": list(pixels.shape[:2]),
            "predicted_at": list(group.size),
            **writer.write(image.name, pixels, predictions, masks=own),
        }
