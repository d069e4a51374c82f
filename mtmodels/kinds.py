"""The model's side of each kind of label, one row a kind. Nothing else asks for a kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from mtdata.errors import named
from mtdata.tasks.task import Task
from mtmodels.encodings import (
    EncodeLabel,
    EncodePrediction,
    highest,
    one_hot,
    relative_depth,
    relative_depth_label,
    sampled_binary,
    sampled_classes,
    shifted_normals,
    shifted_normals_label,
    value_label,
    zero_or_one,
)
from mtmodels.losses import (
    PixelLoss,
    at_least_single,
    balanced_bce,
    bce,
    channel_bce,
    cosine,
    cross_entropy,
    direction,
    edge_bce,
    hard_bce,
    hard_cross_entropy,
    l1,
    soft_bce,
    soft_cross_entropy,
    squeezed_l1,
)

SMALLEST_CHANCE = 1e-6
"""Below which a probability counts as this: its logit stays finite."""
Value = Float[Tensor, "n c h w"]
PerPixel = Callable[[Float[Tensor, "n c h w"]], Float[Tensor, "n c h w"]]


@dataclass(frozen=True)
class KindModel:
    """What networks, methods and losses need to know of a kind.

    Args:
        activation: From the last layer to a prediction: logits, units of the task, unit normals.
        losses: Losses against a label, by name.
        default_loss: The one used unless another is chosen.
        as_input: How a prediction enters a transfer network.
        encode_prediction: How a prediction enters a mapping network.
        encode_label: How a label enters the same network.
        as_value: The form in which predictions of two views are compared: probabilities, depth,
            unit normals.
        from_value: Such a value as a prediction again: logits, depth, unit normals.
        label_as_value: A label in that form: one-hot, depth, unit normals; zero where void.
        as_label: What a prediction says, in the form that labels have: the class it decides for.
        soft: Loss against another, detached prediction as it is.
        hard: The same against the value that this prediction decides for.
        untrained_outside_valid: Whether pixels without a valid label hold predictions that nothing
            ever trained (depth of the sky), so that they are no target either.
        starts_at_mean: Whether a prediction may begin at the mean of the labels, a value that the
            last layer is added to: depth in metres takes hundreds of steps to get there.
        blind: Losses that are 0 on a label of one value.
        one_sided_loss: The one that is taken in place of these where labels are so.
        reconstruction: Loss of what an auto-encoder makes of an encoded label or prediction.
        certainty: How probable what a value decides for is, where values are probabilities.
        unbounded: Whether its values have a unit and no upper bound, so that a joint tensor takes
            their place in a normal distribution.
        agreement: How far two values of one pixel are alike, [0, 1], where nothing says how
            probable either is.
    """

    activation: PerPixel
    losses: Mapping[str, PixelLoss]
    default_loss: str
    as_input: PerPixel
    encode_prediction: EncodePrediction
    encode_label: EncodeLabel
    as_value: PerPixel
    from_value: PerPixel
    label_as_value: EncodeLabel
    as_label: Callable[[Float[Tensor, "n c h w"]], Shaped[Tensor, "n d h w"]]
    soft: PixelLoss
    hard: PixelLoss
    untrained_outside_valid: bool
    reconstruction: PixelLoss
    starts_at_mean: bool = False
    blind: tuple[str, ...] = ()
    one_sided_loss: str = ""
    certainty: PerPixel | None = None
    unbounded: bool = False
    agreement: Callable[[Value, Value], Float[Tensor, "n 1 h w"]] | None = None

    def loss(self, task: str, name: str = "") -> PixelLoss:
        """The loss of that name, or the default one where there is none.

        Raises:
            UnknownNameError: where this kind has no such loss.
        """
        return named(f"loss of task `{task}`", name or self.default_loss, self.losses)


def log_probability(logits: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Log-softmax: how XTasC-Net feeds classes to its transfer networks."""
    return F.log_softmax(at_least_single(logits), dim=1)


