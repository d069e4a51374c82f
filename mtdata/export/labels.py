"""The form in which the `folder` source reads a label of each kind back, bit for bit."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata.tasks.kinds import Classes, Depth
from mtdata.tasks.task import Task

BLACK, GREY, WHITE = 0, 128, 255


@dataclass(frozen=True)
class Form:
    """How the labels of a task are written.

    `entry` describes them in `tasks.yaml`; `array` makes of a stored label what the file holds.
    """

    suffix: str
    entry: dict[str, Any]
    array: Callable[[NDArray[Any]], NDArray[Any]]

    def content(self, stored: NDArray[Any]) -> bytes:
        """The bytes of the file of a stored label."""
        array = self.array(stored)
        return png(array) if self.suffix == ".png" else npy(array)


def form_of(task: Task) -> Form:
    """The form of the labels of a task."""
    return FORMS[task.kind.name](task)


def _as_stored(stored: NDArray[Any]) -> NDArray[Any]:
    return stored


def _classes(task: Task) -> Form:
    assert isinstance(task.kind, Classes)
    colours = map(list, task.kind.palette)
    classes = dict(zip(task.kind.names, colours, strict=True))
    return Form(".png", {"classes": classes, "void": [WHITE]}, _as_stored)


def _binary(task: Task) -> Form:
    shades = np.full(256, GREY, np.uint8)
    shades[:2] = BLACK, WHITE  # 255, which is void, becomes grey: that can be looked at
    entry = {"ones": [WHITE], "zeros": [BLACK], "void": [GREY]}
    return Form(".png", entry, lambda stored: shades[stored])


def _depth(task: Task) -> Form:
    kind = task.kind
    assert isinstance(kind, Depth)
    if kind.dtype == "uint16":
        entry = {"units": kind.unit, "scale": kind.scale, "offset": kind.offset, "void": [0]}
        return Form(".png", entry, _as_stored)
    # A disparity of zero is a value: void is NaN, as in the store.
    return Form(".npy", {"units": kind.unit, "void": [], "invalid": "void"}, _as_stored)


def _normals(task: Task) -> Form:
    return Form(".npy", {}, lambda stored: task.kind.decode(stored)[0])


FORMS: dict[str, Callable[[Task], Form]] = {
    "classes": _classes,
    "binary": _binary,
    "depth": _depth,
    "normals": _normals,
}
"""For each kind of label."""


def png(array: NDArray[Any]) -> bytes:
    """A PNG of `[h, w]` (8 or 16 bits) or `[h, w, 3]` red first."""
    import cv2

    pixels = array[..., ::-1] if array.ndim == 3 else array
    done, content = cv2.imencode(".png", np.ascontiguousarray(pixels))
    assert done
    return content.tobytes()


def npy(array: NDArray[Any]) -> bytes:
    """A `.npy` file of an array."""
    buffer = BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()
