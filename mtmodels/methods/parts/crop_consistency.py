"""The crop of a prediction against the prediction of a crop."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.losses import over_images
from mtmodels.methods.parts.label_distance import to_value
from mtmodels.methods.parts.supervision import Seen
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Output

CropDistance = Literal["squared", "loss"]


def crop_terms(
    tasks: Sequence[Task],
    views: Views,
    outputs: Sequence[Output],
    seen: Seen,
    *,
    weight: float,
    distance: CropDistance = "squared",
) -> Terms:
    """What `crop_consistency` says of every further view, their mean, under the log's names.

    Raises:
        ValueError: where there is one view only, which would be compared with itself.
    """
    if len(views) < 2:
        raise ValueError("`views` should have a second view for crops to compare; found one.")
    others = range(1, len(views))
    each = [
        crop_consistency(tasks, views, outputs, seen, to=to, distance=distance) for to in others
    ]
    terms = {name: torch.stack([found[name] for found in each]).mean() for name in each[0]}
    return Terms(
        auxiliary={f"{task}/crops": weight * term for task, term in terms.items()},
        parts={f"{task}/crops": term.detach() for task, term in terms.items()},
    )


def crop_consistency(
    tasks: Sequence[Task],
    views: Views,
    outputs: Sequence[Output],
    seen: Seen,
    *,
    to: int = -1,
    distance: CropDistance = "squared",
) -> dict[str, Float[Tensor, ""]]:
    """(1/B) x the sum over images of (1/|U_n|) x the mean distance, for each task of U_n.

    Probabilities, depth and unit normals are compared, channels and pixels averaged. The
    prediction of the whole image is the target; no gradient flows through it.

    Args:
        tasks: The tasks of the network.
        views: The views.
        outputs: What the network says of each.
        seen: Which images of the first view have a label of which task; the others are U_n.
        to: The view whose predictions are compared with those of the first.
        distance: `squared`, or the `loss` of the kind of task against the target as it is.

    Returns:
        One term a task of which an image of the batch has no label.

    Reference: MTPSL eq. 2, whose code was never released.
    """
    unlabelled = ~seen.given
    weight = (unlabelled / unlabelled.sum(0).clamp(min=1)).to(seen.device.device)
    terms = {}
    for i, task in enumerate(tasks):
        rows = unlabelled[i].nonzero()[:, 0].to(weight.device)
        if not len(rows):
            continue
        first = outputs[0].predictions[task.name].detach()
        row = kind_model(task)
        target, inside = views.moved(task, row.as_value(first), to=to)
        compare = row.soft if distance == "loss" else None
        loss = to_value(task, outputs[to].predictions[task.name], target, inside, loss=compare)
        terms[task.name] = over_images(
            loss[rows],
            inside[rows],
            batch=len(views.main),
            weight=weight[i][rows],
        )
    return terms
