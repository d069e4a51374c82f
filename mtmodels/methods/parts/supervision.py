"""Supervision by the labels there are: losses by name, weights and reduction, a task at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mtdata.errors import UnknownNameError
from mtdata.reading.batch import Batch, join
from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.losses import over_images, over_pixels
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views, joined
from mtmodels.networks.base import Output
from mtmodels.options import Factor, Options

REDUCTIONS = ("image", "pixels")
T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """Which images of a batch show which task with one valid pixel at least.

    The host has a copy, so that one transfer a step is enough to decide which terms there are.
    `given` on the host has labels without a valid pixel as well, say those that a crop emptied: an
    image does not show such a task, and does not lack its label either.
    """

    tasks: tuple[str, ...]
    device: Bool[Tensor, "t b"]
    host: Bool[Tensor, "t b"]
    given: Bool[Tensor, "t b"]

    def images(self, *tasks: str) -> Bool[Tensor, " b"]:
        """The images that show all of these tasks, on the device."""
        return self.device[[self.tasks.index(task) for task in tasks]].all(0)

    def any(self, *tasks: str) -> bool:
        """Whether one image shows all of these tasks."""
        return bool(self.host[[self.tasks.index(task) for task in tasks]].all(0).any())


class SupervisionOptions(Options):
    """How predictions are compared with labels."""

    losses: Mapping[str, str] | None = None
    """The loss of a task by name; the default of its kind where it is not given."""
    task_weights: Mapping[str, Factor] | None = None
    """A factor on the terms of a task; 1 where it is not given."""
    reduction: str | Mapping[str, str] = "image"
    """`image`: (1/B) x the sum over images of the mean over their valid pixels. `pixels`: (n/B) x
    the mean over all valid pixels of the n images that show the task. One for all, or one a task.
    """
    normalise: Literal["batch", "paper"] = "batch"
    """`batch`: as reduced. `paper`: the loss of an image is divided by its number of labelled tasks
    |T_n|, and its pairs of tasks by that of unlabelled ones |U_n|, as the equations are printed."""


class Supervision:
    """Losses of predictions against labels, and how they are reduced to a number.

    Args:
        tasks: The tasks to supervise.
        options: What was chosen; None for the defaults.

    Raises:
        ValueError: for a task, loss, reduction or normalisation that there is not.
    """

    def __init__(self, tasks: Sequence[Task], options: SupervisionOptions | None = None) -> None:
        options = options or SupervisionOptions()
        self.names = tuple(task.name for task in tasks)
        chosen = per_task("losses", options.losses or {}, self.names, default="")
        self.losses = {t.name: kind_model(t).loss(t.name, chosen[t.name]) for t in tasks}
        self.weights = per_task("task_weights", options.task_weights or {}, self.names, default=1.0)
        self.reductions = per_task("reduction", options.reduction, self.names, default="image")
        self.normalise = options.normalise
        self._check()

    def _check(self) -> None:
        for reduction in self.reductions.values():
            if reduction not in REDUCTIONS:
                raise UnknownNameError("reduction", reduction, REDUCTIONS)
        if self.normalise == "paper" and "pixels" in self.reductions.values():
            raise ValueError(
                "`reduction` should be `image` with `normalise=paper`, which weighs images; "
                "found `pixels`."
            )

    def terms(self, views: Views, outputs: Sequence[Output]) -> Terms:
        """One term a task that an image of the views shows whose labels supervise.

        Args:
            views: The views.
            outputs: What the network said of each.
        """
        chosen = [i for i, supervises in enumerate(views.supervised) if supervises]
        if not chosen:
            return Terms()
        batches = [views.batches[i] for i in chosen]
        batch = join(batches) if len(batches) > 1 else batches[0]
        predictions = joined([outputs[i] for i in chosen])
        seen = self.seen(batch)
        direct = self.direct(predictions, batch, seen)
        images = dict(zip(self.names, self._labels(batch, seen).sum(1), strict=True))
        return Terms(
            tasks={name: self.weights[name] * loss for name, loss in direct.items()},
            parts={f"{name}/direct": loss.detach() for name, loss in direct.items()},
            images={name: count for name, count in images.items() if name in batch.labels},
            labelled=self._labelled(direct, images, len(batch)),
        )

    def _labelled(
        self, direct: Mapping[str, Tensor], images: Mapping[str, Tensor], batch: int
    ) -> dict[str, Tensor]:
        """The direct loss of each task as a mean over the images that show it.

        The loss of a batch has them over B, so it says first of all how many they are. Under
        "paper" there is none, as each image has a factor of its own.
        """
        if self.normalise == "paper":
            return {}
        return {name: loss.detach() * batch / images[name] for name, loss in direct.items()}

    def _labels(self, batch: Batch, seen: Seen) -> Float[Tensor, "t b"]:
        """How many labels of each task each image has: 1, none, or a part that was pasted."""
        found = seen.device.float()
        for name, share in batch.shares.items():
            if name in self.names:
                found[self.names.index(name), batch.rows[name]] = share
        return found

    def seen(self, batch: Batch) -> Seen:
        """Which images show which task; a label without a valid pixel shows nothing."""
        shape = (2, len(self.names), len(batch))
        seen, given = both = torch.zeros(shape, dtype=torch.bool, device=batch.device)
        for i, name in enumerate(self.names):
            if name in batch.labels:
                seen[i, batch.rows[name]] = batch.valid[name].flatten(1).any(1)
                given[i, batch.rows[name]] = True
        return Seen(self.names, seen, *both.cpu())

    def loss(
        self,
        task: str,
        prediction: Float[Tensor, "b c h w"],
        batch: Batch,
        *,
        seen: Seen,
        also: Sequence[str] = (),
    ) -> Float[Tensor, ""]:
        """The loss of one task over the images that show it.

        Args:
            task: The task whose labels are compared with.
            prediction: Of all images of the batch.
            batch: The labels.
            seen: What `seen` said of the batch.
            also: Tasks that an image has to show as well to count.
        """
        rows = batch.rows[task]
        valid = batch.valid[task] & seen.images(task, *also)[rows][:, None, None]
        loss = self.losses[task](prediction[rows], batch.labels[task], valid)
        weight = batch.shares.get(task)
        if self.reductions[task] == "pixels":
            return over_pixels(loss, valid, batch=len(batch), weight=weight)
        if self.normalise == "paper":
            own = 1 / self._labels(batch, seen).sum(0).clamp(min=1)[rows]
            weight = own if weight is None else weight * own
        return over_images(loss, valid, batch=len(batch), weight=weight)

    def direct(
        self, predictions: Mapping[str, Float[Tensor, "b c h w"]], batch: Batch, seen: Seen
    ) -> dict[str, Float[Tensor, ""]]:
        """The loss of every task that an image of the batch shows."""
        return {
            name: self.loss(name, predictions[name], batch, seen=seen)
            for name in self.names
            if seen.any(name)
        }

    def compared(
        self,
        task: str,
        loss: Float[Tensor, "n h w"],
        valid: Bool[Tensor, "n h w"],
        *,
        batch: int | None = None,
        weight: Float[Tensor, " n"] | None = None,
    ) -> Float[Tensor, ""]:
        """Reduce a loss between what is predicted of a task in two ways.

        Args:
            task: The task, which has a reduction of its own.
            loss: Of the images that have such a loss.
            valid: Of the same images.
            batch: Images in the batch; as many where it is not given.
            weight: A factor on each image, where the mean is over images.
        """
        batch = len(loss) if batch is None else batch
        if self.reductions[task] == "pixels":
            return over_pixels(loss, valid, batch=batch)
        return over_images(loss, valid, batch=batch, weight=weight)


def per_task(
    option: str, value: T | Mapping[str, T], tasks: Sequence[str], *, default: T
) -> dict[str, T]:
    """Spread an option over the tasks.

    Args:
        option: Its name, for the error.
        value: One value for all tasks, or a value for each task that is named.
        tasks: The tasks there are.
        default: For tasks that are not named.

    Raises:
        UnknownNameError: where a task is named that is not there.
    """
    if not isinstance(value, Mapping):
        return dict.fromkeys(tasks, value)
    for name in value:
        if name not in tasks:
            raise UnknownNameError(f"task for the option `{option}`", str(name), tuple(tasks))
    return {name: value.get(name, default) for name in tasks}
