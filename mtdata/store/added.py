"""Labels of a split that its source never had: predicted by a run, or derived from others."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.store import format as layout
from mtdata.store.digest import added_digest
from mtdata.store.handle import Handle
from mtdata.store.opening.file import reading
from mtdata.store.opening.look import array_problems, form_problems
from mtdata.store.tables import read_table
from mtdata.tasks.task import Task

FACTS = {
    layout.FILLED: {"run": str, "weights": str, "labels": str, "tasks": list, "splits": list},
    layout.DERIVED: {"rule": str, "parent": str, "parameters": dict},
}
"""What has to be said of added labels, by their origin, and of which type."""


def least(threshold: float) -> int:
    """The lowest stored confidence that a threshold in [0, 1] lets pass."""
    return math.ceil(round(threshold * layout.CERTAIN, 9))


@dataclass(frozen=True)
class Added:
    """Labels of one task and one origin that were added to a split. It is picklable.

    Args:
        origin: "filled" by a run, or "derived" from another label.
        task: What they are of.
        about: Run, digest of its weights and of the labels it saw, and date; or rule, parent and
            parameters, and date.
        sha256: Digest over all of them and what is said of them.
        place: Where they are in the file.
        handle: The file.
        believe: Do not compare tables with their digests.
    """

    origin: str
    task: Task
    about: Mapping[str, Any]
    sha256: str
    place: str
    handle: Handle = field(repr=False)
    believe: bool = field(default=False, repr=False)

    @property
    def parent(self) -> str | None:
        """The task that they follow from; None where a run made them."""
        return self.about["parent"] if self.origin == layout.DERIVED else None

    @cached_property
    def valid_pixels(self) -> NDArray[np.int32]:
        """Valid pixels of each label, int32 [n]; 0 where none was added."""
        return self._table(layout.VALID_PIXELS)

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        """SHA-256 of each label and its confidence, uint8 [n, 2, 32]; 0 where there is none."""
        return self._table(layout.DIGEST)

    def there(self, threshold: float = 0.0) -> NDArray[np.bool_]:
        """Where a label was added that has a pixel of that confidence, bool [n]."""
        found: NDArray[np.bool_] = self.valid_pixels > 0
        if self.origin == layout.FILLED:
            found = found & (self.most >= least(threshold))
        return found

    @cached_property
    def most(self) -> NDArray[np.uint8]:
        """The highest confidence of a pixel of each filled label, in 255ths, uint8 [n]."""
        return self._table(layout.MOST)

    def _table(self, name: str) -> NDArray[Any]:
        with reading(self.handle.path, self.place):
            group = self.handle.file[self.place]
            if not self.believe and str(layout.plain(group.attrs[layout.SHA256])) != self.sha256:
                raise ValueError("other labels were added in their place")
            return read_table(group[name], believe=self.believe)


def read_added(
    handle: Handle, group: h5py.Group, tasks: Mapping[str, Task], n: int, size: tuple[int, int],
    *, believe: bool = False,
) -> dict[tuple[str, str], Added]:  # fmt: skip
    """What was added to a split, by origin and task; the caller tells what a broken one is part of.

    Args:
        handle: The store.
        group: The split, in a view of it.
        tasks: Those of the store.
        n: Images of the split.
        size: Height and width of them.
        believe: Do not look for problems.

    Raises:
        ValueError: where a form, a description or a digest is not what it should be.
    """
    found = {}
    for origin in layout.ORIGINS:
        for name, part in group.get(origin, {}).items():
            if name not in tasks:
                raise ValueError(f"{origin}/{name} is of no task of the store")
            for problem in () if believe else added_problems(part, tasks[name], n, size):
                raise ValueError(f"{origin}/{name} {problem}")
            about = json.loads(str(layout.plain(part.attrs[layout.ABOUT])))
            _check_about(about, origin, name, tasks)
            found[origin, name] = Added(
                origin=origin,
                task=tasks[name],
                about=about,
                sha256=str(layout.plain(part.attrs[layout.SHA256])),
                place=part.name.strip("/"),
                handle=handle,
                believe=believe,
            )
    return found


def _check_about(about: Any, origin: str, task: str, tasks: Mapping[str, Task]) -> None:
    facts = FACTS[origin]
    if not isinstance(about, dict) or any(
        not isinstance(about.get(name), kind) for name, kind in facts.items()
    ):
        raise ValueError(f"{origin}/{task} should say {', '.join(facts)}")
    if origin == layout.DERIVED and about["parent"] not in {*tasks} - {task}:
        raise ValueError(f"{origin}/{task} should name another task of the store as its parent")


def added_problems(group: h5py.Group, task: Task, n: int, size: tuple[int, int]) -> Iterator[str]:
    """In what added labels differ from what they should be; samples are not looked at."""
    origin = group.name.strip("/").split("/")[1]
    yield from array_problems(group[layout.LABEL], n, size, task)
    if origin == layout.FILLED:
        for problem in form_problems(group[layout.CONFIDENCE], n, size, np.dtype(np.uint8)):
            yield f"confidence {problem}"
    for name, (_, row) in layout.added_tables(origin).items():
        if group[name].shape != (n, *row):
            yield f"{name} should be {[n, *row]}; found {list(group[name].shape)}"
    if added_digest(group) != layout.plain(group.attrs.get(layout.SHA256)):
        yield "does not match its digest"
