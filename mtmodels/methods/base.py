"""What every method promises: from views of a batch to the terms of a step."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from mtmodels.methods.terms import Terms
from mtmodels.methods.views import View, Views
from mtmodels.networks.base import Network
from mtmodels.options import Options, options_class


class ScheduleName(Options):
    """A learning-rate schedule by its name, with its options."""

    name: str
    """Which schedule."""
    options: Mapping[str, Any] = {}
    """Its own options."""


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate.

    Args:
        parameters: What learns.
        scale: Multiplies the rate.
        schedule: A schedule of its own; None for that of the run.
        rate: A learning rate of its own; None for that of the run.
        weight_decay: Likewise.
        clip: Groups of one name are clipped together (`gradient_clip`), apart from all others.
        factors: Whether these are factors and offsets, as those of norms, whatever their shape:
            weight decay does not hold for them where it is for weights alone.
    """

    parameters: list[nn.Parameter]
    scale: float = 1.0
    schedule: ScheduleName | None = None
    rate: float | None = None
    weight_decay: float | None = None
    clip: str = ""
    factors: bool = False


FILE_NAME = re.compile(r"\w[\w. -]*")
Forward = Callable[..., Terms]
"""`(views, *, progress, rng) -> Terms`."""


def _nothing() -> None:
    """Nothing: what was learnt goes on to learn."""


@dataclass(frozen=True)
class Stage:
    """What a method does before the training proper, over the same batches.

    A stage has its own optimiser, progress bar, rows in the log and checkpoint, from which it
    resumes; when it is done, the training begins at its first step.

    Args:
        name: For messages and files ("mappings").
        epochs: How long it takes; `progress` goes from 0 to 1 over them.
        forward: The terms of a step, like `Method.forward`.
        groups: What learns.
        done: Called when the stage is over: what was learnt may be frozen there.
    """

    name: str
    epochs: int
    forward: Forward
    groups: Callable[[], list[ParameterGroup]]
    done: Callable[[], None] = _nothing


def check_groups(groups: object) -> None:
    """Refuse what are no groups, none at all, and a parameter that learns in two of them.

    Raises:
        ValueError: with what to do.
    """
    if not isinstance(groups, list | tuple) or not all(
        isinstance(group, ParameterGroup) for group in groups
    ):
        raise ValueError(
            "`parameter_groups` should give a list of `ParameterGroup` (mtmodels.methods.base); "
            f"found {groups!r:.80}."
        )
    count = Counter(id(parameter) for group in groups for parameter in group.parameters)
    if not count or max(count.values()) > 1:
        raise ValueError(
            "each parameter that learns should be once in `parameter_groups`; found "
            f"{'one more than once' if count else 'none'}. `learning(module, without=...)` lists "
            "those that have no other group."
        )


def check_stages(stages: object) -> None:
    """Refuse what are no stages, and those that would be taken for each other, or never end.

    Raises:
        ValueError: with what to do.
    """
    names = list[str]()
    if not isinstance(stages, list | tuple) or not all(isinstance(s, Stage) for s in stages):
        raise ValueError(
            f"`stages` should give a list of `Stage` (mtmodels.methods.base); found {stages!r:.80}."
        )
    for stage in stages:
        if not FILE_NAME.fullmatch(stage.name) or stage.name in names:
            raise ValueError(
                "a stage should have a name of its own, of letters, digits and -, _, . or blanks, "
                f"under which its checkpoint lies; found {stage.name!r}"
                f"{' twice' if stage.name in names else ''}."
            )
        if stage.epochs < 1:
            raise ValueError(
                f"the stage `{stage.name}` should take 1 epoch or more; found {stage.epochs}. "
                "Leave it out of `stages` where there is nothing to learn."
            )
        names.append(stage.name)


@dataclass(frozen=True)
class Finding:
    """What a look at held-out images said of what a method may go on with, pairs of tasks say.

    Args:
        cosine: What this look said of each, by name.
        agreement: The running mean over all looks.
        kept: Whether the method goes on with it until the next look.
        threshold: The agreement below which it does not.
    """

    cosine: Mapping[str, float]
    agreement: Mapping[str, float]
    kept: Mapping[str, bool]
    threshold: float = 0.0


Look = Callable[..., Finding | None]
"""`(parts, held, *, progress, rng) -> Finding`; None where there was nothing to ask."""


@dataclass(frozen=True)
class Probe:
    """What a method asks of held-out images, along the training.

    Before every `every`-th step it sees the views of that step, in the parts that it is computed
    in, and some batches of the images that `--holdout` keeps away from training, with the labels
    that the regime shows of them. It does not learn from them: what it finds decides what it goes
    on to learn from. What it remembers belongs into buffers, so that a run resumes.

    Args:
        every: Steps from one look to the next.
        batches: Held-out batches a look, drawn anew each time.
        look: Sees them.
    """

    every: int
    batches: int
    look: Look


