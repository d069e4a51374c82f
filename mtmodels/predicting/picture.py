"""An image and its predictions side by side."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtdata import Task
from mtdata.inspecting.figures import draw_into
from mtdata.inspecting.pictures import Panel, labelled_panel, sheet, swatches, title
from mtdata.tasks.resize import fitted, nearest, resize_image

SIDE = 480
"""Pixels of the longer side of what is drawn; a panel is not larger."""


def picture(
    name: str, image: NDArray[np.uint8], tasks: Sequence[Task], labels: Mapping[str, NDArray[Any]]
) -> bytes:
    """Draw them as a PNG.

    Args:
        name: The title of the image.
        image: The image, `[h, w, 3]`.
        tasks: What to draw, in order.
        labels: Predictions in the form of labels, at the size of the image.
    """
    return as_png([side_by_side(name, image, tasks, labels)], tasks, labels)


def side_by_side(
    name: str, image: NDArray[np.uint8], tasks: Sequence[Task], labels: Mapping[str, NDArray[Any]]
) -> list[Panel]:
    """The row of an image and its predictions; the arguments are those of `picture`."""
    size = shown((image.shape[0], image.shape[1]))
    panels = [Panel(name, resize_image(image, size))]
    for task in tasks:
        label = labels[task.name]
        above = title(task, label, np.ones(label.shape[:2], np.bool_))
        panels.append(labelled_panel(task, nearest(label, size), name=above))
    return panels


def as_png(
    rows: Sequence[Sequence[Panel]], tasks: Sequence[Task], labels: Mapping[str, NDArray[Any]]
) -> bytes:
    """A sheet as a PNG, with the classes that are predicted as its legend."""
    legend = [entry for task in tasks for entry in swatches(task, [labels[task.name]])]
    content = BytesIO()
    draw_into(content, sheet(rows, legend=legend))
    return content.getvalue()


def shown(size: tuple[int, int]) -> tuple[int, int]:
    """The height and width at which a picture of that size is drawn."""
    return fitted(size, SIDE)
