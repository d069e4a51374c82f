"""The differences of two stores, as values."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mtdata.inspecting.comparing.cells import CellChange
from mtdata.urls import StorePath


@dataclass(frozen=True)
class Only:
    """Names that one side has and the other has not."""

    a: tuple[str, ...] = ()
    b: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.a or self.b)

    def to_json(self) -> dict[str, list[str]]:
        """Both lists."""
        return {"only_a": list(self.a), "only_b": list(self.b)}


def only(a: Iterable[str], b: Iterable[str]) -> Only:
    """What each of two collections has alone, in its order."""
    left, right = list(a), list(b)
    in_a, in_b = set(left), set(right)
    return Only(
        tuple(name for name in left if name not in in_b),
        tuple(name for name in right if name not in in_a),
    )


Values = Mapping[str, tuple[Any, Any]]
"""What differs, with its value in A and in B."""


@dataclass(frozen=True)
class RegimeChange:
    """A regime that both have: how it was drawn, and how many labels are shown by one alone."""

    about: Values
    labels: int

    def __bool__(self) -> bool:
        return bool(self.about or self.labels)

    def to_json(self) -> dict[str, Any]:
        """Both parts."""
        return {"about": _lists(self.about), "labels": self.labels}


@dataclass(frozen=True)
class SplitChange:
    """What differs in a split that both have.

    `tables` names the images of which the size, the size in the source, the crop or the camera
    differs; `reordered` tells whether the common images stand in another order. `added` are labels
    beside those of the source, `changed_added` those that both have and that differ.
    """

    attributes: Values = field(default_factory=dict)
    keys: Only = Only()
    reordered: bool = False
    tables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cells: tuple[CellChange, ...] = ()
    regimes: Only = Only()
    changed_regimes: Mapping[str, RegimeChange] = field(default_factory=dict)
    added: Only = Only()
    changed_added: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "attributes": _lists(self.attributes),
            "keys": self.keys.to_json(),
            "reordered": self.reordered,
            "tables": {name: list(keys) for name, keys in self.tables.items()},
            "cells": [asdict(cell) for cell in self.cells],
            "regimes": {
                **self.regimes.to_json(),
                "changed": {name: one.to_json() for name, one in self.changed_regimes.items()},
            },
            "added": {**self.added.to_json(), "changed": list(self.changed_added)},
        }


@dataclass(frozen=True)
class Difference:
    """What differs between two stores.

    `about` (when, by which tool, from which files and with which options they were made) is told
    and makes no difference by itself.
    """

    paths: tuple[StorePath, StorePath]
    attributes: Values
    about: Values
    tasks: Only
    changed_tasks: Values
    splits: Only
    changed_splits: Mapping[str, SplitChange]
    same_content: bool

    @property
    def same(self) -> bool:
        """Whether nothing differs but what `about` tells."""
        changed = any(self.changed_splits.values())
        return not (self.attributes or self.tasks or self.changed_tasks or self.splits or changed)

    def to_json(self) -> dict[str, Any]:
        """The fields of `mtdata diff --json`."""
        return {
            "a": str(self.paths[0]),
            "b": str(self.paths[1]),
            "same": self.same,
            "same_content": self.same_content,
            "attributes": _lists(self.attributes),
            "about": _lists(self.about),
            "tasks": {**self.tasks.to_json(), "changed": _lists(self.changed_tasks)},
            "splits": {
                **self.splits.to_json(),
                "changed": {
                    name: one.to_json() for name, one in self.changed_splits.items() if one
                },
            },
        }


def _lists(values: Values) -> dict[str, list[Any]]:
    return {name: list(both) for name, both in values.items()}
