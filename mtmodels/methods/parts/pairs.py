"""Which pairs of tasks an image can be consistent in: a prediction of one, a label of the other."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mtdata.reading.batch import Batch
from mtmodels.methods.parts.supervision import Seen
from mtmodels.networks.base import Network
from mtmodels.options import Options, Weight, Width


class PairOptions(Options):
    """How an image is consistent in pairs of tasks: the prediction of one, the label of another."""

    consistency_weight: Weight = 1.0
    """A factor on the sum over the pairs of an image; 1 in equation 4 of MTPSL."""
    pairs: Literal["auto", "unlabelled", "all"] = "auto"
    """`unlabelled`: a task without a label with one that has one. `all`: every ordered pair with a
    label. `auto`: the first; the second for an image that has a label of every task."""
    mapping_rate: Weight = 1.0
    """A factor on the learning rate of the mapping."""
    mapping_width: Width | None = None
    """A factor on the channels of the mapping; null for that of the network, and half of it beside
    a compact network."""

    def inner_width(self, network: Network) -> float:
        """The factor on the channels of the mapping: as given, or what suits the network."""
        if self.mapping_width is not None:
            return self.mapping_width
        return network.options.width * (0.5 if network.compact else 1.0)


def cells_inside(batch: Batch, maps: Float[Tensor, "_ d h w"]) -> Bool[Tensor, "b h w"] | None:
    """Which cells of maps see the true image, for each image; None where none is padded."""
    return None if batch.extents is None else cells_of(batch.inside(), maps)


def cells_of(
    inside: Bool[Tensor, "n h w"], maps: Float[Tensor, "_ d hs ws"]
) -> Bool[Tensor, "n hs ws"]:
    """Which cells of maps see one of these pixels at least."""
    found: Tensor = F.adaptive_max_pool2d(inside[:, None].float(), maps.shape[-2:])[:, 0] > 0
    return found


class Pair(NamedTuple):
    """The prediction of `source` and the label of `target`, of one image of the batch."""

    image: int
    source: str
    target: str


def present_pairs(seen: Seen, which: str = "auto") -> list[Pair]:
    """The pairs that the labels of a batch allow, image by image.

    Args:
        seen: Which images show which task.
        which: "unlabelled": s in U_n and t in T_n (MTPSL eq. 3); a label that a crop emptied is in
            neither. "all": every s that is not t, labelled or not. "auto": the first, but the
            second for an image that has a label of every task, as in the fully supervised table of
            the paper.
    """
    pairs = []
    both = zip(seen.host.T.tolist(), seen.given.T.tolist(), strict=True)
    for image, (labelled, given) in enumerate(both):
        every = which == "all" or (which == "auto" and all(given))
        shown = [task for task, there in zip(seen.tasks, labelled, strict=True) if there]
        lacking = tuple(task for task, there in zip(seen.tasks, given, strict=True) if not there)
        sources = seen.tasks if every else lacking
        pairs += [Pair(image, s, t) for s in sources for t in shown if s != t]
    return pairs


def shown_pairs(seen: Seen) -> list[Pair]:
    """Every ordered pair of tasks that an image shows both of, image by image."""
    shown = dict(zip(seen.tasks, seen.host.tolist(), strict=True))
    return [pair for pair in present_pairs(seen, "all") if shown[pair.source][pair.image]]


def labelled_sources(seen: Seen) -> list[Pair]:
    """Every task that an image shows, with every other task, image by image."""
    return [
        Pair(image, source, target)
        for image, labelled in enumerate(seen.host.T.tolist())
        for source, there in zip(seen.tasks, labelled, strict=True)
        for target in seen.tasks
        if there and target != source
    ]


def source_shares(pairs: Sequence[Pair]) -> dict[int, float]:
    """For each image, 1 / the number of sources that it has among the pairs.

    Reference: 1/|U_n| in MTPSL eq. 3 and 4; the released code has 1.
    """
    sources = {pair.image: set[str]() for pair in pairs}
    for pair in pairs:
        sources[pair.image].add(pair.source)
    return {image: 1 / len(found) for image, found in sources.items()}


def pair_code(source: str, target: str, tasks: tuple[str, ...]) -> int:
    """The place of a pair among all ordered pairs, row by row without the diagonal.

    Reference: the released code of MTPSL; for three tasks 01, 02, 10, 12, 20, 21.
    """
    s, t = tasks.index(source), tasks.index(target)
    return s * (len(tasks) - 1) + t - (t > s)


def pair_name(source: str, target: str) -> str:
    """The name of a network from one task to another among the parameters."""
    return f"{source}_to_{target}"


def labels_of(
    batch: Batch, task: str, images: Sequence[int]
) -> tuple[Shaped[Tensor, "n d h w"], Bool[Tensor, "n h w"]]:
    """The labels of these images, which show the task, and where they are valid."""
    rows = {image: row for row, image in enumerate(batch.rows[task].tolist())}
    at = [rows[image] for image in images]
    return batch.labels[task][at], batch.valid[task][at]
