"""Depth, inverse depth and disparity of one image tell one distance."""

from typing import ClassVar

import torch

from mtdata.tasks.kinds import Depth
from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.methods.parts.relations.base import Loss, Relation, Scene
from mtmodels.methods.parts.relations.surfaces import is_depth

ABSOLUTE = ("m", "1/m")
"""Units between which nothing but an inverse lies; others differ by a factor of the camera."""


class DepthOfDepth(Relation):
    """What one depth says in the units of the other."""

    summary: ClassVar[str] = "depth in one unit is the given depth in another, converted"
    needs: ClassVar[str] = "two tasks of depth in different units"

    @classmethod
    def holds(cls, given: Task, learns: Task) -> bool:
        """Of two depths whose units differ."""
        one, other = given.kind, learns.kind
        return isinstance(one, Depth) and isinstance(other, Depth) and one.unit != other.unit

    def loss(self, scene: Scene) -> Loss:
        """The difference to the given depth, in the units of what learns.

        Between metres and 1/metres nothing is open. The factor of a disparity is not known: it is
        the one that makes the medians of the image equal, and no gradient passes through it.
        """
        one, other = self.given.kind, self.learns.kind
        assert isinstance(one, Depth)
        assert isinstance(other, Depth)
        seen = scene.sure & scene.inside & is_depth(scene.given)
        target = scene.given.where(seen[:, None], 1)
        target = target if one.inverse == other.inverse else 1 / target
        if not {one.unit, other.unit} <= set(ABSOLUTE) or scene.paper:
            seen = seen & is_depth(scene.prediction)
            target = target * _factor(target, seen, scene)[:, None, None, None]
        return kind_model(self.learns).soft(scene.prediction, target, seen), seen


def _factor(target: torch.Tensor, seen: torch.Tensor, scene: Scene) -> torch.Tensor:
    """What the medians over the pixels of each image differ by; 1 where there are none."""
    ratio = (scene.prediction.detach() / target.detach())[:, 0].where(seen, torch.nan)
    return ratio.flatten(1).nanmedian(1).values.nan_to_num(1.0)
