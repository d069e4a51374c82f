"""A store as shards: files of some images each that one index joins, and one file of them again.

Shards are written one by one into a folder beside the one that is asked for, each whole or not at
all; with the index in it the folder takes its name. A command that was killed goes on with those
shards that it finds there.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py

from mtdata.atomic import alone, disk_errors, replacing, swapping, sync
from mtdata.errors import DataError, StoreError, UsageError
from mtdata.merging.chunks import CopiedRows, compression_of
from mtdata.progress import Progress
from mtdata.store import Split, Store
from mtdata.store import format as layout
from mtdata.store.digest import content_digest
from mtdata.store.index import IndexSplit, other_tables, tables_of, write_index
from mtdata.store.opening.file import Header
from mtdata.store.row import Row
from mtdata.store.shards import Shard
from mtdata.store.writer import SplitRows, seal_added, write_store, written
from mtdata.urls import StorePath, local, located

LARGEST = 100_000
"""Shards of a split, at most: numbers of five digits."""


@dataclass(frozen=True)
class ShardSummary:
    """A store in shards: `path` is its index, `resumed` shards were there from a killed command."""

    path: Path
    shards: Mapping[str, int]
    images: int
    resumed: int
    content_digest: str
    bytes: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The fields of `mtdata shard --json`."""
        return {**asdict(self), "path": str(self.path)}


def shard(
    path: StorePath | str,
    out: Path | str | None = None,
    *,
    images: int,
    progress: Progress | None = None,
) -> ShardSummary:
    """Write a store as shards, chunks as they are.

    Regimes and added labels go into the index; shards have none.

    Args:
        path: The store; it may be in shards itself.
        out: The folder to make; None for the name of the store without its suffix, beside it, which
            a store on object storage does not have.
        images: How many a shard has, of one split each; the last of a split may have fewer.
        progress: Told about every image.

    Raises:
        UsageError: for a folder that is there, or one of a killed command that has other files.
        DataError: for a store of before, which has no digests of its tables.
        StoreError: where the store is broken.
        MtdataError: where the disk is full or cannot be written.
    """
    started, path = time.perf_counter(), located(path)
    out = local(path).with_suffix("") if out is None else local(out)
    if images < 1:
        raise UsageError(f"`images` should be 1 or more; found {images}.")
    with Store(path) as store:
        _check(store, out, images)
        with disk_errors(out):
            out.parent.mkdir(parents=True, exist_ok=True)
        with alone(out):
            work = _Work(store, out, images, progress)
            work.run()
            return work.summary(time.perf_counter() - started)


