"""Learning the tasks that an image does not show from what teachers say of them."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata.reading.batch import Batch
from mtdata.reading.geometry import Flip
from mtdata.reading.geometry.device import apply
from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.losses import PixelLoss, at_least_single, over_images
from mtmodels.methods.base import Method
from mtmodels.methods.parts.further_views import FurtherViewOptions
from mtmodels.methods.parts.label_distance import to_value
from mtmodels.methods.parts.mixing import Taught, has_classes, mixed
from mtmodels.methods.parts.relation_terms import Relations, WithGeometryOptions
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions, per_task
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import View, Views
from mtmodels.networks.base import Network
from mtmodels.options import SECOND_VIEW, Share, Weight


class TeachingOptions(SupervisionOptions, FurtherViewOptions, WithGeometryOptions):
    """How what teachers say is learnt."""

    teacher_weight: Weight | Mapping[str, Weight] = 1.0
    """A factor on what is taught; one for all tasks, or one a task."""
    supervise: Annotated[Literal["main", "all"], SECOND_VIEW] = "all"
    """`main`: the labels of the first view. `all`: of every view."""
    distance: Literal["soft", "hard", "squared"] = "soft"
    """`soft`: the loss of the kind of task against what is said, probabilities say; `hard`: against
    what it decides for. `squared`: as in `ssl`."""
    confidence: Share = 0.6
    """The probability from which a class is taught."""
    keep: Share = 0.8
    """The share of the pixels of an image that is taught of depth and normals: those on which what
    is said, of the mirrored image too, agrees most."""
    mix: Annotated[Literal["none", "boxes", "classes"], SECOND_VIEW] = "none"
    """What further views get of another image of the batch: a box, or half of its classes."""
    colour: Annotated[Share, SECOND_VIEW] = 0.5
    """How strongly brightness, contrast, saturation and hue of further views change."""
    blur: Annotated[Weight, SECOND_VIEW] = 1.0
    """The largest deviation of their blur, in pixels."""

    def views(self, count: int) -> Sequence[View]:
        """The first as it comes, which teachers read; others with other colours."""
        strong = View(colour=self.colour, blur=self.blur, supervised=self.supervise == "all")
        return [View(), *[strong] * (count - 1)]


class Teaching(Method):
    """What teachers say of the first view is learnt where there is no label.

    Their values are averaged, and moved as each view was made. A task is taught with the weight and
    the loss that it has against labels, so that what is taught and what is labelled count alike;
    where its values are probabilities, with the loss of its kind that takes these.

    Args:
        network: The network to train.
        options: Those of `TeachingOptions`.

    Raises:
        ValueError: for a value that cannot be.
    """

    options: TeachingOptions
    uses_unlabelled = True
    missing_alone = True
    first_taught: ClassVar[int]
    """The first of the views that the network learns what is said in."""

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks, self.options)
        given, names = self.options.teacher_weight, self.supervision.names
        weights = per_task("teacher_weight", given, names, default=1.0)
        self.weights = {n: weight * self.supervision.weights[n] for n, weight in weights.items()}
        if self.options.mix == "classes" and not any(map(has_classes, network.tasks)):
            raise ValueError(
                "`mix` should be `none` or `boxes` for tasks without classes; found `classes`."
            )
        if self.options.mix != "none":
            self.minimum_images = 2
        self.relations = Relations(network.tasks, self.options, wanted=self.options.with_geometry)
        self.cameras_for = self.relations.cameras_for

    def idle(self, shown: NDArray[np.bool_]) -> Iterator[str]:
        """Where relations were asked for and no image shows what they need."""
        return self.relations.idle(shown)

    @abstractmethod
    def say(self, image: Float[Tensor, "b 3 h w"]) -> Sequence[Mapping[str, Tensor]]:
        """What each teacher predicts of images, by task; in the pass without gradients."""

    def wanted(self, batch: Batch) -> Bool[Tensor, "t b"]:
        """Which tasks of which images are taught, on the host: those without a label.

        A label that a crop emptied teaches nothing and is not taught either.
        """
        return ~self.supervision.seen(batch).given

    def views(self, count: int) -> Sequence[View]:
        """The labels of all supervise, unless `supervise` says otherwise."""
        return self.options.views(count)

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and one a task that is taught."""
        weight = self.options.ramp(progress)
        taught = self.taught(views.main) if weight > 0 else []
        each = [self._moved(taught, views, to) for to in range(len(views))]
        views, each[1:] = mixed(views, each[1:], self.network.tasks, how=self.options.mix, rng=rng)
        outputs = views.predict(self.network)
        of_image = self._tasks_taught(views.main)
        found: dict[str, list[Tensor]] = {}
        for output, moved in list(zip(outputs, each, strict=True))[self.first_taught :]:
            for one in moved:
                term = self._distance(one, output.predictions[one.task.name], of_image)
                found.setdefault(one.task.name, []).append(term)
        means = {name: torch.stack(terms).mean() for name, terms in found.items()}
        own = Terms(
            auxiliary={f"{n}/taught": weight * self.weights[n] * m for n, m in means.items()},
            parts={f"{name}/taught": mean.detach() for name, mean in means.items()},
        )
        # Further views may be pasted together, of parts that nothing is known to relate.
        first = Views(views.main, paper=views.paper)
        own += self.relations.terms(first, outputs[:1], progress=progress)
        return self.supervision.terms(views, outputs) + own

    @torch.no_grad()
    def taught(self, batch: Batch) -> list[Taught]:
        """What teachers say of the images that are taught, and where they are sure.

        Args:
            batch: The view that they read, as it is and mirrored.
        """
        wanted = self.wanted(batch)
        if not wanted.any():
            return []
        said = self.say(torch.cat([batch.image, batch.image.flip(-1)]))
        mirror, inside, found = [Flip()] * len(batch), batch.inside(), []
        for task, rows in zip(self.network.tasks, wanted, strict=True):
            each = [predictions[task.name] for predictions in said if task.name in predictions]
            if not each or not rows.any():
                continue
            row, here = kind_model(task), rows.to(batch.device)[:, None, None]
            values = []
            for both in each:
                plain, mirrored = row.as_value(both).chunk(2)
                values += [plain, apply(mirrored, mirror, kind=task.kind, prediction=True)[0]]
            value = row.activation(torch.stack(values).mean(0))
            sure = self._sure(task, values, value, inside) & here
            found.append(Taught(task, value, sure, inside.sum((1, 2))))
        return found

    def _sure(
        self,
        task: Task,
        values: Sequence[Float[Tensor, "b c h w"]],
        mean: Float[Tensor, "b c h w"],
        inside: Bool[Tensor, "b h w"],
    ) -> Bool[Tensor, "b h w"]:
        """Where what is said is taught: by its probability, or by how near the values are."""
        row = kind_model(task)
        if row.certainty is not None:
            return (row.certainty(mean)[:, 0] >= self.options.confidence) & inside
        spread = torch.stack([row.soft(value, mean, inside) for value in values]).mean(0)
        return (spread <= _quantile(spread, inside, self.options.keep)) & inside

    def _moved(self, taught: Sequence[Taught], views: Views, to: int) -> list[Taught]:
        """What is taught of the first view, as another should have it."""
        pixels, found = views.batches[to].inside().sum((1, 2)), []
        for one in taught:
            value, sure = views.moved(one.task, one.value, to=to, valid=one.sure)
            found.append(Taught(one.task, value, sure, pixels))
        return found

    def _tasks_taught(self, batch: Batch) -> Float[Tensor, " b"] | None:
        """By how many tasks what is taught of an image is divided, as its losses are; or not."""
        if self.supervision.normalise != "paper":
            return None
        return self.wanted(batch).sum(0).clamp(min=1).to(batch.image)

    def _distance(
        self,
        one: Taught,
        prediction: Float[Tensor, "b c h w"],
        of_image: Float[Tensor, " b"] | None,
    ) -> Float[Tensor, ""]:
        """(1/B) x the sum over images of the loss, averaged over all pixels of the true image.

        Pixels that are not sure count as 0, so that one sure pixel does not weigh as much as an
        image of them.
        """
        row, sure = kind_model(one.task), one.sure
        compare: PixelLoss | None
        if self.options.distance == "squared":
            compare = None
        elif row.certainty is None:  # a value is what a label is
            compare = self.supervision.losses[one.task.name]
        else:
            compare = row.soft if self.options.distance == "soft" else row.hard
        loss = to_value(one.task, prediction, one.value, sure, loss=compare)
        share = sure.sum((1, 2)).to(loss.dtype) / one.pixels.clamp(min=1)
        share = share if of_image is None else share / of_image
        return over_images(loss, sure, batch=len(sure), weight=share)


def _quantile(
    spread: Float[Tensor, "b h w"], inside: Bool[Tensor, "b h w"], share: float
) -> Float[Tensor, "b 1 1"]:
    """Below which the given share of the pixels of each image lies."""
    values = at_least_single(spread).where(inside, torch.nan).flatten(1)
    found = torch.nanquantile(values, share, dim=1)
    return found.to(spread)[:, None, None]