def probability(logits: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Softmax."""
    return at_least_single(logits).softmax(1)


def chance(logit: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """The probability of "yes"."""
    return at_least_single(logit).sigmoid()


def log_of(probability: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Logits whose softmax these probabilities are."""
    return probability.clamp(min=SMALLEST_CHANCE).log()


def odds(chance: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """The logit whose sigmoid this probability is."""
    return chance.logit(eps=SMALLEST_CHANCE)


def largest(probability: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 h w"]:
    """The probability of the likeliest class."""
    return probability.amax(1, keepdim=True)


def larger(chance: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """The probability of the likelier side."""
    return torch.maximum(chance, 1 - chance)


def unit(vector: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """The vector made unit; one too short to have a direction stays finite."""
    return F.normalize(at_least_single(vector), dim=1, eps=1e-6)


def ratio(
    one: Float[Tensor, "n 1 h w"], other: Float[Tensor, "n 1 h w"]
) -> Float[Tensor, "n 1 h w"]:
    """The smaller over the larger; 0 where one of them is not above 0."""
    low, high = torch.minimum(one, other), torch.maximum(one, other)
    return torch.where(low > 0, low / torch.where(low > 0, high, 1), 0)


def alignment(
    one: Float[Tensor, "n 3 h w"], other: Float[Tensor, "n 3 h w"]
) -> Float[Tensor, "n 1 h w"]:
    """The cosine of the angle between unit vectors; 0 from a right angle on."""
    return (one * other).sum(1, keepdim=True).clamp(0, 1)


def likeliest(logits: Float[Tensor, "n c h w"]) -> Int[Tensor, "n 1 h w"]:
    """The class with the largest logit."""
    return highest(logits)[:, None].long()


def likely(logit: Float[Tensor, "n c h w"]) -> Bool[Tensor, "n c h w"]:
    """Whether "yes" is likelier than "no"."""
    return logit > 0


KINDS: dict[str, KindModel] = {
    "classes": KindModel(
        activation=at_least_single,
        losses={"cross_entropy": cross_entropy},
        default_loss="cross_entropy",
        as_input=log_probability,
        encode_prediction=sampled_classes,
        encode_label=one_hot,
        as_value=probability,
        from_value=log_of,
        label_as_value=one_hot,
        as_label=likeliest,
        soft=soft_cross_entropy,
        hard=hard_cross_entropy,
        # The released code compares classes on every pixel. On Cityscapes it masks the void ones,
        # which then add 0 but count in the mean; here they add their full cross-entropy.
        untrained_outside_valid=False,
        reconstruction=channel_bce,
        certainty=largest,
    ),
    "binary": KindModel(
        activation=at_least_single,
        losses={"balanced_bce": balanced_bce, "bce": bce, "edge_bce": edge_bce},
        default_loss="balanced_bce",
        as_input=at_least_single,  # log-odds: to two classes what log-softmax is to many
        encode_prediction=sampled_binary,
        encode_label=zero_or_one,
        as_value=chance,
        from_value=odds,
        label_as_value=zero_or_one,
        as_label=likely,
        soft=soft_bce,
        hard=hard_bce,
        untrained_outside_valid=False,
        blind=("balanced_bce",),
        one_sided_loss="bce",
        certainty=larger,
        reconstruction=channel_bce,
    ),
    "depth": KindModel(
        activation=at_least_single,
        losses={"l1": l1},
        default_loss="l1",
        as_input=at_least_single,
        encode_prediction=relative_depth,
        encode_label=relative_depth_label,
        as_value=at_least_single,
        from_value=at_least_single,
        label_as_value=value_label,
        as_label=at_least_single,
        soft=l1,
        hard=l1,
        untrained_outside_valid=True,
        starts_at_mean=True,
        reconstruction=squeezed_l1,
        unbounded=True,
        agreement=ratio,
    ),
    "normals": KindModel(
        activation=unit,
        losses={"cosine": cosine, "l1": l1},
        default_loss="cosine",
        as_input=at_least_single,
        encode_prediction=shifted_normals,
        encode_label=shifted_normals_label,
        as_value=at_least_single,
        from_value=at_least_single,
        label_as_value=value_label,
        as_label=at_least_single,
        soft=cosine,
        hard=cosine,
        untrained_outside_valid=True,
        starts_at_mean=True,
        reconstruction=direction,
        agreement=alignment,
    ),
}


def kind_model(task: Task) -> KindModel:
    """The row of the kind of a task.

    Raises:
        UnknownNameError: where the kind has no row.
    """
    return named("kind of label", task.kind.name, KINDS)
