"""One thing is found only where another is: parts in persons, changes of class at edges."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from mtdata.tasks.task import Task
from mtmodels.losses import at_least_single
from mtmodels.methods.parts.relations.base import Loss, Relation, Scene, of_kind

NEAR = 1
"""How many pixels an edge may lie beside a change of class: edges are thin, changes have two sides.
"""


class PartsInPersons(Relation):
    """Where nobody is, there are no parts of a body."""

    summary: ClassVar[str] = "outside of the given persons there are no parts of a body"
    needs: ClassVar[str] = "`semantic` with a class `person` and `parts` with a class `background`"

    @classmethod
    def holds(cls, given: Task, learns: Task) -> bool:
        """Of `semantic` with persons, and `parts`."""
        return (given.name, learns.name) == ("semantic", "parts") and (
            of_kind(given, "classes", "person") and of_kind(learns, "classes", "background")
        )

    def loss(self, scene: Scene) -> Loss:
        """-log of the probability of background, outside of persons; 0 inside."""
        outside = scene.given[:, 0] != _class(self.given, "person")
        return _counted(-_log_of(scene.prediction, self.learns, "background"), outside, scene)


class PersonsAtParts(Relation):
    """Where a part of a body is, there is a person."""

    summary: ClassVar[str] = "at the given parts of a body there is a person"
    needs: ClassVar[str] = PartsInPersons.needs

    @classmethod
    def holds(cls, given: Task, learns: Task) -> bool:
        """Of `parts`, and `semantic` with persons."""
        return PartsInPersons.holds(learns, given)

    def loss(self, scene: Scene) -> Loss:
        """-log of the probability of a person, at parts; 0 elsewhere."""
        body = scene.given[:, 0] != _class(self.given, "background")
        return _counted(-_log_of(scene.prediction, self.learns, "person"), body, scene)


class EdgesAtClasses(Relation):
    """Where the class changes there is an edge nearby."""

    summary: ClassVar[str] = "where the given class changes there is an edge nearby"
    needs: ClassVar[str] = "`semantic` and `edges`"

    @classmethod
    def holds(cls, given: Task, learns: Task) -> bool:
        """Of `semantic` and `edges`."""
        return (given.name, learns.name) == ("semantic", "edges") and (
            of_kind(given, "classes") and of_kind(learns, "binary")
        )

    def loss(self, scene: Scene) -> Loss:
        """-log of the probability of the likeliest edge nearby, at changes; 0 elsewhere."""
        ids, sure = scene.given[:, 0], scene.sure & scene.inside
        change = torch.zeros_like(sure)
        for one, other in _neighbours():
            differ = (ids[one] != ids[other]) & sure[one] & sure[other]
            change[one] |= differ
            change[other] |= differ
        logit = at_least_single(scene.prediction)[:, 0].where(scene.inside, -torch.inf)
        nearby = F.max_pool2d(logit[:, None], 2 * NEAR + 1, stride=1, padding=NEAR)[:, 0]
        return _counted(F.softplus(-nearby.where(sure, 0)), change, scene)


class ClassesInEdges(Relation):
    """Where no edge is nearby, neighbours are of one class."""

    summary: ClassVar[str] = "where no given edge is nearby, neighbours are of one class"
    needs: ClassVar[str] = EdgesAtClasses.needs

    @classmethod
    def holds(cls, given: Task, learns: Task) -> bool:
        """Of `edges` and `semantic`."""
        return EdgesAtClasses.holds(learns, given)

    def loss(self, scene: Scene) -> Loss:
        """-log of the cosine between the probabilities of a pixel and of those right and below.

        Where both decide, this is -log of the probability that they are of one class; where both
        are unsure and agree it is 0.
        """
        sure = scene.sure & scene.inside
        maybe = (scene.given[:, 0] != 0) | ~sure
        calm = ~(F.max_pool2d(maybe[:, None].float(), 2 * NEAR + 1, stride=1, padding=NEAR) > 0)
        calm = calm[:, 0] & sure
        logs = F.log_softmax(at_least_single(scene.prediction), 1).movedim(1, -1)
        total = torch.zeros_like(logs[..., 0])
        for one, other in _neighbours():
            here = calm[one] & calm[other]
            one_class = torch.logsumexp(logs[one] + logs[other], -1)
            lengths = [torch.logsumexp(2 * logs[side], -1) / 2 for side in (one, other)]
            loss = (lengths[0] + lengths[1] - one_class).where(here, 0)
            total = total + F.pad(loss, _padding(total, loss))
        return total, sure


def _neighbours() -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Pixels of [n, h, w] and their neighbours: to the right, and below."""
    every, first, last = slice(None), slice(None, -1), slice(1, None)
    return [((every, every, first), (every, every, last)), ((every, first), (every, last))]


def _padding(
    whole: Float[Tensor, "n h w"], part: Float[Tensor, "n hh ww"]
) -> tuple[int, int, int, int]:
    return (0, whole.shape[2] - part.shape[2], 0, whole.shape[1] - part.shape[1])


def _class(task: Task, name: str) -> int:
    names: tuple[str, ...] = task.kind.names  # type: ignore[attr-defined]
    return names.index(name)


def _log_of(logits: Float[Tensor, "n c h w"], task: Task, name: str) -> Float[Tensor, "n h w"]:
    """The logarithm of the probability of a class."""
    return F.log_softmax(at_least_single(logits), 1)[:, _class(task, name)]


def _counted(loss: Float[Tensor, "n h w"], where: Bool[Tensor, "n h w"], scene: Scene) -> Loss:
    """The loss where the relation asks for something, 0 where it does not; sure pixels count."""
    seen = scene.sure & scene.inside
    return loss.where(where & seen, 0), seen
