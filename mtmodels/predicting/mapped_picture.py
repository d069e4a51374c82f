"""The predictions of pairs of tasks and their maps side by side: figure 3 of MTPSL."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata import Task
from mtdata.building.resize import nearest
from mtdata.pictures import Panel, Picture, depth_limits, render, sheet, swatches, title
from mtmodels.predicting.mapper import Mapper
from mtmodels.predicting.picture import shown


def mapped_picture(
    mapper: Mapper,
    given: Mapping[str, Float[Tensor, "c h w"]],
    labels: Mapping[str, NDArray[Any]],
) -> bytes:
    """Map what was predicted and draw it as a PNG, a row for each ordered pair of tasks.

    Args:
        mapper: What maps.
        given: What the network gave for each task.
        labels: The same in the form of labels, at the size of the image.
    """
    first = labels[mapper.tasks[0].name]
    size = shown((first.shape[0], first.shape[1]))
    plain = {task.name: _plain(task, labels[task.name], size) for task in mapper.tasks}
    rows: list[list[Panel]] = []
    for pair in mapper.maps(given):
        space = f"({pair.source.name}, {pair.target.name})"
        row: list[Panel] = []
        for task, values in ((pair.source, pair.source_map), (pair.target, pair.target_map)):
            colours = nearest(heat(values.cpu().numpy()), size)
            row += [plain[task.name], Panel(f"{task.name} in {space}", colours)]
        rows.append(row)
    legend = [entry for task in mapper.tasks for entry in swatches(task, [labels[task.name]])]
    content = BytesIO()
    sheet(rows, legend=legend).savefig(content, format="png")
    return content.getvalue()


def heat(values: Float[np.ndarray, "h w"]) -> Picture:
    """Colours from dark (the 1st percentile, and below) to bright (the 99th, and above)."""
    from matplotlib import colormaps

    low, high = depth_limits(values, np.ones(values.shape, np.bool_))
    place = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    return np.asarray(colormaps["viridis"](place, bytes=True)[..., :3], np.uint8)


def _plain(task: Task, label: NDArray[Any], size: tuple[int, int]) -> Panel:
    everywhere = np.ones(label.shape[:2], np.bool_)
    return Panel(title(task, label, everywhere), render(task, nearest(label, size)))
