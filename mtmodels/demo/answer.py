"""A photo and what a network says of it: exact values, pictures, files.

Of a large photo what the network gave is kept at the size that it saw, and brought to that of the
photo where somebody looks: whole maps of 67 million pixels take 270 MB a number, and seconds.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata import Binary, Classes, Depth, Task
from mtdata.errors import UsageError, named
from mtdata.export.labels import npy, png
from mtdata.inspecting.pictures import Picture, render
from mtdata.tasks.resize import centres, fitted, nearest, resize_image
from mtmodels.predicting.fill import confidence
from mtmodels.predicting.formats import format_of, value_at
from mtmodels.predicting.predictor import Predictor
from mtmodels.predicting.sizes import Size, network_size

PHOTO = "photo"
LONGEST = 1600
"""Pixels of the longer side of a picture; values and files have every pixel of the photo."""
WHOLE = 2**24
"""Pixels of a photo up to which the values of all are kept. Of a larger one the shares of classes
and the range of depth are those of the pixels that are drawn."""
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
        given: Of each task, as `Predictor.predict` gives it, on the processor.
        values: Of each task, as `Predictor` gives them; of no task where the photo is large.
        predicted_at: Height and width that the network saw.
        seconds: How long it took, from the photo to the values.
    """

    name: str
    photo: NDArray[np.uint8]
    tasks: tuple[Task, ...]
    given: Mapping[str, Float[Tensor, "c h w"]]
    values: Mapping[str, NDArray[Any]]
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
        found = predictor.predict([photo], [name], size)[0]
        given = {task: values.cpu() for task, values in found.items()}
        tasks = predictor.tasks if own[0] * own[1] <= WHOLE else ()
        values = {task.name: value_at(task, given[task.name], own) for task in tasks}
        seconds = time.perf_counter() - started
        return cls(name, photo, predictor.tasks, given, values, size, seconds)

    @property
    def size(self) -> Size:
        """Height and width of the photo."""
        return self.photo.shape[0], self.photo.shape[1]

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        given = sum(values.nbytes for values in self.given.values())
        return given + sum(array.nbytes for array in (self.photo, *self.values.values()))

    def described(self) -> dict[str, Any]:
        """What a page says of it, and of each task; `counted_at`: the pixels that it counted."""
        height, width = self.size
        counted = self.size if self.values else self._drawn_at()
        return {
            "name": self.name, "height": height, "width": width, "seconds": self.seconds,
            "predicted_at": list(self.predicted_at), "counted_at": list(counted),
            "tasks": {task.name: self._described(task, counted) for task in self.tasks},
        }  # fmt: skip

    def at(self, x: int, y: int) -> dict[str, list[int | float]]:
        """The exact values of a pixel; behind the id of a class its probability.

        Raises:
            UsageError: where the photo has no such pixel.
        """
        height, width = self.size
        if not (x < width and y < height):
            raise UsageError(f"a pixel should be one of {width} x {height}; found {x}, {y}.")
        found: dict[str, list[int | float]] = {PHOTO: self.photo[y, x].tolist()}
        for task in self.tasks:
            given = self.given[task.name]
            if task.name in self.values:
                value = self.values[task.name][y, x]
            else:
                value = value_at(task, given, self.size, rows=[y], columns=[x])[0, 0]
            found[task.name] = np.atleast_1d(value).tolist()
            if isinstance(task.kind, Classes):
                sure = confidence(task, given, None, self.size, rows=[y])
                found[task.name].append(sure[0, 0, x].item())
        return found

    def picture(self, what: str) -> Picture:
        """The photo or a task as it is drawn, its longer side `LONGEST` at most.

        Raises:
            UnknownNameError: where there is no such task.
        """
        if what == PHOTO:
            return resize_image(self.photo, self._drawn_at())
        task = self.task(what)
        return drawn(task, self._values(task, self._drawn_at()))

    def file(self, what: str, form: FileForm) -> bytes:
        """A prediction as a file: numpy's own with the values as they are, or a PNG.

        The PNG is that of `mtmodels predict`: class ids with a palette, millimetres, a probability
        times 255; a picture of normals and of inverse depth.

        Raises:
            UnknownNameError: where there is no such task.
        """
        task = self.task(what)
        value = self._values(task, self.size)
        if form == "npy":
            return npy(value)
        for each in format_of(task).forms(task):
            if each.suffix == ".png":
                return each.encode(task, value)
        return png(drawn(task, value))

    def _drawn_at(self) -> Size:
        return fitted(self.size, LONGEST)

    def _values(self, task: Task, size: Size) -> NDArray[Any]:
        """The values of a task at the pixels that hold the centres of those of another size."""
        if task.name in self.values:
            return nearest(self.values[task.name], size)
        given = self.given[task.name]
        if size == self.size:
            return value_at(task, given, size)
        rows, columns = (centres(n, o).tolist() for n, o in zip(size, self.size, strict=True))
        return value_at(task, given, self.size, rows=rows, columns=columns)

    def _described(self, task: Task, size: Size) -> dict[str, Any]:
        if isinstance(task.kind, Classes):
            value = self._values(task, size)
            counts = np.bincount(value.ravel(), minlength=task.channels)
            order = np.argsort(-counts, kind="stable")
            return {
                "classes": [[int(i), float(counts[i] / value.size)] for i in order if counts[i]]
            }
        if isinstance(task.kind, Depth):
            value = self._values(task, size)
            return {"range": [float(value.min()), float(value.max())]}
        return {}

    def task(self, name: str) -> Task:
        """The task of a name.

        Raises:
            UnknownNameError: where there is none.
        """
        return named("task of this run", name, {task.name: task for task in self.tasks})


def drawn(task: Task, value: NDArray[Any]) -> Picture:
    """The picture of a value: as `render` draws labels, but a probability in all greys."""
    if isinstance(task.kind, Binary):
        grey = np.rint(value * 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, -1)
    return render(task, value)


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
