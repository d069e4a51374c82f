"""One image or label as a page shows it: the picture, the exact values, and what is said of it."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtdata.browsing.models import Model
from mtdata.browsing.opened import HIDDEN, MISSING, SHOWN, Place, View
from mtdata.errors import UsageError, named
from mtdata.inspecting import pictures
from mtdata.inspecting.pictures import (
    Picture,
    absent_panel,
    depth_limits,
    error_picture,
    most_wrong,
    render,
)
from mtdata.tasks.kinds import Classes, Depth
from mtdata.tasks.resize import fitted, nearest, resize_image
from mtdata.tasks.task import Task

PHOTO = "photo"
THUMB = 160
"""Pixels of the longer side of a small picture."""
FRAME = 3
"""Pixels of the frame of a small picture that tells of an added or a hidden label."""
VOID = 255
Size = Literal["small", "whole"]
Part = Literal["label", "prediction", "error"]


@dataclass(frozen=True)
class Seen:
    """A label that may be looked at, `[h, w]` or `[h, w, 3]`, where it is valid, and its state.

    `state` is `h` for one that the regime hides and that was asked for all the same.
    """

    task: Task
    label: NDArray[Any]
    valid: NDArray[np.bool_]
    state: str

    @property
    def limits(self) -> tuple[float, float]:
        """The depths that the colours span."""
        return depth_limits(self.label, self.valid)


@dataclass(frozen=True)
class Looked:
    """An image as a regime shows it; with `reveal`, what that hides is shown too."""

    view: View
    place: Place
    reveal: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        height, width = self.place.split.sizes[self.place.index].tolist()
        return height, width

    def task(self, name: str) -> Task:
        """The task of a name.

        Raises:
            UnknownNameError: where there is none.
        """
        return named("task", name, {task.name: task for task in self.place.split.tasks})

    def state(self, task: Task) -> str:
        """What there is of a label, before any is asked for that is hidden."""
        states = self.view.state(self.place.split.name, self.place.index)
        return states[self.place.split.tasks.index(task)]

    def photo(self) -> NDArray[np.uint8]:
        """The image, uint8 [h, w, 3]."""
        return self.place.split.read_true(self.place.index, None)

    def label(self, name: str) -> Seen | None:
        """A label, or None for one that the store lacks or the regime hides; that is not read.

        Raises:
            StoreError: where it cannot be read.
        """
        task = self.task(name)
        state = self.state(task)
        if state == MISSING or (state == HIDDEN and not self.reveal):
            return None
        # What the view hides is in the split beneath it; the view itself refuses to give it.
        split = self.place.split if state == HIDDEN else self.view.splits[self.place.split.name]
        stored = split.read_true(self.place.index, task.name)
        return Seen(task, *task.kind.decode(stored), state)

    def predicted(self, model: Model, name: str) -> NDArray[Any]:
        """What a run says of a task, in the form of a label.

        Raises:
            UsageError: where the run does not know the task.
        """
        if name not in model.tasks:
            raise UsageError(f"the run {model.name} should know the task; it has no {name}.")
        return model.of(self.place.split, self.place.index)[name]

    def error(self, model: Model, name: str) -> tuple[Seen, NDArray[np.float32]] | None:
        """How far a run is from the label, NaN where that is void; None without a label."""
        seen = self.label(name)
        if seen is None:
            return None
        apart = seen.task.kind.distance(self.predicted(model, name), seen.label)
        return seen, np.where(seen.valid, apart, np.nan).astype(np.float32)


def picture(looked: Looked, what: str, part: Part, model: Model | None, size: Size) -> Picture:
    """What a page draws of the photo or of a task."""
    height, width = fitted(looked.size, THUMB) if size == "small" else looked.size
    if what == PHOTO:
        photo = looked.photo()
        return photo if size == "whole" else resize_image(photo, (height, width))
    if part == "error" and model is not None:
        found = looked.error(model, what)
        if found is None:
            return _absent(looked, what, height, width)
        of, error = found
        drawn = error_picture(of.task, of.label, of.valid, error)
        return nearest(drawn, (height, width))
    seen = looked.label(what)
    if part == "prediction" and model is not None:
        given = looked.predicted(model, what)
        limits = _limits(seen, given)
        return nearest(render(looked.task(what), given, limits=limits), (height, width))
    if seen is None:
        return _absent(looked, what, height, width)
    shown = nearest(render(seen.task, seen.label, seen.valid), (height, width))
    return _framed(shown, seen.state) if size == "small" else shown


def _limits(seen: Seen | None, predicted: NDArray[Any]) -> tuple[float, float]:
    """The depths that the colours of a prediction span: those of the label where that is seen."""
    if seen is not None:
        return seen.limits
    return depth_limits(predicted, np.ones(predicted.shape[:2], np.bool_))


def _absent(looked: Looked, name: str, height: int, width: int) -> Picture:
    hidden = looked.state(looked.task(name)) == HIDDEN
    why = pictures.HIDDEN if hidden else pictures.MISSING
    return absent_panel(name, height, width, why).picture


def _framed(picture: Picture, state: str) -> Picture:
    if state == SHOWN:
        return picture
    added = {"d": pictures.ADDED["derived"][1], "f": pictures.ADDED["filled"][1]}
    colour = added.get(state, pictures.ABSENT[pictures.HIDDEN][1][0])
    inside = picture[FRAME:-FRAME, FRAME:-FRAME].copy()
    framed = np.empty_like(picture)
    framed[...] = colour
    framed[FRAME:-FRAME, FRAME:-FRAME] = inside
    return framed


def values(looked: Looked, what: str, part: Part, model: Model | None) -> NDArray[Any] | None:
    """The exact values, `[h, w, c]`: uint8 with 255 for void, or float32 with NaN for void.

    Returns:
        None where there is no label, or it may not be seen.
    """
    if what == PHOTO:
        return looked.photo()
    if part == "error" and model is not None:
        found = looked.error(model, what)
        return None if found is None else found[1][..., None]
    if part == "prediction" and model is not None:
        given = looked.predicted(model, what)
        valid = np.ones(given.shape[:2], np.bool_)
    else:
        seen = looked.label(what)
        if seen is None:
            return None
        given, valid = seen.label, seen.valid
    cells = given[..., None] if given.ndim == 2 else given
    whole = cells.dtype == np.uint8
    void = np.uint8(VOID) if whole else np.float32(np.nan)
    shown: NDArray[Any] = np.where(valid[..., None], cells, void)
    return shown.astype(np.uint8 if whole else np.float32)


def described(looked: Looked) -> dict[str, object]:
    """What a page says of an image: of each task its state, and of what is seen its values."""
    split, index = looked.place.split, looked.place.index
    height, width = looked.size
    camera = split.camera(index)
    return {
        "split": split.name,
        "key": split.keys[index],
        "height": height,
        "width": width,
        "source": split.source_sizes[index].tolist(),
        "crop": split.crops[index].tolist(),
        "camera": None if camera is None else [camera.fx, camera.fy, camera.cx, camera.cy],
        "tasks": [_task(looked, task) for task in split.tasks],
    }


def predicted(looked: Looked, name: str, model: Model) -> dict[str, object]:
    """What a page says of a prediction: its classes, or the depths that its colours span."""
    task, given = looked.task(name), looked.predicted(model, name)
    if isinstance(task.kind, Depth):
        return {"limits": _limits(looked.label(name), given)}
    if isinstance(task.kind, Classes):
        return {"classes": _classes(task, given.ravel(), given.size)}
    return {}


def _classes(task: Task, ids: NDArray[Any], pixels: int) -> list[tuple[int, float]]:
    """The classes of some pixels and the share that each has of all, the most frequent first."""
    counts = np.bincount(ids, minlength=task.channels)
    order = np.argsort(-counts, kind="stable")
    return [(int(each), float(counts[each] / pixels)) for each in order if counts[each]]


def _task(looked: Looked, task: Task) -> dict[str, object]:
    state = looked.state(task)
    seen = looked.label(task.name)
    told: dict[str, object] = {"name": task.name, "state": state, "seen": seen is not None}
    if seen is None:
        return told
    told["valid"] = float(seen.valid.mean())
    told["wrong"] = most_wrong(seen.task, seen.label, seen.valid)
    if isinstance(task.kind, Depth) and seen.valid.any():
        told["limits"] = seen.limits
        told["range"] = [float(end(seen.label[seen.valid])) for end in (np.min, np.max)]
    if isinstance(task.kind, Classes):
        told["classes"] = _classes(task, seen.label[seen.valid], seen.valid.size)
    return told
