"""What `direct-map` and `perceptual-map` share: a network from each task to each other task."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from mtdata.reading.batch import Batch
from mtmodels.kinds import kind_model
from mtmodels.methods.base import Method, ParameterGroup, learning
from mtmodels.methods.parts.further_views import FurtherViewOptions
from mtmodels.methods.parts.label_distance import Distance, to_label
from mtmodels.methods.parts.pairs import Pair, PairOptions, pair_name, source_shares
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import View, Views
from mtmodels.networks.auxiliary.label_network import LabelMapping
from mtmodels.networks.base import Network, Output

Encoded = dict[tuple[str, int], Tensor]
"""What a mapping reads, of a task and an image: channels, height, width."""
Compare = Callable[[str, str, Sequence[int]], Distance]
"""(source, target, images) -> their distances in the label space of the target."""


class LabelMappingOptions(SupervisionOptions, FurtherViewOptions, PairOptions):
    """How tasks are mapped to each other's labels."""

    distance: Literal["loss", "cosine"] = "loss"
    """`loss`: that of the task mapped to. `cosine`: of the whole maps, as equation 3 has it."""


class LabelMappingMethod(Method):
    """There is one network an ordered pair of tasks; it runs once a step, where its pair occurs.

    Args:
        network: The network to train.
        options: Those of `LabelMappingOptions`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.
    """

    options: LabelMappingOptions
    minimum_tasks: ClassVar[int] = 2
    default_views: ClassVar[int] = 2

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks, self.options)
        self.tasks = {task.name: task for task in network.tasks}
        self.mappings = mappings_between(network, self.options.inner_width(network))

    @abstractmethod
    def consistency(
        self, views: Views, outputs: Sequence[Output], *, progress: float, rng: torch.Generator
    ) -> Terms:
        """What the method adds to the supervised terms."""

    def views(self, count: int) -> Sequence[View]:
        """The labels of the first supervise, unless `supervise` says otherwise."""
        return self.options.views(count)

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and what the method adds."""
        outputs = views.predict(self.network)
        own = self.consistency(views, outputs, progress=progress, rng=rng)
        return self.supervision.terms(views, outputs) + own

    def encode(
        self,
        pairs: Sequence[Pair],
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        rng: torch.Generator,
    ) -> Encoded:
        """The predictions of the sources, each drawn once for all pairs that it is part of."""
        encoded: Encoded = {}
        for name, task in self.tasks.items():
            images = sorted({pair.image for pair in pairs if pair.source == name})
            if images:
                rows = kind_model(task).encode_prediction(predictions[name][images], rng)
                encoded |= {(name, image): row for image, row in zip(images, rows, strict=True)}
        return encoded

    def against_labels(self, encoded: Encoded, batch: Batch) -> Compare:
        """Compares what is mapped with the labels of the target."""

        def compare(source: str, target: str, images: Sequence[int]) -> Distance:
            read = torch.stack([encoded[source, image] for image in images])
            mapped = self.mappings[pair_name(source, target)](read)
            label, valid = labels_of(batch, target, images)
            loss = self.supervision.losses[target] if self.options.distance == "loss" else None
            return to_label(self.tasks[target], mapped, label, valid, loss=loss)

        return compare

    def sum_over_pairs(
        self, name: str, pairs: Sequence[Pair], compare: Compare, *, batch: int, weight: float
    ) -> Terms:
        """The sum over the pairs of an image, mean over the images, as a term of that name."""
        shares = source_shares(pairs)
        paper = self.supervision.normalise == "paper"
        values, parts = [], {}
        for (source, target), images in by_tasks(pairs).items():
            loss, valid = compare(source, target, images)
            share = loss.new_tensor([shares[i] if paper else 1 for i in images])
            value = self.supervision.compared(target, loss, valid, batch=batch, weight=share)
            values.append(self.supervision.weights[target] * value)
            mean = self.supervision.compared(target, loss.detach(), valid)
            parts[f"{name}/{pair_name(source, target)}"] = mean
        total = {name: weight * torch.stack(values).sum()} if values else {}
        return Terms(auxiliary=total, parts=parts)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The network; the mappings with a rate of their own."""
        network = ParameterGroup(learning(self, without=[self.mappings]))
        return [network, ParameterGroup(learning(self.mappings), self.options.mapping_rate)]


def mappings_between(network: Network, width: float) -> nn.ModuleDict:
    """A mapping for each ordered pair of the tasks of a network."""
    return nn.ModuleDict(
        {
            pair_name(s.name, t.name): LabelMapping(s, t, width=width)
            for s in network.tasks
            for t in network.tasks
            if s is not t
        }
    )


def by_tasks(pairs: Sequence[Pair]) -> dict[tuple[str, str], list[int]]:
    """The images of each ordered pair of tasks, so that its mapping runs once for all of them."""
    images: dict[tuple[str, str], list[int]] = {}
    for pair in pairs:
        images.setdefault((pair.source, pair.target), []).append(pair.image)
    return images


def labels_of(
    batch: Batch, task: str, images: Sequence[int]
) -> tuple[Shaped[Tensor, "n d h w"], Bool[Tensor, "n h w"]]:
    """The labels of these images, which show the task, and where they are valid."""
    rows = {image: row for row, image in enumerate(batch.rows[task].tolist())}
    at = [rows[image] for image in images]
    return batch.labels[task][at], batch.valid[task][at]