class Method(nn.Module, ABC):
    """Makes terms: it never calls backward, never weights tasks, never logs.

    Networks that only training needs (transfer and mapping networks) belong to the method, so that
    `predict`, export and the count of inference parameters see `network` alone. Networks of other
    runs come by `runs`, are in `teachers`, and are never part of a checkpoint.

    Args:
        network: The network to train.
        options: The fields of what `options` is declared as.

    Raises:
        ValueError: where the network has too few tasks, or an option cannot be.
    """

    options: Options
    summary: ClassVar[str]
    """One sentence for `mtmodels list methods`."""
    reference: ClassVar[str]
    """Paper and equation."""
    default_tasks: ClassVar[tuple[str, ...]] = ()
    """Tasks that it trains on unless told otherwise; all of the store where there are none."""
    uses_unlabelled: bool = False
    """Whether it learns from images that show none of the tasks (`--keep-unlabelled`)."""
    missing_alone: bool = False
    """Whether all that it adds to labels is about tasks that an image does not show."""
    minimum_tasks: ClassVar[int] = 1
    minimum_images: int = 1
    """Images of a batch that it compares with each other."""
    minimum_views: int = 1
    most_views: int | None = None
    """The views of an image that it learns from, but for the labels of further ones; None for all
    that there are."""
    compares_crops: bool = False
    """Whether predictions of further views are to be what was predicted of the first."""
    cameras_for: Sequence[str] = ()
    """What it has to know the cameras of images for; a store that has none is refused."""
    needs_shared: bool = False
    """Whether it measures gradients on what all tasks share."""
    takes_gradients: bool = False
    """Whether terms of a step are weighed by gradients of theirs, which are to be of the whole
    batch and which the loss scale of fp16 is not in."""
    default_views: ClassVar[int] = 1
    """How many views of a batch are made unless told otherwise."""

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__()
        self.options = options_class(type(self)).read(options)
        if len(network.tasks) < self.minimum_tasks:
            raise ValueError(
                f"`network` should predict {self.minimum_tasks} or more tasks for this method; "
                f"found {len(network.tasks)}. `sl` learns one task."
            )
        self.network = network
        self.teachers: dict[str, Network] = {}
        """The networks of `runs`: frozen, in evaluation mode, where the network trains."""

    @abstractmethod
    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        """Compute the terms of a step.

        Args:
            views: The views of the batch.
            progress: How far the training is, in [0, 1].
            rng: The only source of randomness.
        """

    def views(self, count: int) -> Sequence[View]:
        """How each of `count` views is made; the first is the batch as it comes."""
        return [View()] * count

    def stages(self) -> Sequence[Stage]:
        """What comes before the first step."""
        return ()

    def probe(self) -> Probe | None:
        """What it asks of held-out images; a run without a hold-out is refused then."""
        return None

    def runs(self) -> Mapping[str, str]:
        """The trained runs that it needs, frozen teachers say: a name of its own for each folder.

        Their networks are in `teachers` before the first step, also when a run resumes; the
        manifest keeps a digest of their weights.
        """
        return {}

    def loaded(self) -> None:
        """Called when `teachers` is filled, before anything else: what depends on them is made."""
        return  # most methods have none

    def after_step(self, *, progress: float) -> None:
        """Called behind every step of the optimiser: a moving average of weights belongs here."""
        return  # most methods need nothing

    def after_epoch(self, *, progress: float) -> None:
        """Called behind every epoch."""
        return  # most methods need nothing

    def check_size(self, height: int, width: int) -> None:
        """Refuse images that the network, or what only training needs, cannot take.

        Raises:
            ValueError: with what to do.
        """
        self.network.check_size(height, width)

    def check_batch(self, images: int, views: int, size: tuple[int, int] | None = None) -> None:
        """Refuse batches that the network or the method can learn nothing from.

        Args:
            images: In a batch.
            views: Of each.
            size: Height and width, where they are known.

        Raises:
            ValueError: with what to do.
        """
        if images < self.minimum_images:
            raise ValueError(
                f"a batch should have {self.minimum_images} images or more, which this method "
                f"compares with each other; found {images}. Give a larger --batch."
            )
        if views < self.minimum_views:
            raise ValueError(
                f"`--views` should be {self.minimum_views} or more for this method, which compares "
                f"views of an image; found {views}."
            )
        self.network.check_images(images * views, size)

    def check_labels(self, shown: NDArray[np.bool_]) -> None:
        """Refuse labels that the method can learn nothing from.

        Args:
            shown: For each image to train on (rows), which tasks of the network it shows.

        Raises:
            ValueError: with what to do.
        """
        return  # most methods take any labels

    def idle(self, shown: NDArray[np.bool_]) -> Iterator[str]:
        """Say what was asked of it and does nothing with these labels, in a sentence each.

        Args:
            shown: As `check_labels` takes it.
        """
        return iter(())

    def predict(self, image: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b c h w"]]:
        """Predict images of any size with the network alone."""
        return self.network.predict(image)

    def parameter_groups(self) -> list[ParameterGroup]:
        """What learns: all parameters of the network and of what only training needs."""
        return [ParameterGroup(learning(self))]


def learning(
    module: nn.Module, *, without: Sequence[nn.Parameter | nn.Module] = ()
) -> list[nn.Parameter]:
    """The parameters of a module that learn, but for those that have a group of their own.

    Args:
        module: Whose parameters.
        without: Modules and parameters to leave out.
    """
    apart: set[int] = set()
    for part in without:
        apart |= {id(p) for p in (part.parameters() if isinstance(part, nn.Module) else [part])}
    return [p for p in module.parameters() if p.requires_grad and id(p) not in apart]
