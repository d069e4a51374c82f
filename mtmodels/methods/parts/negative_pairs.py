"""Pairs of one image and pairs across images, in joint spaces."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtdata.reading.batch import Batch
from mtmodels.methods.parts.joint_space import JointSpace, Predictions
from mtmodels.methods.parts.pairs import Pair, cells_inside
from mtmodels.options import Options, Positive


class Maps(NamedTuple):
    """What the pairs of a batch are in the joint spaces.

    `positive` and `label` are of the same image; `negative` has, for the same label, the
    prediction of each of `k` other images. `cells` says which cells see the true image in all of
    these: padding alone would tell images apart. None where none is padded.
    """

    positive: Float[Tensor, "p d h w"]
    negative: Float[Tensor, "k p d h w"]
    label: Float[Tensor, "p d h w"]
    cells: Bool[Tensor, "p h w"] | None = None


class NegativeOptions(Options):
    """Which pairs across images there are."""

    negatives: Positive | Literal["all"] = 1
    """How many other images of the batch make a negative pair with each label, the next ones in
    the order of the batch; `all` for all of them."""


def maps_across(
    joint: JointSpace,
    pairs: Sequence[Pair],
    batch: Batch,
    predictions: Predictions,
    rng: torch.Generator,
    *,
    negatives: int | Literal["all"],
) -> Maps:
    """All maps of these pairs, in one pass through the mapping.

    Args:
        joint: The joint spaces.
        pairs: Of the images of the batch.
        batch: Whose labels these are; two images or more.
        predictions: Of the same images.
        rng: Draws the classes of predictions.
        negatives: How many other images make a negative pair with each label, the next ones in the
            order of the batch.

    Reference: MTPSL section 3.2, "Alternative loss and regularization strategies".
    """
    images = len(batch)
    others = images - 1 if negatives == "all" else min(negatives, images - 1)
    points = [
        joint.prediction(pair, image=(pair.image + away) % images)
        for away in range(others + 1)
        for pair in pairs
    ]
    points += [joint.label(pair) for pair in pairs]
    mapped = joint(points, batch, predictions, rng).unflatten(0, (others + 2, len(pairs)))
    inside = cells_inside(batch, mapped[0])
    if inside is None:
        return Maps(mapped[0], mapped[1:-1], mapped[-1])
    every = [inside[[(pair.image + a) % images for pair in pairs]] for a in range(others + 1)]
    return Maps(mapped[0], mapped[1:-1], mapped[-1], torch.stack(every).all(0))
