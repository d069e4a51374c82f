"""The regimes that a split of a store holds."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.store import format as layout
from mtdata.store.digest import regime_digest


@dataclass(frozen=True)
class RegimeInfo:
    """Which labels of one split a regime shows; `labels` is bool [n, tasks]."""

    name: str
    kind: str
    parameters: Mapping[str, Any]
    seed: int | None
    origin: str
    tasks: tuple[str, ...]
    labels: NDArray[np.bool_] = field(repr=False, compare=False)
    uncovered: int = 0
    """Images of which every label came after it was drawn; it shows nothing of them."""
    later: int = 0
    """Labels that came after it was drawn, of those images and of others; it shows none."""

    @property
    def counts(self) -> dict[str, int]:
        """How many images show each task."""
        sums = self.labels.sum(axis=0, dtype=np.int64)
        return {name: int(n) for name, n in zip(self.tasks, sums, strict=True)}

    @property
    def images_with(self) -> dict[int, int]:
        """How many images show 0, 1, 2, ... labels."""
        numbers = np.bincount(self.labels.sum(axis=1), minlength=len(self.tasks) + 1)
        return {k: int(n) for k, n in enumerate(numbers)}


def full(tasks: Sequence[str], labelled: NDArray[np.bool_]) -> RegimeInfo:
    """The regime that shows all there is; it is stored nowhere."""
    return RegimeInfo(layout.FULL, layout.FULL, {}, None, "every label", tuple(tasks), labelled)


def read_regime(
    dataset: h5py.Dataset, tasks: Sequence[str], *, believe: bool = False
) -> RegimeInfo:
    """Read one regime of a split; the caller tells what a broken one is part of.

    Args:
        dataset: Where it is.
        tasks: Names of the tasks of the store.
        believe: Do not compare it with its digest.

    Raises:
        ValueError: where it does not match its digest, or, in a store of before, its counts.
    """
    attributes = {name: layout.plain(value) for name, value in dataset.attrs.items()}
    labels = dataset[()].astype(bool)
    if labels.ndim != 2 or labels.shape[1] != len(tasks):
        raise ValueError(f"{dataset.name} should be [n, {len(tasks)}]; found {labels.shape}")
    for problem in () if believe else regime_problems(dataset, labels):
        raise ValueError(f"the regime {dataset.name.rpartition('/')[2]} {problem}")
    labels.flags.writeable = False
    return RegimeInfo(
        name=dataset.name.rpartition("/")[2],
        kind=str(attributes["kind"]),
        parameters=json.loads(attributes["parameters"]),
        seed=None if isinstance(attributes["seed"], h5py.Empty) else int(attributes["seed"]),
        origin=str(attributes["origin"]),
        tasks=tuple(tasks),
        labels=labels,
        uncovered=int(attributes.get("uncovered", 0)),
        later=int(attributes.get("later", 0)),
    )


def regime_problems(dataset: h5py.Dataset, labels: NDArray[np.bool_]) -> Iterator[str]:
    """Whether a regime is what was written."""
    wanted = layout.plain(dataset.attrs.get(layout.SHA256))
    if wanted is not None and regime_digest(dataset, labels) != wanted:
        yield "does not match its digest"
    if not np.array_equal(dataset.attrs["counts"], labels.sum(axis=0)):
        yield "does not show as many labels as its counts say"


def write_regime(group: h5py.Group, regime: RegimeInfo) -> None:
    """Write one regime into the group of a split."""
    labels = np.ascontiguousarray(regime.labels, dtype=bool)
    dataset = group.require_group(layout.REGIME).create_dataset(
        regime.name, data=labels, chunks=labels.shape, fletcher32=True, track_times=False
    )
    layout.put(
        dataset.attrs,
        {
            "kind": regime.kind,
            "parameters": layout.canonical(dict(regime.parameters)),
            # An assignment that was read from a file has no seed.
            "seed": h5py.Empty("i8") if regime.seed is None else regime.seed,
            "counts": np.array(list(regime.counts.values()), np.int64),
            "origin": regime.origin,
            **({"uncovered": regime.uncovered} if regime.uncovered else {}),
            **({"later": regime.later} if regime.later else {}),
        },
    )
    layout.put(dataset.attrs, {layout.SHA256: regime_digest(dataset, labels)})
    dataset.flush()  # as in `write_table`
