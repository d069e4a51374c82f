"""Pictures of predictions beside labels."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtdata import Depth, Sample, Task
from mtdata.inspecting.figures import write_figure
from mtdata.inspecting.keys import evenly
from mtdata.inspecting.pictures import (
    MISSING,
    Panel,
    absent_panel,
    blank,
    depth_limits,
    labelled_panel,
    sheet,
    swatches,
)
from mtdata.reading.batch import collate
from mtdata.reading.dataset import Dataset
from mtmodels.kinds import kind_model
from mtmodels.scoring.evaluation import Predict, evaluation_mode

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_predictions(
    predict: Predict,
    dataset: Dataset,
    tasks: Sequence[Task],
    *,
    folder: Path,
    count: int = 4,
    device: torch.device,
    precision: Callable[[], Any],
) -> list[Path]:
    """Draw some images of a split, one PNG each: labels above, predictions below.

    Padding is cut off. Predictions are those of evaluation mode, as scores are.

    Returns:
        The files, in the order of the split.
    """
    files = []
    for index in evenly(len(dataset), count):
        sample = dataset.read(index)
        image = collate([sample]).image.to(device)
        with torch.no_grad(), evaluation_mode(predict), precision():
            predictions = predict(image)
        labels = {task.name: decided(task, predictions[task.name]) for task in tasks}
        files.append(folder / f"{sample.key}.png")
        true = {name: without_padding(label, sample) for name, label in labels.items()}
        write_figure(_sheet(sample.trimmed(), tasks, true), files[-1])
    return files


def decided(task: Task, prediction: Tensor) -> NDArray[Any]:
    """The first prediction of a batch in the form of a label: `[h, w]`, or `[h, w, 3]`."""
    label = kind_model(task).as_label(prediction.float())[0].cpu().numpy()
    return label[0] if len(label) == 1 else label.transpose(1, 2, 0)


def without_padding(prediction: NDArray[Any], sample: Sample) -> NDArray[Any]:
    """What was predicted of the true image of a sample."""
    return prediction if sample.extent is None else prediction[sample.extent.part]


def _sheet(
    sample: Sample, tasks: Sequence[Task], predictions: Mapping[str, NDArray[Any]]
) -> "Figure":
    """Labels above, predictions below, in the same colours."""
    size = sample.image.shape[:2]
    above, below = [Panel(sample.key, sample.image)], [Panel("", blank(*size), "predicted")]
    seen: dict[str, list[NDArray[Any]]] = {}
    for task in tasks:
        prediction = predictions[task.name]
        everywhere = np.ones(size, np.bool_)
        shown = task.name in sample.labels
        label = sample.labels[task.name] if shown else prediction
        valid = sample.valid[task.name] if shown else everywhere
        limits = depth_limits(label, valid) if isinstance(task.kind, Depth) else None
        panel = labelled_panel(task, label, valid, limits=limits)
        above.append(panel if shown else absent_panel(task.name, size[0], size[1], MISSING))
        name = f"{task.name}, predicted"
        below.append(labelled_panel(task, prediction, limits=limits, name=name))
        seen[task.name] = [label[valid], prediction]
    legend = [entry for task in tasks for entry in swatches(task, seen[task.name])]
    return sheet([above, below], legend=legend)