def _check(store: Store, out: Path, images: int) -> None:
    if not store.sealed:
        raise DataError(
            f"{store.path} should have digests of its tables, by which shards are told from others;"
            " it was built by an earlier version. Build it again."
        )
    if out.exists() or out.is_symlink():
        raise UsageError(
            f"`out` should be a new folder; {out} is there already. Give another with -o, or "
            "remove it."
        )
    if "%" in store.path.name:
        raise UsageError(
            f"`path` should have a name without %, which means something else in the arrays that "
            f"join shards; found {store.path.name}. Rename it."
        )
    for split in store.splits.values():
        if -(-len(split) // images) > LARGEST:
            raise UsageError(
                f"`images` should be at least {-(-len(split) // LARGEST)}, for {LARGEST:,} shards "
                f"of split {split.name}; found {images}."
            )


class _Work:
    def __init__(self, store: Store, out: Path, images: int, progress: Progress | None) -> None:
        self.store, self.out, self.images, self.progress = store, out, images, progress
        self.partial = out.with_name(f"{out.name}.partial")
        self.index = f"{store.path.stem}.h5"
        self.total = sum(map(len, store.splits.values()))
        self.done = self.resumed = 0
        self.made: dict[str, list[Shard]] = {}

    def run(self) -> None:
        """Write all shards and the index, and give the folder its name."""
        with disk_errors(self.out):
            self.partial.mkdir(exist_ok=True)
            self._clear()
        for split in self.store.splits.values():
            self.made[split.name] = [
                self._shard(split, start) for start in range(0, len(split), self.images)
            ]
        with swapping(self.partial / self.index) as temporary:
            self._index(temporary)
        Store(self.partial / self.index).close()
        with disk_errors(self.out):
            sync(self.partial)
            self.partial.rename(self.out)
            sync(self.out.parent)

    def summary(self, seconds: float) -> ShardSummary:
        """What was made, as it is found."""
        with Store(self.out / self.index) as store:
            return ShardSummary(
                path=self.out / self.index,
                shards={name: len(found) for name, found in self.made.items()},
                images=self.total,
                resumed=self.resumed,
                content_digest=store.content_digest,
                bytes=store.length,
                seconds=seconds,
            )

    def _names(self) -> set[str]:
        return {
            self._name(split.name, start)
            for split in self.store.splits.values()
            for start in range(0, len(split), self.images)
        }

    def _name(self, split: str, start: int) -> str:
        return f"{self.store.path.stem}-{split}-{start // self.images:05d}.h5"

    def _clear(self) -> None:
        """Remove what a killed command left that this one does not go on with.

        Raises:
            UsageError: where anything is there that none of them makes.
        """
        ours = self._names() | {self.index}
        stem = re.escape(self.store.path.stem)
        other = re.compile(rf"\.?{stem}(-.+-[0-9]{{5,}})?\.h5(\..+)?")
        for found in self.partial.iterdir():
            if found.name in ours:
                continue
            if found.is_dir() or not other.fullmatch(found.name):
                raise UsageError(
                    f"{self.partial} should be what a killed `mtdata shard` left; found "
                    f"{found.name} in it. Move it away, or give another folder with -o."
                )
            found.unlink()

    def _shard(self, split: Split, start: int) -> Shard:
        """One shard, unless a killed command has made it."""
        stop = min(start + self.images, len(split))
        path = self.partial / self._name(split.name, start)
        keys = tuple(split.keys[start:stop])
        wanted = content_digest(
            self.store.tasks, [(split.name, split.role, keys, split.digests[start:stop])]
        )
        compression = compression_of(split) or "blosc"
        found = self._there(path, split, start, wanted)
        if found is None:
            rows = SplitRows(
                split.name,
                split.role,
                keys,
                split.size,
                split.padded,
                self._rows(CopiedRows(split, split.size, compression), start, stop),
                facts=_facts(split, start, stop),
            )
            header = header_of(self.store, default_regime=layout.FULL)
            needed = self.store.length * (stop - start) // self.total
            with swapping(path, needed=needed) as temporary:
                write_store(temporary, header, [rows], compression=compression)
            found = self._there(path, split, start, wanted)
            assert found is not None
        else:
            self.resumed += 1
            self._told(stop - start)
        return found

    def _there(self, path: Path, split: Split, start: int, wanted: str) -> Shard | None:
        """What the index is to say of a shard, where it is what it should be."""
        if not path.exists():
            return None
        with suppress(StoreError), Store(path) as store:
            part = store.splits.get(split.name)
            if part is None or store.seal is None:
                return None
            found = store.content_digest, len(store.splits), part.size, part.padded
            same = found == (wanted, 1, split.size, split.padded)
            if same and not other_tables(split, part, start):
                return Shard(path.name, len(part), path.stat().st_size, store.seal)
        return None

    def _rows(self, rows: CopiedRows, start: int, stop: int) -> Iterator[Row]:
        for index in range(start, stop):
            yield rows.row(index)
            self._told(1)

    def _told(self, number: int) -> None:
        self.done += number
        if self.progress:
            self.progress(self.done, self.total, "writing shards")

    def _index(self, path: Path) -> None:
        splits = [
            IndexSplit(
                name=split.name,
                role=split.role,
                size=split.size,
                tables=tables_of(split),
                shards=self.made[split.name],
                regimes=list(split.stored.values()),
            )
            for split in self.store.splits.values()
        ]
        header = header_of(self.store)
        digest = write_index(path, header, splits, beside=copy_added(self.store))
        assert digest == self.store.content_digest


def gather(store: Store, out: Path, *, told: Callable[[Row], Row] = lambda row: row) -> int:
    """Write a store that is in shards as one file, which takes the name `out`.

    Args:
        store: The store.
        out: The file.
        told: Given every row that is written.

    Returns:
        How many images and labels it has.

    Raises:
        StoreError: where a shard is missing or broken.
        MtdataError: where the disk is full or cannot be written.
    """
    splits, chunks = [], 0
    compression = compression_of(next(iter(store.splits.values()))) or "blosc"
    for split in store.splits.values():
        rows = CopiedRows(split, split.size, compression)
        chunks += len(split) + int(split.labelled.sum())
        splits.append(
            SplitRows(
                split.name,
                split.role,
                tuple(split.keys),
                split.size,
                split.padded,
                map(told, map(rows.row, range(len(split)))),
                list(split.stored.values()),
                _facts(split, 0, len(split)) | _skipped(split),
            )
        )
    with replacing(out, needed=store.length) as temporary:
        write_store(temporary, header_of(store), splits, compression=compression)
        if any(split.added for split in store.splits.values()):
            with written(h5py.File(temporary, "r+", libver=layout.LIBRARY)) as file:
                add = copy_added(store)
                for name in store.splits:
                    add(file[name])
                seal_added(file)
    return chunks


def header_of(store: Store, *, default_regime: str | None = None) -> Header:
    """What a store says of itself, to be said again of one file of its source's labels."""
    return Header(
        dataset=store.dataset_name,
        created=store.created,
        tool=store.tool,
        options=store.options,
        tasks=store.tasks,
        default_regime=default_regime or store.default_regime,
        source_digest=store.source_digest,
        content_digest=store.content_digest,
        earlier=store.contents[1:],
    )


def copy_added(store: Store) -> Callable[[h5py.Group], None]:
    """Copies the labels that were added to a split into the group of that split elsewhere."""

    def copy(group: h5py.Group) -> None:
        split = store.splits[group.name.strip("/")]
        for added in split.added.values():
            source = split.handle.file
            source.copy(source[added.place], group.require_group(added.origin), added.task.name)

    return copy


def _facts(split: Split, start: int, stop: int) -> dict[str, Any]:
    """What is known of the files of some images."""
    table = split.fact(layout.SOURCE)
    return {} if table is None else {layout.SOURCE: table[start:stop]}


def _skipped(split: Split) -> dict[str, Any]:
    """The images that a build left out, which are of the split and not of a shard."""
    table = split.fact(layout.SKIPPED)
    return {} if table is None else {layout.SKIPPED: table}


__all__ = ["ShardSummary", "gather", "header_of", "shard"]
