"""Images and predictions at the size that they had before they were stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mtdata import Store
from mtdata.errors import UsageError
from mtdata.reading.dataset import Dataset
from mtmodels.metrics import METRICS
from mtmodels.metrics.resizing import Size, nearest

_WANTED = {
    "original": "labels that are at least as large as in the source",
    "source": "images and labels as they are in the source, neither resized nor cropped",
}


@dataclass(frozen=True)
class Frame:
    """What a stored image was.

    Args:
        size: Height and width of the stored image without its padding.
        original: Height and width that this had in the source.
    """

    size: Size
    original: Size

    def bring(
        self,
        resized: Callable[[Tensor, Size], Tensor],
        prediction: Float[Tensor, "n c h w"],
        label: Shaped[Tensor, "n d h w"],
        valid: Bool[Tensor, "n h w"],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Cut the padding off, and bring what was resized back, predictions by `resized`."""
        height, width = self.size
        prediction, label, valid = (x[..., :height, :width] for x in (prediction, label, valid))
        if self.size == self.original:
            return prediction, label, valid
        return (
            resized(prediction, self.original),
            nearest(label, self.original),
            nearest(valid, self.original),
        )


def frames(dataset: Dataset) -> Mapping[str, Frame]:
    """The frame of each image by its key; none where the split does not know them."""
    split: Any = getattr(dataset.split, "split", dataset.split)  # a cache stands before its split
    if not hasattr(split, "sizes"):
        return {}
    return {
        split.keys[row]: Frame(_pair(split.sizes[row]), _pair(split.crops[row][2:]))
        for row in dataset.rows
    }


def check_scorable(protocol: str, dataset: Dataset, store: Store) -> None:
    """Refuse a store that lacks what a protocol scores against.

    Args:
        protocol: A key of `METRICS`.
        dataset: What is to be scored.
        store: Where it comes from.

    Raises:
        UsageError: where labels are at another size than the protocol scores at, or edges are those
            to learn from.
    """
    at = METRICS[protocol].at
    if at == "stored":
        return
    split = store.splits[dataset.split.name]
    if dataset.size != split.size:
        raise UsageError(
            f"the protocol `{protocol}` should score {_WANTED[at]}; found {store.path} read at "
            f"{dataset.size[0]}x{dataset.size[1]} of {split.size[0]}x{split.size[1]}. Leave --size "
            "out, or choose another --protocol."
        )
    rows = dataset.rows
    stored, crops, sources = split.sizes[rows], split.crops[rows], split.source_sizes[rows]
    lost = (stored < crops[:, 2:]).any(1)
    if at == "source":
        lost = (stored != sources).any(1) | (crops[:, 2:] != sources).any(1)
    if lost.any():
        row = int(np.flatnonzero(lost)[0])
        found, was = (f"{h}x{w}" for h, w in (stored[row], sources[row]))
        raise UsageError(
            f"the protocol `{protocol}` should score {_WANTED[at]}; {store.path} has "
            f"{split.keys[rows[row]]} at {found} of {was}. Build a store with --size native and "
            "give it with --data, or choose another --protocol."
        )
    if protocol == "pascal":
        _check_edges(dataset, store)


def _check_edges(dataset: Dataset, store: Store) -> None:
    """Edges to learn from are not those that published scores are against."""
    names = [task.name for task in dataset.tasks]
    if "pascal" not in store.dataset_name.split("+") or "edges" not in names:
        return
    name = dataset.split.name
    boundaries = {"boundaries", "split"} if name == "val" else {"boundaries"}
    if _edges(store.options) <= boundaries:
        return
    raise UsageError(
        f"the protocol `pascal` should score edges against boundaries; the split {name} of "
        f"{store.path} holds the target that edges are learnt from. Build a store with "
        "--edges boundaries and give it with --data, or choose another --protocol."
    )


def _edges(options: Mapping[str, Any]) -> set[str]:
    """The `edges` that a store, or each of those that were merged into it, was built with."""
    if "merged" in options:
        return {kind for one in options["merged"] for kind in _edges(one["options"])}
    return {options.get("source", {}).get("edges", "split")}


def _pair(values: Any) -> Size:
    height, width = map(int, values)
    return height, width
