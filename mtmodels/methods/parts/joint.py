"""What `mtpsl`, `contrastive` and `discriminator` share: pairs of tasks in joint spaces."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from mtdata.reading.batch import Batch
from mtmodels.methods.base import (
    Finding,
    Method,
    ParameterGroup,
    Probe,
    ScheduleName,
    learning,
)
from mtmodels.methods.parts.crop_consistency import CropDistance, crop_terms
from mtmodels.methods.parts.further_views import FurtherViewOptions
from mtmodels.methods.parts.helpful_pairs import (
    Ends,
    HelpfulPairOptions,
    HelpfulPairs,
    cosine,
    gradient,
    label_gradient,
    left_as_it_is,
    shared_by_tasks,
    summed_pairs,
)
from mtmodels.methods.parts.joint_space import Conditioning, JointSpace
from mtmodels.methods.parts.pairs import (
    Pair,
    PairOptions,
    cells_inside,
    present_pairs,
    source_shares,
)
from mtmodels.methods.parts.relation_terms import Relations, WithGeometryOptions
from mtmodels.methods.parts.supervision import Supervision, SupervisionOptions
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import View, Views
from mtmodels.networks.auxiliary.conditioned import Statistics
from mtmodels.networks.base import Network, Output
from mtmodels.options import CountsWith, Weight

WITH_SSL = CountsWith("with_ssl", bool, "--with-ssl")
CONDITIONED = CountsWith(
    "conditioning", lambda value: value in ("pair", "input_and_pair"), "conditioning: pair"
)


class JointOptions(
    SupervisionOptions, FurtherViewOptions, PairOptions, HelpfulPairOptions, WithGeometryOptions
):
    """How pairs of tasks meet in joint spaces."""

    consistency_weight: Weight = 2.0
    """A factor on the sum over the pairs of an image: 2 as released for NYUv2, 1 for Cityscapes;
    equation 4 has 1."""
    conditioning: Conditioning = "pair"
    """`pair`: the mapping knows the pair, as released. `input_and_pair`: and which end of it, as
    the paper writes it. `none`: nothing. `separate`: a mapping for each ordered pair, equation 3.
    """
    mapping: Literal["segnet", "resnet18"] | None = None
    """Null for that of the paper: the encoder of SegNet for SegNet, ResNet-18 for networks made of
    ResNets."""
    mapping_norm: Statistics = "sample"
    """What batch norm in the mapping takes its statistics over: `sample` as released, or `pass`."""
    film_rate: Annotated[Weight, CONDITIONED] = 10.0
    """A factor on the learning rate of the conditioning: 10 as released for NYUv2, 0.1 for
    Cityscapes."""
    film_schedule: Annotated[ScheduleName | None, CONDITIONED] = None
    """A schedule of the conditioning's own: {name: step, options: {every: 30}}."""
    checkpoint_mapping: bool = False
    """Whether to compute the inside of the mapping again in the backward pass, for less memory."""
    detach_predictions: bool = False
    """Whether the consistency trains the mapping alone."""
    with_ssl: bool = False
    """Whether to add the crop consistency of `ssl`."""
    ssl_weight: Annotated[Weight, WITH_SSL] = 1.0
    """A factor on it."""
    ssl_distance: Annotated[CropDistance, WITH_SSL] = "squared"
    """`squared`, or the `loss` of the kind of task, as `distance` of `ssl`."""
    soft: bool = False
    """Whether a predicted class enters the mapping as its probabilities; false: as a class that is
    drawn from them (Gumbel), as released."""
    clip: Literal["together", "apart"] = "together"
    """Whether `gradient_clip` is a limit on the norm of all gradients, as released, or one on that
    of the network and one on that of the mapping, with the discriminator where there is one."""


