"""How two cells (an image or a label) differ, pixel by pixel."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtdata.store import Split
from mtdata.store import format as layout
from mtdata.tasks.kinds import Kind

Change = Literal["only_a", "only_b", "changed"]
HOW_STORED = ("dtype", "scale", "offset", "palette")
"""What two kinds may differ in and still mean the same by the same value."""


@dataclass(frozen=True)
class CellChange:
    """One cell that differs.

    `what` is "image" or a task. `pixels` of `of` differ, by `largest` at most and `mean` on average
    (over those that both have), in `units`; None where that was not measured or cannot be: sizes
    differ, a task is described differently, or a difference of classes has no size.
    """

    split: str
    key: str
    what: str
    change: Change
    pixels: int | None = None
    of: int | None = None
    largest: float | None = None
    mean: float | None = None
    units: str = ""


@dataclass(frozen=True)
class Pair:
    """The two splits of one name, their common keys and the rows of these in each."""

    a: Split
    b: Split
    keys: tuple[str, ...]
    rows_a: NDArray[np.intp]
    rows_b: NDArray[np.intp]

    @cached_property
    def rows(self) -> dict[str, tuple[int, int]]:
        """The row of each common key in A and in B."""
        both = zip(map(int, self.rows_a), map(int, self.rows_b), strict=True)
        return dict(zip(self.keys, both, strict=True))


def pair_of(a: Split, b: Split) -> Pair:
    """Match the keys of two splits."""
    places = {key: row for row, key in enumerate(b.keys)}
    common = [(key, row) for row, key in enumerate(a.keys) if key in places]
    keys = tuple(key for key, _ in common)
    return Pair(
        a,
        b,
        keys,
        np.array([row for _, row in common], np.intp),
        np.array([places[key] for key in keys], np.intp),
    )


def comparable(a: Kind, b: Kind) -> bool:
    """Whether equal values of two kinds mean the same."""
    told = [
        {name: value for name, value in kind.to_json().items() if name not in HOW_STORED}
        for kind in (a, b)
    ]
    return told[0] == told[1]


def changes(pair: Pair) -> Iterator[CellChange]:
    """The cells of common keys and tasks that differ, by presence and digest; no pixel is read."""
    names_b = [task.name for task in pair.b.tasks]
    columns = [(layout.IMAGE, 0, 0)]
    columns += [
        (task.name, column, names_b.index(task.name) + 1)
        for column, task in enumerate(pair.a.tasks, start=1)
        if task.name in names_b
    ]
    tables = [(what, _compared(pair, at_a, at_b)) for what, at_a, at_b in columns]
    for row, key in enumerate(pair.keys):
        for what, (in_a, in_b, differs) in tables:
            if in_a[row] and in_b[row] and differs[row]:
                yield CellChange(pair.a.name, key, what, "changed")
            elif in_a[row] != in_b[row]:
                yield CellChange(pair.a.name, key, what, "only_a" if in_a[row] else "only_b")


def _compared(pair: Pair, at_a: int, at_b: int) -> tuple[NDArray[np.bool_], ...]:
    """For one column of both: whether it is in A, in B, and whether the digests differ, [keys]."""
    there, digests = [], []
    for split, rows, at in ((pair.a, pair.rows_a, at_a), (pair.b, pair.rows_b, at_b)):
        present = split.valid_pixels[rows, at - 1] > 0 if at else np.ones(len(rows), bool)
        there.append(present)
        digests.append(split.digests[rows, at])
    return there[0], there[1], (digests[0] != digests[1]).any(axis=1)


def measured(pair: Pair, change: CellChange) -> CellChange:
    """The change with its number of pixels and its size, read from both stores.

    Raises:
        StoreError: where a chunk is broken.
    """
    if change.change != "changed":
        return change
    kind = None
    if change.what != layout.IMAGE:
        kinds = [_kind(split, change.what) for split in (pair.a, pair.b)]
        kind = kinds[0]
        if not comparable(*kinds):
            return change
    stored = [
        split.read_true(index, None if kind is None else change.what)
        for split, index in zip((pair.a, pair.b), pair.rows[change.key], strict=True)
    ]
    if stored[0].shape[:2] != stored[1].shape[:2]:
        return change
    found = _images(*stored) if kind is None else _labels(pair, change.what, *stored)
    return replace(change, **found)


def _kind(split: Split, name: str) -> Kind:
    return next(task.kind for task in split.tasks if task.name == name)


def _images(a: NDArray[Any], b: NDArray[Any]) -> dict[str, Any]:
    apart = np.abs(a.astype(np.int16) - b.astype(np.int16)).max(axis=-1)
    return _sizes(apart > 0, apart.astype(np.float64), apart > 0, units="of 255")


def _labels(pair: Pair, name: str, a: NDArray[Any], b: NDArray[Any]) -> dict[str, Any]:
    kind = _kind(pair.a, name)
    (label_a, valid_a), (label_b, valid_b) = kind.decode(a), _kind(pair.b, name).decode(b)
    apart = kind.distance(label_a, label_b)
    both = valid_a & valid_b & (apart > 0)
    return _sizes(both | (valid_a != valid_b), apart, both, units=kind.distance_units)


def _sizes(
    differs: NDArray[np.bool_],
    apart: NDArray[np.float64],
    both: NDArray[np.bool_],
    *,
    units: str,
) -> dict[str, Any]:
    found: dict[str, Any] = {"pixels": int(differs.sum()), "of": differs.size, "units": units}
    if units and both.any():
        found |= {"largest": float(apart[both].max()), "mean": float(apart[both].mean())}
    return found
