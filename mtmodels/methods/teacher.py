"""A moving average of the weights teaches the tasks that an image does not show."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from mtdata.reading.batch import Batch
from mtdata.reading.geometry import Flip
from mtdata.reading.geometry.device import apply
from mtmodels.kinds import kind_model
from mtmodels.losses import over_images
from mtmodels.methods.base import Method
from mtmodels.methods.parts.further_views import FurtherViewOptions
from mtmodels.methods.parts.label_distance import to_value
from mtmodels.methods.parts.mixing import Taught, has_classes, mixed
from mtmodels.methods.parts.relation_terms import Relations, WithGeometryOptions
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions, per_task
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import View, Views
from mtmodels.networks.base import Network
from mtmodels.options import Share, Weight

FIRST_STEPS = 10
"""The average begins as the network itself: after n steps it keeps (1 + n) / (10 + n) at most."""


class TeacherOptions(SupervisionOptions, FurtherViewOptions, WithGeometryOptions):
    """What a moving teacher can be told."""

    teacher_weight: Weight | Mapping[str, float] = 1.0
    """A factor on what is taught; one for all tasks, or one a task."""
    decay: Share = 0.99
    """How much of the teacher stays after a step."""
    begin: Share = 0.1
    """The share of the training before which nothing is taught."""
    ramp_up: Share = 0.3
    """The share of the training, from `begin` on, over which the weight rises from 0."""
    supervise: Literal["main", "all"] = "all"
    """`main`: the labels of the first view. `all`: of every view."""
    distance: Literal["soft", "hard", "squared"] = "soft"
    """`soft`: the loss of the kind of task against what the teacher says, its probabilities say;
    `hard`: against what it decides for. `squared`: as in `ssl`."""
    confidence: Share = 0.6
    """The probability from which a class of the teacher is taught."""
    keep: Share = 0.8
    """The share of the pixels of an image that is taught of depth and normals: those on which the
    teacher agrees most with itself on the mirrored image."""
    norms: Literal["batch", "running"] = "batch"
    """What batch norm of the teacher uses: statistics of the batch, or the running ones, which lag
    behind the weights of a short training."""
    mix: Literal["none", "boxes", "classes"] = "none"
    """What further views get of another image of the batch: a box, or half of its classes."""
    colour: Share = 0.5
    """How strongly brightness, contrast, saturation and hue of further views change."""
    blur: Weight = 1.0
    """The largest deviation of their blur, in pixels."""

    def ramp(self, progress: float) -> float:
        """0 up to `begin`, then linearly to 1 over `ramp_up`."""
        if progress < self.begin:
            return 0.0
        return min(1.0, (progress - self.begin) / self.ramp_up) if self.ramp_up > 0 else 1.0

    def views(self, count: int) -> Sequence[View]:
        """The first as it comes, which the teacher reads; others with other colours."""
        strong = View(colour=self.colour, blur=self.blur, supervised=self.supervise == "all")
        return [View(), *[strong] * (count - 1)]


class Teacher(Method):
    """What an average of the weights over the steps says of one view is learnt in another.

    The teacher reads the first view and its mirror image; the mean of both is the target, moved as
    the view was made. A task is taught on the images that have no label of it, with the loss that
    it has against labels, so that what is taught and what is labelled count alike.

    Args:
        network: The network to train.
        options: Those of `TeacherOptions`.

    Raises:
        ValueError: for a value that cannot be.

    Reference: Tarvainen and Valpola 2017, "Mean teachers are better role models"; confidence after
    Sohn et al. 2020 (FixMatch); `mix` after French et al. 2020 and Olsson et al. 2021 (ClassMix).
    None of the three papers of this package has it.
    """

    options: TeacherOptions
    summary: ClassVar[str] = "a moving average of the weights teaches what an image does not show"
    reference: ClassVar[str] = "Tarvainen and Valpola 2017; Sohn et al. 2020; Olsson et al. 2021"
    uses_unlabelled: ClassVar[bool] = True
    minimum_views = 2
    default_views: ClassVar[int] = 2
    steps: Tensor

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks, self.options)
        given, names = self.options.teacher_weight, self.supervision.names
        self.weights = per_task("teacher_weight", given, names, default=1.0)
        if self.options.mix == "classes" and not any(map(has_classes, network.tasks)):
            raise ValueError(
                "`mix` should be `none` or `boxes` for tasks without classes; found `classes`."
            )
        self.relations = Relations(network.tasks, self.options, wanted=self.options.with_geometry)
        self.cameras_for = self.relations.cameras_for
        self.teacher = deepcopy(network).requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def train(self, mode: bool = True) -> "Teacher":
        """The teacher drops nothing, and normalises as `norms` says."""
        super().train(mode)
        self.teacher.eval()
        if mode and self.options.norms == "batch":
            for layer in self.teacher.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.train()
        return self

    def views(self, count: int) -> Sequence[View]:
        """The labels of all supervise, unless `supervise` says otherwise."""
        return self.options.views(count)

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and one a task that an image does not show."""
        if len(views) < 2:
            raise ValueError("`views` should have a second view for the teacher; found one.")
        weight = self.options.ramp(progress)
        taught = self.taught(views.main) if weight > 0 else []
        others = range(1, len(views))
        each = [self._moved(taught, views, to) for to in others]
        views, each = mixed(views, each, self.network.tasks, how=self.options.mix, rng=rng)
        outputs = views.predict(self.network)
        found: dict[str, list[Tensor]] = {}
        for to, moved in zip(others, each, strict=True):
            for one in moved:
                term = self._distance(one, outputs[to].predictions[one.task.name])
                found.setdefault(one.task.name, []).append(term)
        means = {name: torch.stack(terms).mean() for name, terms in found.items()}
        own = Terms(
            auxiliary={f"{n}/taught": weight * self.weights[n] * m for n, m in means.items()},
            parts={f"{name}/taught": mean.detach() for name, mean in means.items()},
        )
        # Further views may be pasted together, of parts that nothing is known to relate.
        own += self.relations.terms(Views(views.main), outputs[:1], progress=progress)
        return self.supervision.terms(views, outputs) + own

    @torch.no_grad()
    def taught(self, batch: Batch) -> list[Taught]:
        """What the teacher says of the tasks that images have no label of, and where it is sure.

        Args:
            batch: The view that it reads, as it is and mirrored.
        """
        unlabelled = ~self.supervision.seen(batch).given
        if not unlabelled.any():
            return []
        both = self.teacher(torch.cat([batch.image, batch.image.flip(-1)])).predictions
        mirror, inside, found = [Flip()] * len(batch), batch.inside(), []
        for task, lacking in zip(self.network.tasks, unlabelled, strict=True):
            if not lacking.any():
                continue
            row, here = kind_model(task), lacking.to(batch.device)[:, None, None]
            plain, mirrored = row.as_value(both[task.name]).chunk(2)
            mirrored, _ = apply(mirrored, mirror, kind=task.kind, prediction=True)
            value = row.activation((plain + mirrored) / 2)
            if row.certainty is None:
                spread = row.soft(plain, mirrored, inside)
                sure = spread <= _quantile(spread, inside, self.options.keep)
            else:
                sure = row.certainty(value)[:, 0] >= self.options.confidence
            found.append(Taught(task, value, sure & inside & here))
        return found

    def after_step(self, *, progress: float) -> None:
        """Average the weights; statistics of norms are those of the network, which lag enough."""
        # A tensor, so that no step waits for the device.
        kept = ((1 + self.steps) / (FIRST_STEPS + self.steps)).clamp(max=self.options.decay)
        self.steps += 1
        with torch.no_grad():
            for mean, now in zip(self.teacher.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, (1 - kept).to(mean))
            for own, value in zip(self.teacher.buffers(), self.network.buffers(), strict=True):
                own.copy_(value)

    def _moved(self, taught: Sequence[Taught], views: Views, to: int) -> list[Taught]:
        """What is taught of the first view, as another should have it."""
        found = []
        for one in taught:
            value, sure = views.moved(one.task, one.value, to=to, valid=one.sure)
            found.append(Taught(one.task, value, sure))
        return found

    def _distance(self, one: Taught, prediction: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
        """(1/B) x the sum over images of the loss, averaged over all pixels of the image.

        Pixels of which the teacher is not sure count as 0, so that one sure pixel does not weigh as
        much as an image of them.
        """
        row, sure = kind_model(one.task), one.sure
        compare = {"soft": row.soft, "hard": row.hard, "squared": None}[self.options.distance]
        loss = to_value(one.task, prediction, one.value, sure, loss=compare)
        share = sure.flatten(1).to(loss.dtype).mean(1)
        return over_images(loss, sure, batch=len(sure), weight=share)


def _quantile(
    spread: Float[Tensor, "b h w"], inside: Bool[Tensor, "b h w"], share: float
) -> Float[Tensor, "b 1 1"]:
    """Below which the given share of the pixels of each image lies."""
    values = spread.where(inside, torch.nan).flatten(1).float()
    found = torch.nanquantile(values, share, dim=1)
    return found.to(spread)[:, None, None]