class JointMethod(Method):
    """The prediction of an unlabelled task and the label of another one meet in a joint space.

    Args:
        network: The network to train.
        options: Those of `JointOptions`, or of the member.

    Raises:
        ValueError: where the network has one task only, or an option is out of range.
    """

    options: JointOptions
    minimum_tasks: ClassVar[int] = 2
    default_views: ClassVar[int] = 2

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        chosen = self.options
        self.supervision = Supervision(network.tasks, chosen)
        self.compares_crops = chosen.with_ssl
        if chosen.with_ssl:
            self.minimum_views = 2
        self.relations = Relations(network.tasks, chosen, wanted=chosen.with_geometry)
        self.uses_unlabelled = chosen.with_ssl or self.relations.use_unlabelled
        self.missing_alone = chosen.pairs == "unlabelled"
        self.most_views = None if self.uses_unlabelled else 2
        self.cameras_for = self.relations.cameras_for
        self.joint = JointSpace(
            network,
            conditioning=chosen.conditioning,
            trunk=chosen.mapping,
            width=chosen.inner_width(network),
            over=chosen.mapping_norm,
            soft=chosen.soft,
            checkpointing=chosen.checkpoint_mapping,
        )
        self.needs_shared = chosen.helpful_pairs
        self.helpful = self._helpful()

    def idle(self, shown: NDArray[np.bool_]) -> Iterator[str]:
        """Where relations were asked for and no image shows what they need."""
        return self.relations.idle(shown)

    def _helpful(self) -> HelpfulPairs | None:
        if not self.options.helpful_pairs:
            return None
        if self.options.detach_predictions:
            raise ValueError(
                "`helpful_pairs` should go without `detach_predictions`, with which no pair has a "
                "gradient on the network; found both. Leave one of them out."
            )
        return HelpfulPairs(self.supervision.names, self.options)

    @abstractmethod
    def compare(
        self, pairs: Sequence[Pair], views: Views, output: Output, rng: torch.Generator
    ) -> Float[Tensor, " p"]:
        """How far the prediction and the label of each pair are from each other.

        Args:
            pairs: Of the images of the last view.
            views: The views.
            output: What the network says of the last one.
            rng: The only source of randomness.
        """

    def views(self, count: int) -> Sequence[View]:
        """The labels of the first supervise, unless `supervise` says otherwise."""
        return self.options.views(count)

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """One term a task that an image shows, and the consistency."""
        outputs = views.predict(self.network)
        own = self.consistency(views, outputs, progress=progress, rng=rng)
        own += self.relations.terms(views, outputs, progress=progress)
        return self.supervision.terms(views, outputs) + own

    def consistency(
        self, views: Views, outputs: Sequence[Output], *, progress: float, rng: torch.Generator
    ) -> Terms:
        """The sum over the pairs of an image, mean over the images."""
        chosen, factor = self.options, self.options.ramp(progress)
        pairs = self.present(views)
        terms = Terms()
        if pairs:
            values = self.compare(pairs, views, self._mapped(outputs[-1]), rng)
            total = (values * self._weights(pairs, views, values)).sum() / len(views.last)
            weighted = chosen.consistency_weight * factor * total
            terms = Terms(auxiliary={"consistency": weighted})
            terms += pair_means("consistency", pairs, values)
        if chosen.with_ssl:
            seen, weight = self.supervision.seen(views.main), chosen.ssl_weight * factor
            terms += crop_terms(
                self.network.tasks,
                views,
                outputs,
                seen,
                weight=weight,
                distance=chosen.ssl_distance,
            )
        return terms

    def cells(
        self, pairs: Sequence[Pair], batch: Batch, maps: Float[Tensor, "p d h w"]
    ) -> Bool[Tensor, "p h w"] | None:
        """Which cells of the maps of these pairs see the true image; None where no image is padded.

        Args:
            pairs: A pair a map.
            batch: Their images.
            maps: Says how many cells there are.
        """
        inside = cells_inside(batch, maps)
        return None if inside is None else inside[[pair.image for pair in pairs]]

    def probe(self) -> Probe | None:
        """Asks held-out labels which pairs help, where that is wanted."""
        if self.helpful is None:
            return None
        return Probe(self.options.helpful_every, self.options.helpful_batches, self.look)

    def look(
        self,
        parts: Iterable[Views],
        held: Sequence[Batch],
        *,
        progress: float,
        rng: torch.Generator,
    ) -> Finding | None:
        """Compare the gradient of each pair with that of held-out labels.

        Args:
            parts: The views of the step that comes, in the parts that it is computed in.
            held: Batches of held-out images, as they are.
            progress: How far the training is.
            rng: The only source of randomness.
        """
        assert self.helpful is not None  # `probe` asks
        shared, found = shared_by_tasks(self.network), dict[Ends, Tensor]()
        with left_as_it_is(self):
            labels = label_gradient(self.network, self.supervision, held)
            for views in () if labels is None else parts:
                for ends, total in self.totals(views, rng).items():
                    own = gradient(total, shared, again=True)
                    found[ends] = found[ends] + own if ends in found else own
        found = summed_pairs(found, shared)
        if labels is None or not found:
            return None
        return self.helpful.take({ends: cosine(own, labels) for ends, own in found.items()})

    def totals(self, views: Views, rng: torch.Generator) -> dict[Ends, Float[Tensor, ""]]:
        """The sum of each pair that the labels allow over the images that have it."""
        pairs = self.allowed(views)
        if not pairs:
            return {}
        output = self._mapped(views.predict(self.network)[-1])
        values = self.compare(pairs, views, output, rng)
        values = values * self._weights(pairs, views, values)
        ends = [(pair.source, pair.target) for pair in pairs]
        return {one: values[[other == one for other in ends]].sum() for one in dict.fromkeys(ends)}

    def present(self, views: Views) -> list[Pair]:
        """The pairs that have a term: those that are allowed, but for those that rest."""
        pairs = self.allowed(views)
        return pairs if self.helpful is None else self.helpful.kept(pairs)

    def allowed(self, views: Views) -> list[Pair]:
        """The pairs that the labels of the last view allow.

        None in a batch of fewer images than the member compares with each other.
        """
        if len(views.last) < self.minimum_images:
            return []
        return present_pairs(self.supervision.seen(views.last), self.options.pairs)

    def check_size(self, height: int, width: int) -> None:
        """Refuse images that network or mapping cannot take."""
        super().check_size(height, width)
        self.joint.check_size(height, width)

    def parameter_groups(self) -> list[ParameterGroup]:
        """The network; the mapping; its conditioning, with a rate and a schedule of its own."""
        return [ParameterGroup(learning(self, without=[self.joint])), *self.mapping_groups()]

    def mapping_groups(self) -> list[ParameterGroup]:
        """The mapping, and its conditioning."""
        chosen, film = self.options, self.joint.film_parameters()
        clip = "mapping" if chosen.clip == "apart" else ""
        groups = [
            ParameterGroup(learning(self.joint, without=film), chosen.mapping_rate, clip=clip)
        ]
        if film:
            rate, schedule = chosen.film_rate, chosen.film_schedule
            groups.append(ParameterGroup(film, rate, schedule, clip=clip, factors=True))
        return groups

    def _mapped(self, output: Output) -> Output:
        """What the mapping reads: predictions without gradients, where they are not to learn."""
        if not self.options.detach_predictions:
            return output
        predictions = {name: p.detach() for name, p in output.predictions.items()}
        return replace(output, predictions=predictions)

    def _weights(self, pairs: Sequence[Pair], views: Views, like: Tensor) -> Float[Tensor, " p"]:
        """1 as released; 1/|U_n| as equation 4 is printed where `normalise` is "paper".

        A pair that rests is a source of its image all the same.
        """
        if self.supervision.normalise != "paper":
            return torch.ones_like(like)
        shares = source_shares(self.allowed(views))
        return like.new_tensor([shares[pair.image] for pair in pairs])


def pair_means(name: str, pairs: Sequence[Pair], values: Float[Tensor, " p"]) -> Terms:
    """The mean of each pair of tasks over the images that have it, as parts under that name."""
    names = [f"{name}/{pair.source}_with_{pair.target}" for pair in pairs]
    of_pair = {
        each: values.detach()[[i for i, other in enumerate(names) if other == each]]
        for each in sorted(set(names))
    }
    return Terms(
        parts={each: own.mean() for each, own in of_pair.items()},
        counts={each: own.new_tensor(len(own)) for each, own in of_pair.items()},
    )
