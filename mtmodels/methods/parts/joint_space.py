"""Predictions and labels mapped into the joint spaces of pairs of tasks."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mtdata.reading.batch import Batch
from mtmodels.kinds import kind_model
from mtmodels.losses import at_least_single
from mtmodels.methods.parts.pairs import Pair, labels_of, pair_code
from mtmodels.networks.auxiliary.conditioned import Statistics
from mtmodels.networks.auxiliary.mapping import MappingNetwork
from mtmodels.networks.base import Network

TRUNKS = {"vgg": "segnet", "resnet": "resnet18"}
"""The mapping of the paper for SegNet and for networks made of ResNets."""
Conditioning = Literal["pair", "input_and_pair", "none", "separate"]
Predictions = Mapping[str, Float[Tensor, "b c h w"]]


class Point(NamedTuple):
    """What is mapped: the prediction or the label of a task of an image, under a code."""

    is_label: bool
    image: int
    task: str
    code: int


class JointSpace(nn.Module):
    """Maps what is asked for in one pass, each prediction and label under its code.

    Args:
        network: Whose predictions and features these are.
        conditioning: "pair": one network for all pairs, conditioned on (s, t) in both branches, as
            released. "input_and_pair": on (s, t) for the prediction of s and on (t, s) for the
            label of t, as the paper writes it. "none": one network that does not know the pair.
            "separate": a network for each ordered pair, MTPSL eq. 3.
        trunk: The kind of mapping network, "segnet" or "resnet18"; None for what suits the network.
        width: A factor on the channels of the mapping.
        over: Statistics of batch norm: "sample" or "pass".
        soft: Whether predictions enter as probabilities, in place of what is drawn from them.
        checkpointing: Whether to compute the inside of the mapping again in the backward pass.
    """

    def __init__(
        self,
        network: Network,
        *,
        conditioning: Conditioning = "pair",
        trunk: str | None = None,
        width: float = 1.0,
        over: Statistics = "sample",
        soft: bool = False,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.conditioning, self.soft = conditioning, soft
        self.tasks = network.tasks
        self.names = tuple(task.name for task in network.tasks)
        codes = len(self.names) * (len(self.names) - 1)
        separate = conditioning == "separate"
        # m_st reads the prediction of s in the pair (s, t) and the label of s in the pair (t, s).
        readers = [[task] for task in self.tasks for _ in self.names[1:]]
        self.mappings = nn.ModuleList(
            MappingNetwork(
                read,
                codes=codes if conditioning in ("pair", "input_and_pair") else 0,
                trunk=trunk or TRUNKS[network.layers],
                channels=network.feature_channels,
                stride=network.feature_stride,
                width=width,
                over=over,
                checkpointing=checkpointing,
            )
            for read in (readers if separate else [list(self.tasks)])
        )

    def prediction(self, pair: Pair, *, image: int | None = None) -> Point:
        """The prediction of the source, of the image of the pair or of another."""
        at = pair.image if image is None else image
        return Point(False, at, pair.source, self._code(pair.source, pair.target))

    def label_of_source(self, pair: Pair) -> Point:
        """The label of the source, in the place of its prediction."""
        return self.prediction(pair)._replace(is_label=True)

    def label(self, pair: Pair) -> Point:
        """The label of the target."""
        ends = (pair.source, pair.target)
        if self.conditioning != "pair":
            ends = ends[::-1]
        return Point(True, pair.image, pair.target, self._code(*ends))

    def forward(
        self,
        points: Sequence[Point],
        batch: Batch,
        predictions: Predictions,
        rng: torch.Generator,
        *,
        before_last: bool = False,
    ) -> Float[Tensor, "m d hf wf"]:
        """The maps of all points, in order; a point that comes twice is mapped once.

        Args:
            points: What to map.
            batch: Whose labels these are.
            predictions: Those of the tasks that points are of.
            rng: Draws the classes of predictions.
            before_last: Whether to give the maps in front of the last stage of the mapping.
        """
        groups: dict[int, list[Point]] = {}
        for point in dict.fromkeys(points):
            which = point.code if self.conditioning == "separate" else 0
            groups.setdefault(which, []).append(point)
        mapped = torch.cat(
            [
                self._map(which, group, batch, predictions, rng, before_last=before_last)
                for which, group in groups.items()
            ]
        )
        place = {point: i for i, point in enumerate(itertools.chain(*groups.values()))}
        return mapped[torch.tensor([place[point] for point in points], device=mapped.device)]

    def check_size(self, height: int, width: int) -> None:
        """Refuse images whose maps are too small for the statistics of the mapping.

        Raises:
            ValueError: with what to do.
        """
        for mapping in self.mappings:
            assert isinstance(mapping, MappingNetwork)
            mapping.check_size(height, width)

    def film_parameters(self) -> list[nn.Parameter]:
        """The parameters of the conditioning, over all mappings."""
        return [
            p for m in self.mappings if isinstance(m, MappingNetwork) for p in m.film_parameters()
        ]

    def _code(self, source: str, target: str) -> int:
        return 0 if self.conditioning == "none" else pair_code(source, target, self.names)

    def _map(
        self,
        which: int,
        points: Sequence[Point],
        batch: Batch,
        predictions: Predictions,
        rng: torch.Generator,
        *,
        before_last: bool,
    ) -> Float[Tensor, "m d hf wf"]:
        inputs, place = self._inputs(points, batch, predictions, rng)
        pick = [place[point[:3]] for point in points]
        codes = [point.code for point in points]
        pick_, codes_ = (torch.tensor(values, device=batch.device) for values in (pick, codes))
        mapped: Tensor = self.mappings[which](inputs, pick_, codes_, before_last=before_last)
        return mapped

    def _inputs(
        self,
        points: Sequence[Point],
        batch: Batch,
        predictions: Predictions,
        rng: torch.Generator,
    ) -> tuple[dict[str, Tensor], dict[tuple[bool, int, str], int]]:
        """What the input layers read, each prediction and label once, and where each lies."""
        inputs: dict[str, Tensor] = {}
        place: dict[tuple[bool, int, str], int] = {}
        for task in self.tasks:
            name, row, parts = task.name, kind_model(task), []
            predicted, labelled = (
                sorted({p.image for p in points if p.task == name and p.is_label == is_label})
                for is_label in (False, True)
            )
            if predicted:
                drawn = None if self.soft else rng
                parts.append(row.encode_prediction(predictions[name][predicted], drawn))
            if labelled:
                label, valid = labels_of(batch, name, labelled)
                encoded = row.encode_label(label, valid, task.channels)
                parts.append(encoded.to(at_least_single(predictions[name]).dtype))
            for is_label, images in ((False, predicted), (True, labelled)):
                for image in images:
                    place[is_label, image, name] = len(place)
            if parts:
                inputs[name] = torch.cat(parts)
        return inputs, place
