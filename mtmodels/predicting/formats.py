"""How a prediction becomes files, one row a kind of label."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from numpy.typing import NDArray
from torch import Tensor

from mtdata import Classes, Depth, Task
from mtdata.errors import named
from mtdata.export import labels
from mtdata.inspecting.pictures import render
from mtmodels.kinds import kind_model
from mtmodels.predicting.sizes import Size, at_size

RAW = "raw"
"""The folder of what the network gave."""
Value = Callable[[Task, Float[Tensor, "n c h w"]], Shaped[Tensor, "n d h w"]]


@dataclass(frozen=True)
class Form:
    """One file of a prediction.

    Args:
        suffix: ".png" or ".npy".
        encoding: How values lie in the file.
        holds: What the values are.
        encode: The content of the file, from `[h, w]` or `[h, w, c]`.
        above: The folder above that of the task.
    """

    suffix: str
    encoding: str
    holds: str
    encode: Callable[[Task, NDArray[Any]], bytes]
    above: str = ""

    def place(self, task: Task, name: str) -> str:
        """The path of the file for an image of that name."""
        return f"{self.above}{task.name}/{name}{self.suffix}"

    def to_json(self, task: Task) -> dict[str, str]:
        """For `predictions.json`; NAME stands for the name of an image."""
        place = self.place(task, "NAME")
        return {"place": place, "encoding": self.encoding, "holds": self.holds}


@dataclass(frozen=True)
class Format:
    """The files of a kind.

    Args:
        forms: The files of a task of this kind.
        gives: What a network gives.
        value: What is kept of that where it has the size of its image.
        label: What is kept as a label, for a picture beside others.
    """

    forms: Callable[[Task], tuple[Form, ...]]
    gives: str
    value: Value
    label: Callable[[NDArray[Any]], NDArray[Any]] = lambda value: value


def npy(task: Task, value: NDArray[Any]) -> bytes:
    """Values as float32 in numpy's own format."""
    return labels.npy(np.asarray(value, np.float32))


def _palette_png(task: Task, ids: NDArray[Any]) -> bytes:
    from PIL import Image

    assert isinstance(task.kind, Classes)
    picture = Image.fromarray(ids.astype(np.uint8))
    # A palette of 256 colours keeps the ids at 8 bits: a shorter one would pack them.
    picture.putpalette(np.asarray(task.kind.palette, np.uint8).tobytes().ljust(768, b"\0"))
    buffer = BytesIO()
    picture.save(buffer, "png")
    return buffer.getvalue()


def _millimetres(task: Task, metres: NDArray[Any]) -> bytes:
    return labels.png(np.rint(np.clip(metres * 1000.0, 0, 65535)).astype(np.uint16))


def _probability(task: Task, value: NDArray[Any]) -> bytes:
    return labels.png(np.rint(value * 255).astype(np.uint8))


def _picture(task: Task, value: NDArray[Any]) -> bytes:
    return labels.png(render(task, value))


IDS = Form(".png", "8-bit PNG with a palette", "class ids", _palette_png)
MILLIMETRES = Form(".png", "16-bit grey PNG", "millimetres, cut off at 0 and 65535", _millimetres)
PROBABILITY = Form(".png", "8-bit grey PNG", "probability of 1, times 255", _probability)
VECTORS = Form(".npy", "float32 [h, w, 3]", "unit vectors: x right, y up, z to the camera", npy)
COLOURS = Form(".png", "8-bit RGB PNG", "a picture: (vector + 1) * 127.5", _picture)


def _depth_forms(task: Task) -> tuple[Form, ...]:
    assert isinstance(task.kind, Depth)
    if not task.kind.inverse:
        return (MILLIMETRES,)
    return (Form(".npy", "float32 [h, w]", task.kind.units, npy),)


def _decided(task: Task, prediction: Float[Tensor, "n c h w"]) -> Shaped[Tensor, "n d h w"]:
    """As a label has it; interpolated vectors are unit again."""
    model = kind_model(task)
    return model.as_label(model.activation(prediction))


def _class(task: Task, logits: Float[Tensor, "n c h w"]) -> Shaped[Tensor, "n 1 h w"]:
    return _decided(task, logits).to(torch.uint8)


def _likelihood(task: Task, logit: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    return torch.sigmoid(logit)


FORMATS: Mapping[str, Format] = {
    "classes": Format(lambda task: (IDS,), "logits [h, w, classes]", _class),
    "binary": Format(
        lambda task: (PROBABILITY,), "logit of 1 [h, w]", _likelihood, lambda value: value > 0.5
    ),
    "depth": Format(_depth_forms, "depth in the units of the task [h, w]", _decided),
    "normals": Format(lambda task: (VECTORS, COLOURS), "unit vectors [h, w, 3]", _decided),
}


def format_of(task: Task) -> Format:
    """The row of the kind of a task.

    Raises:
        UnknownNameError: where the kind has no row.
    """
    return named("kind of label", task.kind.name, FORMATS)


def raw_form(task: Task) -> Form:
    """The file of what the network gave, before anything was resized, decided or rounded."""
    holds = f"{format_of(task).gives}, at the size that the network predicted at"
    return Form(".npy", "float32", holds, npy, above=f"{RAW}/")


def as_array(value: Shaped[Tensor, "c h w"]) -> NDArray[Any]:
    """`[h, w]` of one channel, else `[h, w, c]`, as labels have it."""
    array = value.cpu().numpy()
    return array[0] if len(array) == 1 else array.transpose(1, 2, 0)


def value_at(
    task: Task,
    given: Float[Tensor, "c h w"],
    size: Size,
    *,
    rows: Sequence[int] | None = None,
    columns: Sequence[int] | None = None,
) -> NDArray[Any]:
    """The value of a task at each pixel of an image of that size, or of some rows and columns."""
    value = format_of(task).value
    found = at_size(given, size, lambda band: value(task, band), rows=rows, columns=columns)
    return as_array(found)
