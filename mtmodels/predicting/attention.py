"""Where a network looks: the masks by which each task picks from its maps, and pictures of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata.errors import UsageError
from mtdata.inspecting.pictures import Panel, depth_limits, heat
from mtdata.tasks.resize import nearest
from mtdata.tasks.task import Task
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Attention
from mtmodels.predicting.picture import as_png, shown, side_by_side
from mtmodels.predicting.sizes import Size
from mtmodels.training.setup.loading import TrainedRun

COLUMNS = 5
"""Masks that stand side by side; more go below."""
BAR = (12, 240)
"""Height and width of a colour bar."""


@dataclass(frozen=True)
class DrawnMask:
    """The mask of a layer, for one task of one image.

    Args:
        layer: The name of the layer.
        channels: How many channels it has.
        stride: The size of the image over its own.
        values: The mean over the channels, in [0, 1].
    """

    layer: str
    channels: int
    stride: int
    values: Float[Tensor, "h w"]

    def at(self, size: Size) -> NDArray[Any]:
        """It at the size of the image that the network saw, before that was padded."""
        large = self.values.repeat_interleave(self.stride, 0).repeat_interleave(self.stride, 1)
        return large[: size[0], : size[1]].numpy()


Masks = Mapping[str, Sequence[DrawnMask]]
"""Those of each task, in the order of the layers."""


def check_attention(run: TrainedRun) -> None:
    """Refuse to draw what is not there.

    Raises:
        UsageError: where the network of the run has no attention.
    """
    name = run.config.network.name
    if not NETWORKS[name].has_attention():
        able = sorted(n for n, network in NETWORKS.items() if network.has_attention())
        raise UsageError(
            "`attention` should be asked of a run whose network picks from its maps by masks, "
            f"which are {', '.join(able)}; found a run of `{name}`. Leave --attention out."
        )


def masks_of(
    attention: Attention, tasks: Sequence[Task], *, padded: Size, size: Size
) -> list[dict[str, list[DrawnMask]]]:
    """What a network says of its attention, image by image.

    Args:
        attention: The masks of a batch.
        tasks: Those that are wanted.
        padded: Height and width of what the network saw.
        size: The same before it was padded; cells behind it are cut off.
    """

    def mask(layer: str, values: Float[Tensor, "c h w"]) -> DrawnMask:
        stride = padded[0] // values.shape[1]
        height, width = (-(-side // stride) for side in size)
        mean = values.float().mean(0)[:height, :width].cpu()
        return DrawnMask(layer, len(values), stride, mean)

    count = len(next(iter(attention[tasks[0].name].values())))
    return [
        {t.name: [mask(layer, m[i]) for layer, m in attention[t.name].items()] for t in tasks}
        for i in range(count)
    ]


def attention_picture(
    name: str,
    image: NDArray[np.uint8],
    tasks: Sequence[Task],
    *,
    masks: Masks,
    size: Size,
    labels: Mapping[str, NDArray[Any]],
) -> bytes:
    """Draw image and predictions, and below a row of masks for each task, as a PNG.

    Tasks that share their masks share a row. The colours of a layer are the same in all rows; the
    bar below says what they span.

    Args:
        name: The title of the image.
        image: The image, `[h, w, 3]`.
        tasks: What to draw, in order.
        masks: The masks of each task.
        size: Height and width of what the network saw, before it was padded.
        labels: Predictions in the form of labels, at the size of the image.
    """
    rows = [side_by_side(name, image, tasks, labels)]
    drawn = shown((image.shape[0], image.shape[1]))
    paths = list(_paths(masks))
    count = len(paths[0][1])
    for first in range(0, count, COLUMNS):
        columns = range(first, min(first + COLUMNS, count))
        limits = {
            i: depth_limits(all_, np.ones(all_.shape, np.bool_))
            for i in columns
            for all_ in [np.concatenate([path[i].at(size) for _, path in paths])]
        }
        for who, path in paths:
            rows.append([_panel(who, path[i], size, limits[i], drawn) for i in columns])
        rows.append([_bar(limits[i]) for i in columns])
    return as_png(rows, tasks, labels)


def _paths(masks: Masks) -> Iterator[tuple[str, Sequence[DrawnMask]]]:
    """The masks that differ, and the tasks that have them."""
    found: list[tuple[list[str], Sequence[DrawnMask]]] = []
    for task, own in masks.items():
        for names, other in found:
            if all(torch.equal(a.values, b.values) for a, b in zip(own, other, strict=True)):
                names.append(task)
                break
        else:
            found.append(([task], own))
    for names, own in found:
        yield ("all tasks" if len(found) == 1 < len(names) else ", ".join(names)), own


def _panel(
    who: str, mask: DrawnMask, size: Size, limits: tuple[float, float], drawn: Size
) -> Panel:
    height, width = mask.values.shape
    title = f"{who}, {mask.layer}: {mask.channels} at {height}x{width}"
    return Panel(title, nearest(heat(mask.at(size), limits), drawn))


def _bar(limits: tuple[float, float]) -> Panel:
    low, high = limits
    values = np.broadcast_to(np.linspace(low, high, BAR[1]), BAR)
    return Panel(f"{low:.3f} to {high:.3f}", heat(values, limits))
