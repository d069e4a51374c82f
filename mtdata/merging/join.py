"""Which cell of the joined store comes from which input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtdata.building.assemble import common_size
from mtdata.errors import DataError
from mtdata.merging.offers import (
    NONE,
    boxes_offered,
    cameras_offered,
    cells_offered,
    choose,
    rows_of,
)
from mtdata.store import Split, Store
from mtdata.store import format as layout
from mtdata.tasks.role import Role
from mtdata.tasks.task import TASK_ORDER, Task
from mtdata.wording import listed

Prefer = Literal["first", "last"]
"""Which input gives a label that several have."""


@dataclass(frozen=True)
class JoinedSplit:
    """A split to be: for each cell the input that gives it.

    `cells` [n, 1 + tasks] is the number of an input, -1 where none has that label; `rows`
    [n, inputs] the row of each key in each input, -1 where it has not; `boxes` and `cameras` [n]
    the inputs that tell crop and camera. `settled` counts the contradictions that a preference
    settled.
    """

    name: str
    role: Role
    keys: tuple[str, ...]
    size: tuple[int, int]
    inputs: tuple[Split | None, ...]
    rows: NDArray[np.intp]
    cells: NDArray[np.intp]
    boxes: NDArray[np.intp]
    cameras: NDArray[np.intp]
    settled: int

    def source(self, number: int, row: int) -> tuple[Split, int]:
        """The split of an input and the place of a key in it."""
        split = self.inputs[number]
        assert split is not None
        return split, int(self.rows[row, number])


def join_tasks(stores: Sequence[Store]) -> tuple[Task, ...]:
    """The tasks of all stores: first those that have a usual place, then others by name.

    Raises:
        DataError: where two stores describe a task differently.
    """
    found: dict[str, tuple[Task, Store]] = {}
    for store in stores:
        for task in store.tasks:
            other, owner = found.setdefault(task.name, (task, store))
            if other != task:
                mine, theirs = task.to_json(), other.to_json()
                fields = sorted(k for k in mine | theirs if mine.get(k) != theirs.get(k))
                raise DataError(
                    f"the task `{task.name}` should be the same in every store; it differs in "
                    f"{', '.join(fields)} between {owner.path} and {store.path}. Build one of "
                    "them again with the options of the other, or without this task."
                )
    order = {name: place for place, name in enumerate(TASK_ORDER)}
    names = sorted(found, key=lambda name: (order.get(name, len(order)), name))
    return tuple(found[name][0] for name in names)


def join_split(
    name: str, stores: Sequence[Store], tasks: Sequence[Task], *, prefer: Prefer | None
) -> JoinedSplit:
    """Decide for every cell of a split.

    Raises:
        DataError: where images of one key differ, or labels, crops or cameras do and no
            preference is given; where sizes differ too much to be padded to one.
    """
    inputs = tuple(store.splits.get(name) for store in stores)
    keys = tuple(sorted({key for split in inputs if split for key in split.keys}))
    rows = [rows_of(split, keys) for split in inputs]
    pairs = list(zip(inputs, rows, strict=True))
    order = range(len(stores))[:: -1 if prefer == "last" else 1]
    cells, clash = choose([cells_offered(s, r, tasks) for s, r in pairs], order)
    _check_images(name, keys, stores, np.flatnonzero(clash[:, 0]))
    boxes, moved = choose([boxes_offered(s, r) for s, r in pairs], order)
    cameras, turned = choose([cameras_offered(s, r) for s, r in pairs], order)
    columns = [layout.IMAGE, *(task.name for task in tasks), "crop", "camera"]
    clashes = np.argwhere(np.hstack([clash, moved, turned]))
    if len(clashes) and prefer is None:
        places = [f"{name}/{keys[row]}/{columns[column]}" for row, column in clashes]
        raise DataError(
            f"what several stores hold should be equal; they differ in {listed(places)}. `mtdata "
            "diff` tells by how much; --prefer first or --prefer last takes those of one store."
        )
    present = [split for split in inputs if split]
    return JoinedSplit(
        name=name,
        role=present[0].role,
        keys=keys,
        size=_size(name, present),
        inputs=inputs,
        rows=np.stack(rows, axis=1),
        cells=cells,
        boxes=np.where(boxes[:, 0] == NONE, cells[:, 0], boxes[:, 0]),
        cameras=cameras[:, 0],
        settled=len(clashes),
    )


def _check_images(
    name: str, keys: Sequence[str], stores: Sequence[Store], clashes: NDArray[np.intp]
) -> None:
    if not len(clashes):
        return
    wrong = [f"{name}/{keys[row]}" for row in clashes]
    key = keys[int(clashes[0])]
    sizes = []
    for store in stores:
        split = store.splits.get(name)
        if split is not None and key in split.keys:
            height, width = split.sizes[split.index(key)]
            sizes.append(f"{height}x{width} in {store.path}")
    raise DataError(
        f"images of one key should be equal, pixel by pixel; these differ: {listed(wrong)} (the "
        f"first is {', '.join(sizes)}). Build the stores from the same images at the same size."
    )


def _size(name: str, splits: Sequence[Split]) -> tuple[int, int]:
    """What all are padded to: the size they have, or where it differs, enough for the largest."""
    sizes = {split.size for split in splits}
    if len(sizes) == 1:
        return sizes.pop()
    return common_size(name, np.concatenate([split.sizes for split in splits]))
