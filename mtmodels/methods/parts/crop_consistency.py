"""The crop of a prediction against the prediction of a crop."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.losses import over_images
from mtmodels.methods.parts.supervision import Seen
from mtmodels.methods.semi_supervised import Look


def crop_consistency(tasks: Sequence[Task], look: Look, seen: Seen) -> dict[str, Float[Tensor, ""]]:
    """(1/B) x the sum over images of (1/|U_n|) x the mean square difference, for each task of U_n.

    Probabilities, depth and unit normals are compared, channels and pixels averaged. The
    prediction of the whole image is the target; no gradient flows through it.

    Args:
        tasks: The tasks of the network.
        look: What the network says of both views.
        seen: Which images of the first view show which task; the others are U_n.

    Raises:
        ValueError: where there is one view only, which would be compared with itself.

    Returns:
        One term a task that an image of the batch does not show.

    Reference: MTPSL eq. 2, whose code was never released.
    """
    if look.views.second is None:
        raise ValueError("`views` should have a second view for crops to compare; found one.")
    unlabelled = ~seen.device
    weight = unlabelled / unlabelled.sum(0).clamp(min=1)
    terms = {}
    for i, task in enumerate(tasks):
        rows = (~seen.host[i]).nonzero()[:, 0].to(weight.device)
        if not len(rows):
            continue
        as_value = kind_model(task).as_value
        target, inside = look.views.moved(task, as_value(look.main[task.name].detach()))
        loss = (as_value(look.last[task.name]) - target).square().mean(1)
        terms[task.name] = over_images(
            torch.where(inside, loss, 0)[rows],
            inside[rows],
            batch=len(look.batch),
            weight=weight[i][rows],
        )
    return terms
