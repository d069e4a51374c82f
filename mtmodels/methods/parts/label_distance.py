"""How far a prediction is from a label, or from what else is said of a task, in a label space."""

from collections.abc import Callable
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.losses import PixelLoss, at_least_single

SMALLEST = 1e-6

Places = Bool[Tensor, "n h w"]


class Distance(NamedTuple):
    """A value for each place that counts; a distance of whole images has one place an image."""

    loss: Float[Tensor, "n h w"]
    valid: Places


def whole_cosine(
    a: Float[Tensor, "n c h w"], b: Float[Tensor, "n c h w"], valid: Places
) -> Distance:
    """1 - cosine of two maps, each seen as one vector over its channels and valid pixels.

    Reference: L_ct of MTPSL eq. 3, as printed. Cell by cell, as in `map_distance`, it would say
    nothing of tasks with one channel: the cosine of two positive depths is 1.
    """
    a, b = (
        F.normalize((at_least_single(x) * valid[:, None]).flatten(1), dim=1, eps=SMALLEST)
        for x in (a, b)
    )
    return Distance((1 - (a * b).sum(1))[:, None, None], valid.flatten(1).any(1)[:, None, None])


def to_label(
    task: Task,
    mapped: Float[Tensor, "n c h w"],
    label: Shaped[Tensor, "n d h w"],
    valid: Places,
    *,
    loss: Callable[..., Tensor] | None,
) -> Distance:
    """From a label of the task: by its loss, or by the cosine where there is none."""
    if loss is not None:
        return Distance(loss(mapped, label, valid), valid)
    row = kind_model(task)
    return whole_cosine(
        row.as_value(mapped), row.label_as_value(label, valid, task.channels), valid
    )


def to_value(
    task: Task,
    prediction: Float[Tensor, "n c h w"],
    value: Float[Tensor, "n c h w"],
    valid: Places,
    *,
    loss: PixelLoss | None,
) -> Float[Tensor, "n h w"]:
    """From a value that something else said of the same pixels; 0 where that does not count.

    Args:
        task: What is predicted.
        prediction: Logits, depth or normals.
        value: Probabilities, depth or normals; a target without gradient.
        valid: Where the value counts.
        loss: `soft` or `hard` of the kind of task; None for the square difference of the values,
            the mean over channels.
    """
    row = kind_model(task)
    if loss is None:
        return (row.as_value(prediction) - value).square().mean(1).where(valid, 0)
    return loss(prediction, row.from_value(value), valid)


def to_prediction(
    task: Task,
    mapped: Float[Tensor, "n c h w"],
    target: Float[Tensor, "n c h w"],
    valid: Places,
    *,
    cosine: bool,
) -> Distance:
    """From another prediction of the task, a target without gradient."""
    row, target = kind_model(task), target.detach()
    if cosine:
        return whole_cosine(row.as_value(mapped), row.as_value(target), valid)
    return Distance(row.soft(mapped, target, valid), valid)
