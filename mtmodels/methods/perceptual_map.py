"""Prediction and label of one task, compared after a map to another task."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from mtdata.reading.batch import Batch
from mtmodels.kinds import kind_model
from mtmodels.methods.label_mapping import Compare, Encoded, LabelMappingMethod, labels_of
from mtmodels.methods.parts.label_distance import Distance, to_prediction
from mtmodels.methods.parts.pairs import Pair, pair_name, present_pairs
from mtmodels.methods.parts.supervision import Seen
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks.base import Output


class PerceptualMap(LabelMappingMethod):
    """What a prediction and a label of s look like as t should be the same.

    The mapping from s to t learns from images that show t, without a say in the predictions that
    it reads. Where an image shows s, the predictions learn from the mapping, without a say in it.

    Args:
        network: The network to train.
        options: Those of `LabelMappingOptions`.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.

    Reference: MTPSL section 3.2, "Perceptual-Map", whose code was never released.
    """

    summary: ClassVar[str] = "prediction and label agree after a map to another task"
    reference: ClassVar[str] = "MTPSL section 3.2, Perceptual-Map"

    def consistency(
        self, views: Views, outputs: Sequence[Output], *, progress: float, rng: torch.Generator
    ) -> Terms:
        """What the mappings learn from, and what the predictions learn from."""
        batch, predictions = views.last, outputs[-1].predictions
        learnt = self.learnt(batch, predictions, rng)
        pairs = labelled_sources(self.supervision.seen(batch))
        agreement = self.sum_over_pairs(
            "consistency",
            pairs,
            self.against_mapped_labels(pairs, predictions, batch, rng),
            batch=len(batch),
            weight=self.options.consistency_weight * self.options.ramp(progress),
        )
        return learnt + agreement

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
        for name, task in self.tasks.items():
            images = sorted({pair.image for pair in pairs if pair.source == name})
            if not images:
                continue
            row, (label, valid) = kind_model(task), labels_of(batch, name, images)
            there = valid[:, None]
            truth = row.encode_label(label, valid, task.channels)
            shown = torch.where(there, predictions[name][images], 0)
            read = torch.where(there, row.encode_prediction(shown, rng), truth)
            for image, one, other in zip(images, read, truth.to(read.dtype), strict=True):
                predicted[name, image], labelled[name, image] = one, other
        return predicted, labelled

    def _frozen(
        self, source: str, target: str, read: Float[Tensor, "n c h w"]
    ) -> Float[Tensor, "n d h w"]:
        """What the mapping makes of this, with gradients for what it reads alone."""
        mapping = self.mappings[pair_name(source, target)]
        still = {name: parameter.detach() for name, parameter in mapping.named_parameters()}
        mapped: Tensor = functional_call(mapping, still, (read,))
        return mapped


def labelled_sources(seen: Seen) -> list[Pair]:
    """Every task that an image shows, with every other task, image by image."""
    return [
        Pair(image, source, target)
        for image, labelled in enumerate(seen.host.T.tolist())
        for source, there in zip(seen.tasks, labelled, strict=True)
        for target in seen.tasks
        if there and target != source
    ]
