"""Perceptual losses through mappings between tasks that were learnt from labels beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata.reading.batch import Batch
from mtmodels import processes
from mtmodels.kinds import kind_model
from mtmodels.methods.base import ParameterGroup, Stage, learning
from mtmodels.methods.parts.label_mapping import (
    Encoded,
    LabelMappingMethod,
    LabelMappingOptions,
    by_image,
    by_tasks,
)
from mtmodels.methods.parts.pairs import Pair, labelled_sources, labels_of, pair_name, shown_pairs
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Network
from mtmodels.options import CountsWith, Positive

OfTask = dict[str, dict[str, Tensor]]
"""For each task that is seen, a scalar of every loss of its prediction: `direct`, and one for each
task that it is mapped to."""
DIRECT = "direct"
BEFOREHAND = CountsWith("learn_from", lambda value: value == "labels", "learn_from: labels")
SMALLEST = 1e-30


class XTaskOptions(LabelMappingOptions):
    """What cross-task consistency with mappings learnt beforehand can be told."""

    learn_from: Literal["labels", "predictions"] = "labels"
    """`labels`: the mappings learn in a stage of their own, from images that show both tasks, and
    are frozen then. `predictions`: along the way, from detached predictions, as in
    `perceptual-map`, for regimes in which an image shows one task alone."""
    mapping_epochs: Annotated[Positive, BEFOREHAND] = 20
    """Epochs of the stage in which the mappings learn from labels."""
    gradient_weights: bool = True
    """Whether the losses of a task are weighted by their gradients, as released; false: all by 1.
    """


class XTask(LabelMappingMethod):
    """What a prediction and a label of s look like as t should be the same, for every t.

    The mappings are learnt from labels first, and then frozen. The losses of a prediction, direct
    and through the mappings, are weighted against the sizes of their gradients, step by step.

    Args:
        network: The network to train.
        options: Those of `XTaskOptions`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: Zamir et al. 2020, "Robust Learning Through Cross-Task Consistency", and its released
    code; "X-task" in table 5 of MTPSL.
    """

    options: XTaskOptions
    summary: ClassVar[str] = "prediction and label agree after maps that labels taught beforehand"
    reference: ClassVar[str] = "Zamir et al. 2020 (X-TC); MTPSL table 5, X-task"
    default_views: ClassVar[int] = 1

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.beforehand = self.options.learn_from == "labels"
        if self.beforehand and self.options.pairs != "auto":
            raise ValueError(
                "`pairs` should go with `learn_from: predictions`, as mappings learn from labels "
                f"in the pairs that an image shows; found {self.options.pairs}. Leave it out, or "
                "give --set method.options.learn_from=predictions."
            )
        self.needs_shared = self.takes_gradients = self.options.gradient_weights
        self.frozen = False

    def check_labels(self, shown: NDArray[np.bool_]) -> None:
        """Refuse labels of which no image shows both tasks of some pair."""
        names = self.supervision.names
        pairs = combinations(range(len(names)), 2)
        never = [
            f"{names[i]} and {names[j]}" for i, j in pairs if not shown[:, [i, j]].all(1).any()
        ]
        if self.beforehand and never:
            raise ValueError(
                "the mapping from a task to another should learn from images that show both; found "
                f"none that shows {', or '.join(never)}. Let the mappings learn from predictions, "
                "along the way: --set method.options.learn_from=predictions. Or choose another "
                "--regime."
            )

    def stages(self) -> Sequence[Stage]:
        """The mappings learn from labels, unless they are to learn along the way."""
        if not self.beforehand:
            return ()
        epochs = self.options.mapping_epochs
        return [Stage("mappings", epochs, self.learn, self._mapping_groups, self.freeze)]

    def learn(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """A step of the stage: the label of s, mapped, against the label of t."""
        batch = views.main
        pairs = shown_pairs(self.supervision.seen(batch))
        compare = self.against_labels(self._encode_labels(pairs, batch), batch)
        return self.sum_over_pairs("mapping", pairs, compare, batch=len(batch), weight=1.0)

    def freeze(self) -> None:
        """Keep the mappings as they are, also in what batch norm knows."""
        self.frozen = True
        self.mappings.requires_grad_(requires_grad=False).eval()

    def train(self, mode: bool = True) -> "XTask":
        """Training mode; frozen mappings stay in evaluation."""
        super().train(mode)
        if self.frozen:
            self.mappings.eval()
        return self

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and one for what it looks like as other tasks."""
        outputs = views.predict(self.network)
        supervised = self.supervision.terms(views, outputs)
        batch, predictions = views.last, outputs[-1].predictions
        mapping = Terms() if self.beforehand else self.learnt(batch, predictions, rng)
        distances = self.perceptual(batch, predictions, rng)
        # With the weight of the task that is predicted, as its direct loss has it.
        own = {
            s: {t: self.supervision.weights[s] * x for t, x in of.items()}
            for s, of in distances.items()
        }
        weights = self.weights(supervised.tasks, own)
        factor = self.options.consistency_weight * self.options.ramp(progress)
        tasks = {s: weights[s][DIRECT] * loss for s, loss in supervised.tasks.items()}
        auxiliary = {
            f"{s}/consistency": factor * torch.stack([weights[s][t] * of[t] for t in of]).sum()
            for s, of in own.items()
        }
        parts = {
            f"consistency/{pair_name(s, t)}": x.detach()
            for s, of in distances.items()
            for t, x in of.items()
        }
        factors = {f"{s}/weight {of}": x for s, each in weights.items() for of, x in each.items()}
        counts = {name: torch.ones_like(x) for name, x in factors.items()}
        own_terms = Terms(auxiliary=auxiliary, parts=parts | factors, counts=counts)
        return replace(supervised, tasks=tasks) + mapping + own_terms

    def perceptual(
        self,
        batch: Batch,
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        rng: torch.Generator,
    ) -> OfTask:
        """The distance of prediction and label of each task after each map."""
        seen = self.supervision.seen(batch)
        pairs = labelled_sources(seen)
        compare = self.against_mapped_labels(pairs, predictions, batch, rng)
        paper = self.supervision.normalise == "paper"
        shares = 1 / seen.device.sum(0).clamp(min=1)
        found: OfTask = {}
        for (source, target), images in by_tasks(pairs).items():
            loss, valid = compare(source, target, images)
            share = shares[images] if paper else None
            value = self.supervision.compared(target, loss, valid, batch=len(batch), weight=share)
            found.setdefault(source, {})[target] = value
        return found

    def weights(self, direct: Mapping[str, Tensor], perceptual: OfTask) -> OfTask:
        """What each loss is multiplied by, detached; it depends on all images of the batch."""
        own: OfTask = {}
        for task in self.supervision.names:
            losses = {DIRECT: direct[task]} if task in direct else {}
            own[task] = losses | perceptual.get(task, {})
        weights: OfTask = {}
        for task, names in self._everywhere(own).items():
            of_task = torch.ones(len(names), device=next(self.network.parameters()).device)
            if self.options.gradient_weights and torch.is_grad_enabled():
                sizes = [self._size(own[task].get(name)) for name in names]
                of_task = against_gradients(torch.stack(sizes))
                of_task[0] *= len(names) - 1 if DIRECT in names and len(names) > 1 else 1
            weights[task] = dict(zip(names, of_task, strict=True))
        return weights

    def _everywhere(self, own: OfTask) -> dict[str, list[str]]:
        """The names of the losses of each task that has some, whatever process has them."""
        told = processes.gathered({task: list(losses) for task, losses in own.items()})
        names = {task: {name for one in told for name in one[task]} for task in own}
        ordered = {
            task: [name for name in (DIRECT, *self.supervision.names) if name in names[task]]
            for task in own
        }
        return {task: each for task, each in ordered.items() if each}

    def parameter_groups(self) -> list[ParameterGroup]:
        """The network; mappings that learn along the way with a rate of their own."""
        network = ParameterGroup(learning(self, without=[self.mappings]))
        return [network] if self.beforehand else [network, *self._mapping_groups()]

    def _mapping_groups(self) -> list[ParameterGroup]:
        return [ParameterGroup(learning(self.mappings), self.options.mapping_rate)]

    def _size(self, loss: Tensor | None) -> Tensor:
        """The mean magnitude of the gradient by the last shared parameters; None has none here."""
        shared = self.network.shared_parameters()
        given: dict[Tensor, Tensor] = {}
        if loss is not None:
            found = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
            given = {p: g for p, g in zip(shared, found, strict=True) if g is not None}
        means = processes.averaged(shared, given).values()
        total = sum(g.abs().sum(dtype=torch.float32) for g in means)
        return torch.as_tensor(total, device=shared[0].device) / sum(p.numel() for p in shared)

    def _encode_labels(self, pairs: Sequence[Pair], batch: Batch) -> Encoded:
        """The labels of the sources, as the mappings read them."""
        encoded: Encoded = {}
        dtype = next(self.mappings.parameters()).dtype
        for task, images in self.sources(pairs):
            label, valid = labels_of(batch, task.name, images)
            rows = kind_model(task).encode_label(label, valid, task.channels).to(dtype)
            encoded |= by_image(task, images, rows)
        return encoded


def against_gradients(sizes: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """(sum - own) / ((n - 1) x sum) of each size: 1 together, and less for larger gradients.

    1/n each where none has a gradient, and 1 for one loss alone.

    Reference: the released code of Zamir et al. 2020.
    """
    n = len(sizes)
    if n == 1:
        return torch.ones_like(sizes)
    # The others are added up, as the sum less a size that is nearly all of it would be 0.
    others = (sizes * (1 - torch.eye(n, device=sizes.device))).sum(1)
    even = torch.full_like(sizes, 1 / n)
    return torch.where(sizes.sum() > 0, others / others.sum().clamp(min=SMALLEST), even)
