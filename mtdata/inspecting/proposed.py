"""A picture of a proposed `tasks.yaml`: some files of each task as a build would read them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtdata.errors import SampleError
from mtdata.inspecting.figures import shortened
from mtdata.inspecting.pictures import (
    Picture,
    Swatch,
    blank,
    depth_limits,
    handles_of,
    render,
    swatches,
)
from mtdata.sources.folder.file import parse
from mtdata.sources.folder.proposing.groups import sample
from mtdata.sources.folder.source import Folder
from mtdata.tasks.kinds import Depth
from mtdata.tasks.task import Task
from mtdata.wording import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILES = 6
WIDE = 1.9
"""Inches that a picture is wide."""
LEFT, RIGHT, HEAD, TITLE, GAP, LINE = 0.15, 1.0, 0.42, 0.22, 0.1, 0.2
SWATCHES = 8
"""Entries in a line of a legend."""
MOST_SWATCHES = 48
NO_LABEL = "no label"
NO_IMAGE = (90, 120)
"""Height and width of what stands for an image that cannot be read."""


class _Read(NamedTuple):
    """An image, and its label with where it is valid; `absent` says why there is none."""

    key: str
    image: Picture
    label: NDArray[Any] | None
    valid: NDArray[np.bool_]
    absent: str


def proposed_sheet(root: Path, text: str, counts: Mapping[str, int]) -> "Figure":
    """Two rows for each task: six images, spread over all, and their labels below.

    Labels have the colours of their classes, depth one range for all six with a bar, what means
    nothing is hatched; a file that a build would refuse says why.

    Args:
        root: The folder.
        text: The content of its `tasks.yaml`.
        counts: How many images have a label of each task.

    Raises:
        MtdataError: where the text is none, or does not fit the folder.
    """
    from matplotlib.figure import Figure

    file = parse(text)
    source = Folder(root, description=file.model_dump(mode="json"))
    rows = [(task, _read(source, task)) for task in file.to_tasks()]
    legends = [swatches(task, _valid(found))[:MOST_SWATCHES] for task, found in rows]
    heights = [
        HEAD + 2 * (_tall(found) + GAP) + TITLE + LINE * -(-(len(legend) + 1) // SWATCHES)
        for (_, found), legend in zip(rows, legends, strict=True)
    ]
    width, height = LEFT + FILES * (WIDE + GAP) + RIGHT, sum(heights) + GAP
    figure = Figure(figsize=(width, height), dpi=110, facecolor="white")
    top = height - GAP
    for (task, found), legend, tall in zip(rows, legends, heights, strict=True):
        told = f"labels of {counted(counts[task.name], 'image')}"
        _draw_task(figure, task, found, legend, top, told)
        top -= tall
    return figure


def _read(source: Folder, task: Task) -> list[_Read]:
    places = [
        at for at in sorted(source.layout.labels[task.name]) if at[1] in source.splits()[at[0]]
    ]
    found = []
    for split, key in sample(places, FILES):
        try:
            image = source.read(split, key, ()).image
        except SampleError:  # the label below says why
            image = blank(*NO_IMAGE)
        nowhere = np.zeros(image.shape[:2], np.bool_)
        try:
            read = source.read(split, key, (task.name,))
            if task.name in read.labels:
                label, valid = read.labels[task.name], read.valid[task.name]
                found.append(_Read(key, image, label, valid, ""))
            else:  # a file of annotations without a shape
                found.append(_Read(key, image, None, nowhere, NO_LABEL))
        except SampleError as error:
            found.append(_Read(key, image, None, nowhere, str(error)))
    return found


def _valid(found: Sequence[_Read]) -> list[NDArray[Any]]:
    return [each.label[each.valid] for each in found if each.label is not None]


def _tall(found: Sequence[_Read]) -> float:
    """Inches of the highest picture, up to twice its width."""
    return WIDE * min(2.0, max(float(np.divide(*each.image.shape[:2])) for each in found))


def _draw_task(
    figure: "Figure",
    task: Task,
    found: Sequence[_Read],
    legend: Sequence[Swatch],
    top: float,
    told: str,
) -> None:
    width, height = figure.get_size_inches()
    values = _valid(found)
    limits = None
    if isinstance(task.kind, Depth) and values:
        flat = np.concatenate(values)
        limits = depth_limits(flat, np.ones(flat.shape, np.bool_))
    head = f"{task.name}:  {task.kind.name}{_units(task)}, {told}"
    figure.text(LEFT / width, (top - 0.22) / height, head, fontsize=11, weight="bold")
    tall = _tall(found)
    above, below = top - HEAD - TITLE / 2 - tall, top - HEAD - TITLE - GAP - 2 * tall
    for column, each in enumerate(found):
        left = LEFT + column * (WIDE + GAP)
        picture = _axes(figure, left, above, WIDE, tall)
        picture.imshow(each.image, interpolation="nearest")
        picture.set_title(shortened(each.key, 30), fontsize=7, pad=2)
        label = _axes(figure, left, below, WIDE, tall)
        if each.label is None:
            label.imshow(blank(*each.valid.shape))
            why = "\n".join(_wrapped(each.absent, 34))
            label.text(0.5, 0.5, why, transform=label.transAxes, ha="center", va="center",
                       fontsize=6, color="#803030")  # fmt: skip
        else:
            label.imshow(render(task, each.label, each.valid, limits=limits),
                         interpolation="nearest")  # fmt: skip
    if limits is not None:
        right = LEFT + FILES * (WIDE + GAP) + 0.05
        _bar(figure, (right, below, 0.16, tall), limits, task)
    _legend(figure, legend, below - GAP / 2, void=any(not each.valid.all() for each in found))


def _units(task: Task) -> str:
    return f", {task.kind.units}" if task.kind.units else ""


def _wrapped(text: str, width: int) -> list[str]:
    from textwrap import wrap

    return wrap(f"would be refused: {text}", width)[:9]


def _axes(figure: "Figure", left: float, bottom: float, wide: float, tall: float) -> "Axes":
    width, height = figure.get_size_inches()
    axes = figure.add_axes((left / width, bottom / height, wide / width, tall / height))
    axes.set_axis_off()
    return axes


def _bar(
    figure: "Figure", box: tuple[float, float, float, float], limits: tuple[float, float],
    task: Task,
) -> None:  # fmt: skip
    axes = _axes(figure, *box)
    axes.set_axis_on()
    low, high = limits if limits[0] < limits[1] else (limits[0], limits[0] + 1)
    ramp = render(task, np.linspace(low, high, 256)[:, None], limits=(low, high))
    axes.imshow(ramp, aspect="auto", origin="lower", extent=(0, 1, low, high))
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.set_yticks(np.linspace(low, high, 3))
    axes.set_yticklabels([f"{value:.3g}" for value in np.linspace(low, high, 3)], fontsize=7)
    axes.set_title(f"{task.kind.units}", fontsize=7, pad=3)


def _legend(figure: "Figure", legend: Sequence[Swatch], top: float, *, void: bool) -> None:
    width, height = figure.get_size_inches()
    named = [entry._replace(name=shortened(entry.name, 22)) for entry in legend]
    if handles := handles_of(named, void=void):
        figure.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(LEFT / width, top / height),
            ncols=min(SWATCHES, len(handles)), fontsize=7, frameon=False, handlelength=1.2,
            handleheight=1.0, columnspacing=1.2, borderaxespad=0.0, borderpad=0.0,
        )  # fmt: skip
