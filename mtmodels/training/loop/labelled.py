"""The loss of a task on the images that show it, whatever their share of a batch."""

from collections.abc import Mapping

from torch import Tensor

from mtdata.reading.batch import Batch
from mtmodels.methods.base import Method
from mtmodels.methods.semi_supervised import SemiSupervised
from mtmodels.methods.supervised_method import SupervisedMethod
from mtmodels.methods.views import Views


def supervised(method: Method, views: Views) -> list[Batch]:
    """The views whose labels supervise."""
    main_only = isinstance(method, SemiSupervised) and method.supervise == "main"
    if main_only or views.second is None:
        return [views.main]
    return [views.main, views.second]


def count_shown(batches: list[Batch]) -> dict[str, Tensor]:
    """How many images show each task with one valid pixel at least; on the device, as scalars."""
    counts: dict[str, Tensor] = {}
    for batch in batches:
        for task, valid in batch.valid.items():
            count = valid.flatten(1).any(1).sum()
            counts[task] = counts[task] + count if task in counts else count
    return counts


def labelled_means(
    method: Method, parts: Mapping[str, float], shown: Mapping[str, int], *, images: int
) -> dict[str, float]:
    """The direct loss of each task as a mean over the images that show it.

    The loss of a batch is (1/B) x the sum over these images, so it says first of all how many they
    are. With the reduction "pixels" it is a mean already. With `normalise` "paper" there is none:
    each image has a factor of its own.

    Args:
        method: What made the parts.
        parts: Of a step, the direct losses ("depth/direct") among them.
        shown: How many images show each task.
        images: B, the images of the views that are supervised.
    """
    if not isinstance(method, SupervisedMethod) or method.supervision.normalise == "paper":
        return {}
    means = {}
    for task, count in shown.items():
        direct = parts.get(f"{task}/direct")
        if count and direct is not None:
            is_mean = method.supervision.reductions[task] == "pixels"
            means[task] = direct if is_mean else direct * images / count
    return means
