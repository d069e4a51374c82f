"""Known relations between the tasks of a network, as terms of a step."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from mtdata.errors import UnknownNameError
from mtdata.reading.batch import Batch
from mtdata.tasks.task import Task
from mtmodels.errors import MemberError
from mtmodels.kinds import kind_model
from mtmodels.methods.parts.relations import RELATIONS
from mtmodels.methods.parts.relations.base import Rays, Relation, Scene
from mtmodels.methods.parts.supervision import Seen, Supervision
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Output
from mtmodels.options import CountsWith, Options, Share, Weight

WITH_GEOMETRY = CountsWith("with_geometry", bool, "--with-geometry")
"""Of the methods that have that option; `geometry` itself has none."""


class Pace(Options):
    """How much a relation counts, and when."""

    weight: Weight = 1.0
    """A factor on its term."""
    begin: Share = 0.1
    """The share of the training before which it says nothing."""
    ramp_up: Share = 0.3
    """The share of the training, from `begin` on, over which the factor rises from 0."""

    def at(self, progress: float) -> float:
        """The factor: 0 up to `begin`, then linearly to `weight` over `ramp_up`."""
        if progress < self.begin:
            return 0.0
        rise = (progress - self.begin) / self.ramp_up if self.ramp_up > 0 else 1.0
        return self.weight * min(1.0, rise)


class RelationOptions(Options):
    """Which relations there are, and how much each counts."""

    relations: Annotated[Mapping[str, float | Mapping[str, float]] | None, WITH_GEOMETRY] = None
    """A factor on each relation that is wanted, or {weight: 1, begin: 0.1, ramp_up: 0.3}; null for
    the usual ones of the tasks."""
    geometry_weight: Annotated[Weight, WITH_GEOMETRY] = 1.0
    """A factor on all of them."""
    geometry_given: Annotated[Literal["labels", "sure", "all"], WITH_GEOMETRY] = "sure"
    """`labels`: only labels say what another task should be. `sure`: where an image has no label of
    either, predictions do too that say how probable they are (classes, parts, edges). `all`: those
    of depth and normals as well, which can come to agree on a scene that is not there."""
    geometry_detach: Annotated[bool, WITH_GEOMETRY] = True
    """Whether what is given is a target only; else depth and normals that are predicted learn on
    both sides."""
    geometry_confidence: Annotated[Share, WITH_GEOMETRY] = 0.6
    """The probability from which a predicted class, edge or part is given."""


class WithGeometryOptions(RelationOptions):
    """The relations of `geometry`, beside what a method does."""

    with_geometry: bool = False
    """Whether to add the terms of `geometry`."""


@dataclass(frozen=True)
class _Known:
    """A relation between two tasks of the network, by name."""

    name: str
    relation: Relation
    pace: Pace

    @property
    def term(self) -> str:
        return f"{self.relation.learns.name}/{self.name}"


class Relations:
    """The relations that hold between the tasks of a network.

    A relation has a term on the images that have no label of the task that learns: what is labelled
    is never overruled. What is given is a label where the image has one, else, by `geometry_given`,
    the prediction.

    Args:
        tasks: Those of the network.
        options: What was chosen.
        wanted: Whether there are to be any.

    Raises:
        ValueError: where no relation holds between the tasks, or one that was named does not.
    """

    def __init__(
        self, tasks: Sequence[Task], options: RelationOptions, *, wanted: bool = True
    ) -> None:
        self.tasks, self.options = tuple(tasks), options
        self.supervision = Supervision(tasks)
        self.known = self._choose() if wanted else []

    @property
    def cameras_for(self) -> tuple[str, ...]:
        """The relations that need to know where pixels look."""
        names = [known.name for known in self.known if known.relation.needs_camera]
        return tuple(dict.fromkeys(names))

    @property
    def use_unlabelled(self) -> bool:
        """Whether one of them says something of images that show neither task."""
        return not all(self._of_labels(known.relation.given) for known in self.known)

    def idle(self, shown: NDArray[np.bool_]) -> Iterator[str]:
        """Say where no relation has a term with these labels, as `Method.idle`."""
        if self.known and not any(self._wanted(known, shown.T).any() for known in self.known):
            yield (
                "The relations of `geometry` have a term where an image shows one task of a "
                "relation and not the other, and no training image does: they add nothing. Another "
                "--regime hides one task without the other; or leave them out."
            )

    def _of_labels(self, given: Task) -> bool:
        """Whether only labels of a task are given."""
        chosen = self.options.geometry_given
        return chosen == "labels" or (chosen == "sure" and kind_model(given).certainty is None)

    def _wanted(self, known: _Known, shown: Any) -> Any:
        """Which images have a term, of those that show these tasks (rows); arrays or tensors."""
        names = [task.name for task in self.tasks]
        relation = known.relation
        wanted = ~shown[names.index(relation.learns.name)]
        if self._of_labels(relation.given):
            wanted = wanted & shown[names.index(relation.given.name)]
        return wanted

    def terms(self, views: Views, outputs: Sequence[Output], *, progress: float) -> Terms:
        """The mean over the views of each relation that has a term there.

        Args:
            views: The views.
            outputs: What the network said of each.
            progress: How far the training is.
        """
        found: dict[str, list[Tensor]] = {}
        factors: dict[str, float] = {}
        for batch, output in zip(views.batches, outputs, strict=True):
            seen = self.supervision.seen(batch)
            for known in self.known:
                factor = self.options.geometry_weight * known.pace.at(progress)
                loss = self._term(known, batch, output, seen, paper=views.paper) if factor else None
                if loss is not None:
                    factors[known.term] = factor
                    found.setdefault(known.term, []).append(loss)
        means = {name: torch.stack(each).mean() for name, each in found.items()}
        return Terms(
            auxiliary={name: factors[name] * mean for name, mean in means.items()},
            parts={name: mean.detach() for name, mean in means.items()},
        )

    def _term(
        self, known: _Known, batch: Batch, output: Output, seen: Seen, *, paper: bool
    ) -> Tensor | None:
        """(1/B) x the sum over images of the mean over their pixels; those that do not count are 0.

        One sure pixel must not weigh as much as an image of them. None where no image has a term.
        """
        relation = known.relation
        wanted: Bool[Tensor, " b"] = self._wanted(known, seen.given)
        cameras = batch.cameras or (None,) * len(batch)
        if relation.needs_camera:
            wanted = wanted & torch.tensor([camera is not None for camera in cameras])
        rows = wanted.nonzero()[:, 0]
        if not len(rows):
            return None
        labelled = seen.given[[task.name for task in self.tasks].index(relation.given.name)]
        scene = self._scene(relation, batch, output, labelled=labelled)
        scene = _of_images(scene, rows.to(batch.device))
        if relation.needs_camera:
            chosen = [camera for i in rows.tolist() if (camera := cameras[i]) is not None]
            scene = replace(scene, rays=Rays.of(chosen, scene.prediction))
        given_back: object = relation.loss(replace(scene, paper=paper))
        loss, counts = _checked(known.name, given_back, scene)
        pixels = scene.inside.sum((1, 2)).clamp(min=1)
        return (loss.where(counts, 0).sum((1, 2)) / pixels).sum() / len(batch)

    def _scene(
        self, relation: Relation, batch: Batch, output: Output, *, labelled: Bool[Tensor, " b"]
    ) -> Scene:
        """All images: labels of those that have one, and what is predicted of the others."""
        task, row = relation.given, kind_model(relation.given)
        predicted = output.predictions[task.name]
        if self.options.geometry_detach:
            predicted = predicted.detach()
        inside = batch.inside()
        sure, value = inside, row.as_label(predicted)
        if row.certainty is not None:
            certainty = row.certainty(row.as_value(predicted.detach()))[:, 0]
            sure = sure & (certainty >= self.options.geometry_confidence)
        if labelled.any():
            rows = batch.rows[task.name]
            label = batch.labels[task.name]
            valid = batch.valid[task.name]
            label = label.where(valid[:, None], label.new_zeros(())).to(value.dtype)
            value = value.index_copy(0, rows, label)
            sure = sure.index_copy(0, rows, valid)
        return Scene(value, sure, output.predictions[relation.learns.name], inside)

    def _choose(self) -> list[_Known]:
        """What was named, or the usual ones, between all tasks of which it is known.

        Raises:
            ValueError: where that is none.
        """
        named = self.options.relations
        for name in named or ():
            if name not in RELATIONS:
                raise UnknownNameError("relation", name, tuple(RELATIONS))
        if named is not None and not named:
            raise ValueError("`relations` should name one or more; found none. Leave it out.")
        # Those of plug-ins are named, so that a run does not hang on what is installed.
        usual = [n for n in RELATIONS if RELATIONS[n].usual and n not in RELATIONS.origins]
        found: list[_Known] = []
        for name, member in RELATIONS.items():
            if name not in (usual if named is None else named):
                continue
            pairs = [
                (given, learns)
                for given, learns in permutations(self.tasks, 2)
                if member.holds(given, learns)
            ]
            if named is not None and not pairs:
                raise ValueError(
                    f"`relations` should hold between the tasks; `{name}` is known of "
                    f"{member.needs}, and found are {_told(self.tasks)}."
                )
            pace = _pace(name, named[name] if named is not None else {})
            found += [_Known(name, member(given, learns), pace) for given, learns in pairs]
        if not found:
            needs = dict.fromkeys(RELATIONS[name].needs for name in usual)
            raise ValueError(
                f"the tasks should have a relation that is known: {'; or '.join(needs)}. Found are "
                f"{_told(self.tasks)}, where none is. Give other --tasks, or another method."
            )
        return found


def without_camera(tasks: Sequence[Task]) -> list[str]:
    """The relations that hold between some of these tasks and need no camera."""
    pairs = list(permutations(tasks, 2))
    return [
        name
        for name, member in RELATIONS.items()
        if not member.needs_camera and any(member.holds(*pair) for pair in pairs)
    ]


def _checked(name: str, given: object, scene: Scene) -> tuple[Tensor, Tensor]:
    """What a relation gives, which may be anybody's.

    Raises:
        MemberError: where it is no loss and no mask of each pixel.
    """
    shape = scene.inside.shape
    if isinstance(given, tuple) and len(given) == 2:
        loss, counts = given
        fits = isinstance(loss, Tensor) and isinstance(counts, Tensor)
        if fits and loss.shape == counts.shape == shape and counts.dtype == torch.bool:
            return loss, counts
    found = [
        f"{str(each.dtype).removeprefix('torch.')} {list(each.shape)}"
        if isinstance(each, Tensor)
        else type(each).__name__
        for each in (given if isinstance(given, tuple) else (given,))
    ]
    raise MemberError(
        f"the relation `{name}`",
        f"should give from `loss` the loss of each pixel {list(shape)}, and as booleans of that "
        f"shape which of them count; found {' and '.join(found)}.",
    )


def _of_images(scene: Scene, rows: Tensor) -> Scene:
    return Scene(scene.given[rows], scene.sure[rows], scene.prediction[rows], scene.inside[rows])


def _pace(name: str, given: float | Mapping[str, float]) -> Pace:
    """What was said of a relation: its weight, or a mapping."""
    told = given if isinstance(given, Mapping) else {"weight": given}
    try:
        return Pace.read(told)
    except UnknownNameError as error:
        raise UnknownNameError(f"option of `relations.{name}`", error.name, error.known) from None
    except ValueError as error:
        raise ValueError(str(error).replace("`", f"`relations.{name}.", 1)) from None


def _told(tasks: Sequence[Task]) -> str:
    return ", ".join(f"`{task.name}` ({task.kind.units or task.kind.name})" for task in tasks)
