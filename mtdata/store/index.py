"""Writing the index of a store in shards: everything but images and labels, and where these lie."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.store import format as layout
from mtdata.store.digest import content_digest
from mtdata.store.opening.file import Header
from mtdata.store.regime import RegimeInfo, write_regime
from mtdata.store.shards import Shard, make_virtual, shards_table
from mtdata.store.split import Split
from mtdata.store.tables import Keys, write_table
from mtdata.store.writer import IMAGE_TYPE, finish_file, new_file
from mtdata.tasks.role import Role
from mtdata.tasks.task import Task


@dataclass(frozen=True)
class IndexSplit:
    """What an index holds of a split.

    `size` is the stored height and width, `tables` all of its tables with one row an image, those
    that need not be there as they are, `shards` the files in the order of the rows.
    """

    name: str
    role: Role
    size: tuple[int, int]
    tables: Mapping[str, NDArray[Any]]
    shards: Sequence[Shard]
    regimes: Sequence[RegimeInfo] = ()


def tables_of(split: Split) -> dict[str, NDArray[Any]]:
    """The tables of a split, to be written again; its shards are not one of them."""
    tables: dict[str, NDArray[Any]] = {
        layout.KEY: split.keys.data,
        layout.SOURCE_SIZE: split.source_sizes,
        layout.CROP: split.crops,
        layout.CAMERA: split.cameras,
        layout.VALID_PIXELS: split.valid_pixels,
        layout.DIGEST: split.digests,
        **({layout.SIZE: split.sizes} if split.padded else {}),
    }
    facts = {name: split.fact(name) for name in layout.FACTS}
    return tables | {name: table for name, table in facts.items() if table is not None}


def other_tables(split: Split, part: Split, start: int) -> list[str]:
    """The tables that a split has otherwise than one of some of its images.

    Args:
        split: All images.
        part: Some, one after another, as `split` has them.
        start: The place of the first of them.
    """
    ours, theirs = (each.handle.file[each.name] for each in (split, part))
    found = []
    for name in (layout.KEY, *layout.tables(0)):
        if name in ours and name in theirs:
            here, there = ours[name][start : start + len(part)], theirs[name][()]
            # A table of keys is as wide as its longest one.
            dtype = np.promote_types(here.dtype, there.dtype)
            if here.astype(dtype).tobytes() != there.astype(dtype).tobytes():
                found.append(name)
    return found


def write_index(
    path: Path,
    header: Header,
    splits: Sequence[IndexSplit],
    *,
    beside: Callable[[h5py.Group], None] = lambda group: None,
) -> str:
    """Write an index; returns its content digest, which `header` need not know.

    Args:
        path: The file; the shards have to be in the folder that it ends up in.
        header: What is said of the store; its version becomes that of stores in shards.
        splits: The splits.
        beside: Given the group of each split, puts there what was added to its labels.
    """
    header = replace(header, format_version=layout.SHARDED_VERSION)
    digests = []
    with new_file(path, header, [split.name for split in splits]) as file:
        for split in splits:
            group = file[split.name]
            layout.put(group.attrs, {"role": split.role})
            _virtual(group, split, None)
            for task in header.tasks:
                array = _virtual(group, split, task)
                layout.put(array.attrs, layout.label_attributes(task))
            for name, table in split.tables.items():
                write_table(group, name, np.asarray(table))
            write_table(group, layout.SHARD, shards_table(split.shards))
            for regime in split.regimes:
                write_regime(group, regime)
            beside(group)
            keys = Keys(split.tables[layout.KEY])
            digests.append((split.name, split.role, keys, split.tables[layout.DIGEST]))
        digest = content_digest(header.tasks, digests)
        finish_file(file, header, digest)
    return digest


def _virtual(group: h5py.Group, split: IndexSplit, task: Task | None) -> h5py.Dataset:
    if task is None:
        return make_virtual(group, layout.IMAGE, (*split.size, 3), IMAGE_TYPE, split.shards, fill=0)
    shape, dtype = layout.stored_form(task.kind, split.size)
    place, void = f"{layout.LABEL}/{task.name}", task.kind.storage()["void"]
    return make_virtual(group, place, shape, dtype, split.shards, fill=void)
