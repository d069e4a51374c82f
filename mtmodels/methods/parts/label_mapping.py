"""What the methods share that have a network from each task to each other task."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from mtdata.reading.batch import Batch
from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.methods.base import Method, ParameterGroup, learning
from mtmodels.methods.parts.further_views import FurtherViewOptions
from mtmodels.methods.parts.label_distance import Distance, to_label, to_prediction
from mtmodels.methods.parts.pairs import (
    Pair,
    PairOptions,
    labels_of,
    pair_name,
    present_pairs,
    source_shares,
)
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import View
from mtmodels.networks.auxiliary.label_network import LabelMapping
from mtmodels.networks.base import Network

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
    most_views = 2

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks, self.options)
        self.tasks = {task.name: task for task in network.tasks}
        self.mappings = mappings_between(network, self.options.inner_width(network))

    def views(self, count: int) -> Sequence[View]:
        """The labels of the first supervise, unless `supervise` says otherwise."""
        return self.options.views(count)

    def sources(self, pairs: Sequence[Pair]) -> Iterator[tuple[Task, list[int]]]:
        """Each task that pairs start from, and the images that they are of."""
        for name, task in self.tasks.items():
            images = sorted({pair.image for pair in pairs if pair.source == name})
            if images:
                yield task, images

    def encode(
        self,
        pairs: Sequence[Pair],
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        rng: torch.Generator,
    ) -> Encoded:
        """The predictions of the sources, each drawn once for all pairs that it is part of."""
        encoded: Encoded = {}
        for task, images in self.sources(pairs):
            rows = kind_model(task).encode_prediction(predictions[task.name][images], rng)
            encoded |= by_image(task, images, rows)
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

    def learnt(
        self,
        batch: Batch,
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        rng: torch.Generator,
    ) -> Terms:
        """What the mappings learn from: predictions of s, which do not learn, and labels of t."""
        pairs = present_pairs(self.supervision.seen(batch), self.options.pairs)
        encoded = self.encode(pairs, {name: p.detach() for name, p in predictions.items()}, rng)
        return self.sum_over_pairs(
            "mapping", pairs, self.against_labels(encoded, batch), batch=len(batch), weight=1.0
        )

    def against_mapped_labels(
        self,
        pairs: Sequence[Pair],
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        batch: Batch,
        rng: torch.Generator,
    ) -> Compare:
        """Compares what becomes of the predictions with what becomes of the labels."""
        predicted, labelled = self._encode_both(pairs, predictions, batch, rng)

        def compare(source: str, target: str, images: Sequence[int]) -> Distance:
            both = [of[source, image] for of in (predicted, labelled) for image in images]
            # In one pass, so that one batch norm cannot hide by how much the two differ.
            mapped, mapped_label = self._frozen(source, target, torch.stack(both)).chunk(2)
            _, valid = labels_of(batch, source, images)
            cosine = self.options.distance == "cosine"
            return to_prediction(self.tasks[target], mapped, mapped_label, valid, cosine=cosine)

        return compare

    def sum_over_pairs(
        self, name: str, pairs: Sequence[Pair], compare: Compare, *, batch: int, weight: float
    ) -> Terms:
        """The sum over the pairs of an image, mean over the images, as a term of that name."""
        shares = source_shares(pairs)
        paper = self.supervision.normalise == "paper"
        values, parts, counts = [], {}, {}
        for (source, target), images in by_tasks(pairs).items():
            loss, valid = compare(source, target, images)
            share = loss.new_tensor([shares[i] if paper else 1 for i in images])
            value = self.supervision.compared(target, loss, valid, batch=batch, weight=share)
            values.append(self.supervision.weights[target] * value)
            part = f"{name}/{pair_name(source, target)}"
            parts[part] = self.supervision.compared(target, loss.detach(), valid)
            counts[part] = loss.new_tensor(len(images))
        total = {name: weight * torch.stack(values).sum()} if values else {}
        return Terms(auxiliary=total, parts=parts, counts=counts)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The network; the mappings with a rate of their own."""
        network = ParameterGroup(learning(self, without=[self.mappings]))
        return [network, ParameterGroup(learning(self.mappings), self.options.mapping_rate)]

    def _encode_both(
        self,
        pairs: Sequence[Pair],
        predictions: Mapping[str, Float[Tensor, "b c h w"]],
        batch: Batch,
        rng: torch.Generator,
    ) -> tuple[Encoded, Encoded]:
        """Predictions and labels of the sources; a void pixel reads as void in both."""
        predicted: Encoded = {}
        labelled: Encoded = {}
        for task, images in self.sources(pairs):
            row, (label, valid) = kind_model(task), labels_of(batch, task.name, images)
            there = valid[:, None]
            truth = row.encode_label(label, valid, task.channels)
            shown = torch.where(there, predictions[task.name][images], 0)
            read = torch.where(there, row.encode_prediction(shown, rng), truth)
            predicted |= by_image(task, images, read)
            labelled |= by_image(task, images, truth.to(read.dtype))
        return predicted, labelled

    def _frozen(
        self, source: str, target: str, read: Float[Tensor, "n c h w"]
    ) -> Float[Tensor, "n d h w"]:
        """What the mapping makes of this, with gradients for what it reads alone."""
        mapping = self.mappings[pair_name(source, target)]
        still = {name: parameter.detach() for name, parameter in mapping.named_parameters()}
        mapped: Tensor = functional_call(mapping, still, (read,))
        return mapped


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


def by_image(task: Task, images: Sequence[int], rows: Iterable[Tensor]) -> Encoded:
    """What mappings read of a task, a row for each of these images."""
    return {(task.name, image): row for image, row in zip(images, rows, strict=True)}
