"""A photo and what a network says of it: exact values, pictures, files."""

import io
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mtdata import Binary, Classes, Depth, Task
from mtdata.errors import UnknownNameError, UsageError
from mtdata.inspecting.pictures import Picture, render
from mtdata.tasks.resize import nearest, resize_image
from mtmodels.predicting.fill import confidence
from mtmodels.predicting.formats import format_of, png, value_at
from mtmodels.predicting.predictor import Predictor
from mtmodels.predicting.sizes import Size, network_size

PHOTO = "photo"
LONGEST = 1600
"""Pixels of the longer side of a picture; values and files have every pixel of the photo."""
KEPT, BYTES = 4, 2**29
"""Answers that are kept for pages that ask on, and what they may take together."""
FileForm = Literal["npy", "png"]


class ForgottenError(UsageError):
    """An answer that is kept no more."""


@dataclass(frozen=True)
class Answer:
    """What a network says of a photo, at each of its pixels.

    Args:
        name: What the photo is called.
        photo: RGB, uint8 `[h, w, 3]`.
        tasks: What was predicted.
        values: Of each task, as `Predictor` gives them.
        logits: Of each task with classes, as the network gave them: the probability of a class is
            asked for at one pixel, and a map of it takes as long to make as all else.
        predicted_at: Height and width that the network saw.
        seconds: How long it took, from the photo to the values.
    """

    name: str
    photo: NDArray[np.uint8]
    tasks: tuple[Task, ...]
    values: Mapping[str, NDArray[Any]]
    logits: Mapping[str, Tensor]
    predicted_at: Size
    seconds: float

    @classmethod
    def of(cls, predictor: Predictor, photo: NDArray[np.uint8], name: str) -> "Answer":
        """Ask a network.

        Raises:
            PredictionError: where a value is not finite.
        """
        started = time.perf_counter()
        own = photo.shape[0], photo.shape[1]
        size = network_size(own, "trained", predictor.trained_size)
        given = predictor.predict([photo], [name], size)[0]
        tasks = predictor.tasks
        values = {task.name: value_at(task, given[task.name], own) for task in tasks}
        logits = {t.name: given[t.name].cpu() for t in tasks if isinstance(t.kind, Classes)}
        return cls(name, photo, tasks, values, logits, size, time.perf_counter() - started)

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        arrays = [self.photo, *self.values.values()]
        return sum(a.nbytes for a in arrays) + sum(x.nbytes for x in self.logits.values())

    def described(self) -> dict[str, Any]:
        """What a page says of it, and of each task."""
        height, width = self.photo.shape[:2]
        return {
            "name": self.name, "height": height, "width": width, "seconds": self.seconds,
            "predicted_at": list(self.predicted_at),
            "tasks": {task.name: _described(task, self.values[task.name]) for task in self.tasks},
        }  # fmt: skip

    def at(self, x: int, y: int) -> dict[str, list[int | float]]:
        """The exact values of a pixel; behind the id of a class its probability.

        Raises:
            UsageError: where the photo has no such pixel.
        """
        height, width = self.photo.shape[:2]
        if not (x < width and y < height):
            raise UsageError(f"a pixel should be one of {width} x {height}; found {x}, {y}.")
        found: dict[str, list[int | float]] = {PHOTO: self.photo[y, x].tolist()}
        for name, values in self.values.items():
            found[name] = np.atleast_1d(values[y, x]).tolist()
            if name in self.logits:
                given, row = self.logits[name], range(y, y + 1)
                sure = confidence(self.task(name), given, None, (height, width), rows=row)
                found[name].append(sure[0, 0, x].item())
        return found

    def picture(self, what: str) -> Picture:
        """The photo or a task as it is drawn, its longer side `LONGEST` at most.

        Raises:
            UnknownNameError: where there is no such task.
        """
        scale = min(1.0, LONGEST / max(self.photo.shape[:2]))
        height, width = (max(1, round(side * scale)) for side in self.photo.shape[:2])
        if what == PHOTO:
            return resize_image(self.photo, (height, width))
        task = self.task(what)
        return drawn(task, nearest(self.values[what], (height, width)))

    def file(self, what: str, form: FileForm) -> bytes:
        """A prediction as a file: numpy's own with the values as they are, or a PNG.

        The PNG is that of `mtmodels predict`: class ids with a palette, millimetres, a probability
        times 255; a picture of normals and of inverse depth.

        Raises:
            UnknownNameError: where there is no such task.
        """
        task = self.task(what)
        value = self.values[what]
        if form == "npy":
            file = io.BytesIO()
            np.save(file, np.ascontiguousarray(value), allow_pickle=False)
            return file.getvalue()
        for each in format_of(task).forms(task):
            if each.suffix == ".png":
                return each.encode(task, value)
        return png(drawn(task, value))

    def task(self, name: str) -> Task:
        """The task of a name.

        Raises:
            UnknownNameError: where there is none.
        """
        found = {task.name: task for task in self.tasks}
        if name not in found:
            raise UnknownNameError("task of this run:", name, found)
        return found[name]


def drawn(task: Task, value: NDArray[Any]) -> Picture:
    """The picture of a value: as `render` draws labels, but a probability in all greys."""
    if isinstance(task.kind, Binary):
        grey = np.rint(value * 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, -1)
    return render(task, value)


def _described(task: Task, value: NDArray[Any]) -> dict[str, Any]:
    if isinstance(task.kind, Classes):
        counts = np.bincount(value.ravel(), minlength=task.channels)
        order = np.argsort(-counts, kind="stable")
        return {"classes": [[int(i), float(counts[i] / value.size)] for i in order if counts[i]]}
    if isinstance(task.kind, Depth):
        return {"range": [float(value.min()), float(value.max())]}
    return {}


class Answers:
    """The last answers, in memory alone; a page asks on for pictures and values of its own."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Answer] = OrderedDict()

    def keep(self, answer: Answer) -> str:
        """Keep it; returns by what to ask for it."""
        token = secrets.token_urlsafe(12)
        self._kept[token] = answer
        while len(self._kept) > KEPT or (
            len(self._kept) > 1 and sum(each.nbytes for each in self._kept.values()) > BYTES
        ):
            self._kept.popitem(last=False)
        return token

    def find(self, token: str) -> Answer:
        """The answer that is asked for.

        Raises:
            ForgottenError: where it is kept no more.
        """
        found = self._kept.get(token)
        if found is None:
            raise ForgottenError(
                "the prediction of this photo is kept no more, as others came after it. Give the "
                "photo again."
            )
        return found
