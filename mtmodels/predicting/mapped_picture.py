"""An image, its predictions, and their maps in the spaces of task pairs: figure 3 of MTPSL."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata import Task
from mtdata.inspecting.pictures import Panel, heat
from mtdata.tasks.resize import nearest
from mtmodels.predicting.mapper import MappedPair, Mapper
from mtmodels.predicting.picture import as_png, shown, side_by_side


def mapped_picture(
    name: str,
    image: NDArray[np.uint8],
    *,
    mapper: Mapper,
    given: Mapping[str, Float[Tensor, "c h w"]],
    labels: Mapping[str, NDArray[Any]],
) -> bytes:
    """Map what was predicted and draw it as a PNG, a row of maps for each task.

    Args:
        name: The title of the image.
        image: The image, `[h, w, 3]`.
        mapper: What maps.
        given: What the network gave for each task.
        labels: The same in the form of labels, at the size of the image.
    """
    size = shown((image.shape[0], image.shape[1]))
    rows = [side_by_side(name, image, mapper.tasks, labels)]
    for _, pairs in groupby(mapper.maps(given), lambda pair: pair.source.name):
        rows.append([panel for pair in pairs for panel in _panels(pair, size)])
    return as_png(rows, mapper.tasks, labels)


def _panels(pair: MappedPair, size: tuple[int, int]) -> list[Panel]:
    """The two maps of a pair."""
    space = f"({pair.source.name}, {pair.target.name})"

    def panel(task: Task, norms: Float[Tensor, "h w"], change: float) -> Panel:
        title = f"{task.name} in {space}, varies {100 * change:.0f} %"
        return Panel(title, nearest(heat(norms.cpu().numpy()), size))

    return [
        panel(pair.source, pair.source_map, pair.source_change),
        panel(pair.target, pair.target_map, pair.target_change),
    ]
