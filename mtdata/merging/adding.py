"""Adding labels to a store that its source never had: all of them, or nothing.

Each finished image is kept in a journal beside the store, so that a killed command goes on where it
was; then the store is copied, the labels are written into the copy, and it takes the name.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.atomic import alone, check_new, disk_errors, swapping
from mtdata.building.journal import Journal, difference
from mtdata.building.prints import Prints
from mtdata.building.target import make_folder
from mtdata.errors import DataError, OtherBuildError, UsageError
from mtdata.merging.chunks import compression_of
from mtdata.progress import Progress
from mtdata.store import Compression, Split, Store
from mtdata.store import format as layout
from mtdata.store.codec import filters, pad
from mtdata.store.digest import cell_digest
from mtdata.store.encoder import encode
from mtdata.store.opening.inplace import complete
from mtdata.store.row import NO_CAMERA, Cell, Row
from mtdata.store.writer import IMAGE_TYPE, AddedRows, SplitRows, seal_added, write_added, written
from mtdata.tasks.kinds import Kind
from mtdata.tasks.task import Task
from mtdata.urls import local
from mtdata.wording import counted


class NewLabel(NamedTuple):
    """A label of the true size of its image, and how sure each pixel of it is, [0, 1]."""

    label: NDArray[Any]
    valid: NDArray[np.bool_]
    confidence: NDArray[np.floating[Any]] | None = None


Made = Mapping[str, NewLabel]
Wanted = NDArray[np.bool_]


@dataclass(frozen=True)
class Addition:
    """What is to be added to a store.

    Args:
        origin: "filled" or "derived".
        about: For each task, what is said of its labels (see `mtdata.store.added.FACTS`).
        wanted: For each split, of which image a label of each of these tasks is wanted,
            bool [n, tasks of `about`].
        make: Makes labels of some images of a split, of which those tasks are wanted; a task
            that an image cannot have is left out.
        at_once: How many images `make` takes.
    """

    origin: str
    about: Mapping[Task, Mapping[str, Any]]
    wanted: Mapping[str, Wanted]
    make: Callable[[Split, Sequence[int], Sequence[Sequence[str]]], Iterator[Made]]
    at_once: int = 1


@dataclass(frozen=True)
class AddSummary:
    """Labels that were added: `labels` counts them by split and task, `wanted` what was asked.

    `rule` says by which they were derived.
    """

    path: Path
    origin: str
    labels: Mapping[str, Mapping[str, int]]
    wanted: Mapping[str, Mapping[str, int]]
    resumed: int
    written: bool
    seconds: float
    rule: str = ""

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON."""
        return {**asdict(self), "path": str(self.path)}

    def text(self) -> str:
        """The summary in words."""
        if not any(sum(found.values()) for found in self.wanted.values()):
            return f"{self.path}: there was nothing to add."
        told = [
            f"{task} of {counted(n, 'image')} of {split} ({self.wanted[split][task]} wanted)"
            for split, found in self.labels.items()
            for task, n in found.items()
            if self.wanted[split][task]
        ]
        begun = f", {self.resumed} of them by a command that was killed" if self.resumed else ""
        by = f" by {self.rule}" if self.rule else ""
        return f"{self.path}: {self.origin}{by} {'; '.join(told)}, in {self.seconds:.1f} s{begun}."


def add_labels(
    path: Path,
    plan: Callable[[Store], Addition],
    *,
    out: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> AddSummary:
    """Add labels to a store, or to a copy of it.

    Args:
        path: The store.
        plan: Says, given the store, what is to be added.
        out: The copy; None to change the store itself.
        overwrite: Replace labels of the same origin and tasks, what `out` is, and what a killed
            command with another plan left.
        progress: Told about images.

    Raises:
        UsageError: where labels of that origin are there already, `out` is taken, or a file is on
            object storage.
        DataError: for a store of before, and where no label could be made.
        MtdataError: where the disk is full or cannot be written.
    """
    started, path = time.perf_counter(), local(path)
    target = path if out is None else local(out)
    with Store(path) as store:  # what is no store is told before anything is made beside it
        sharded = store.sharded
    if out is not None:
        _check_out(path, out, overwrite=overwrite, sharded=sharded)
        make_folder(out)
    with alone(target, elsewhere=out is None):
        if out is None:
            complete(path)
        with Store(path) as store:
            _check_sealed(store)
            work = _Work(store, plan(store), target, overwrite=overwrite)
            return work.run(progress, started)


def _check_out(path: Path, out: Path, *, overwrite: bool, sharded: bool) -> None:
    if sharded and out.resolve().parent != path.resolve().parent:
        raise UsageError(
            f"`out` should be in the folder of {path}, whose images lie in shards there; found "
            f"{out}. Leave --out away, or make one file first with `mtdata merge`."
        )
    if out.resolve() == path.resolve():
        raise UsageError("`out` should be another file than the store; leave --out away.")
    check_new(out, overwrite=overwrite, folder=False)


def _check_sealed(store: Store) -> None:
    if not store.sealed:
        raise DataError(
            f"{store.path} should have digests of its tables, so that added labels can be told "
            "from others; it was built by an earlier version. Build it again."
        )


@dataclass
class _Work:
    store: Store
    addition: Addition
    target: Path
    overwrite: bool

    def __post_init__(self) -> None:
        self.names = [task.name for task in self.addition.about]
        self._created = datetime.now(UTC).isoformat(timespec="seconds")
        if not self.overwrite:
            for split in self.addition.wanted:
                for name in self.names:
                    self._check_new(self.store.splits[split], name)

    def _check_new(self, split: Split, task: str) -> None:
        origin = self.addition.origin
        if (origin, task) in split.added:
            raise UsageError(
                f"{self.store.path} has {origin} labels of {task} in {split.name} already. "
                "Replace them with --overwrite."
            )

    def run(self, progress: Progress | None, started: float) -> AddSummary:
        wanted = {
            name: dict(zip(self.names, map(int, table.sum(0)), strict=True))
            for name, table in self.addition.wanted.items()
        }
        labels = {name: dict.fromkeys(self.names, 0) for name in wanted}
        resumed = 0
        if needed := any(table.any() for table in self.addition.wanted.values()):
            beside = self.target.with_name(f"{self.target.name}.{self.addition.origin}")
            with disk_errors(self.target):
                journal = self._journal(beside)
            with closing(journal):
                resumed = len(journal.entries)
                self._make(journal, progress)
                labels = self._count(journal)
                needed = any(any(found.values()) for found in labels.values())
                if needed:
                    self._write(journal, labels)
                journal.remove()
        about = self.addition.about.values()
        return AddSummary(
            path=self.target,
            origin=self.addition.origin,
            labels=labels,
            wanted=wanted,
            resumed=resumed,
            written=needed,
            seconds=time.perf_counter() - started,
            rule=", ".join(dict.fromkeys(str(a["rule"]) for a in about if "rule" in a)),
        )

    def _journal(self, path: Path) -> Journal:
        try:
            return Journal(path, self._identity(), fresh=False)
        except OtherBuildError as error:
            if not self.overwrite:
                raise UsageError(self._other_plan(path, error.before)) from error
        except UsageError:  # of an earlier version
            if not self.overwrite:
                raise
        return Journal(path, self._identity(), fresh=True)

    def _other_plan(self, path: Path, before: dict[str, Any]) -> str:
        now, left = self._identity(), f"{path} is what a killed command had {self.addition.origin}"
        if before["content"] != now["content"]:
            return (
                f"{left} of other images or labels than the store has now; `mtdata update` changes "
                "them. Start anew with --overwrite."
            )
        return (
            f"{left} with other options ({difference(before, now)}). Give the same options to "
            "continue it, or --overwrite to start anew."
        )

    def _identity(self) -> dict[str, Any]:
        """What a killed command must have been doing for this one to go on with it."""
        chosen = {name: cell_digest(table).hex() for name, table in self.addition.wanted.items()}
        about = {task.name: dict(about) for task, about in self.addition.about.items()}
        return {
            "content": self.store.content_digest,
            "origin": self.addition.origin,
            "options": {"about": about, "wanted": chosen},
        }

    def _make(self, journal: Journal, progress: Progress | None) -> None:
        """Make what the journal does not have yet, an image at a time."""
        total = sum(int(table.any(1).sum()) for table in self.addition.wanted.values())
        done = len(journal.entries)
        for name, table in self.addition.wanted.items():
            split = self.store.splits[name]
            compression = compression_of(split) or "blosc"
            left = [
                index
                for index in np.flatnonzero(table.any(1)).tolist()
                if (name, split.keys[index]) not in journal.entries
            ]
            for start in range(0, len(left), self.addition.at_once):
                part = left[start : start + self.addition.at_once]
                tasks = [
                    [name for name, yes in zip(self.names, table[index], strict=True) if yes]
                    for index in part
                ]
                made = self.addition.make(split, part, tasks)
                for index, found in zip(part, made, strict=True):
                    with disk_errors(self.target, elsewhere=False):
                        journal.append(name, self._row(split, index, found, compression), _NONE)
                    done += 1
                    if progress:
                        progress(done, total, f"{self.addition.origin} labels")

    def _row(self, split: Split, index: int, made: Made, compression: Compression) -> Row:
        height, width = map(int, split.sizes[index])
        cells = [Cell()]
        for task in self.addition.about:
            cells += self._cells(task.kind, made.get(task.name), split.size, compression)
        size, box = (height, width), (0, 0, height, width)
        return Row(split.keys[index], size, size, box, NO_CAMERA, tuple(cells))

    def _cells(
        self, kind: Kind, made: NewLabel | None, size: tuple[int, int], compression: Compression
    ) -> list[Cell]:
        """The label, and its confidence in 255ths, rounded down, where it has one."""
        filled = self.addition.origin == layout.FILLED
        absent = [Cell()] * (1 + filled)
        if made is None:
            return absent
        valid = made.valid & kind.storable(made.label)
        if not valid.any():
            return absent
        stored = kind.encode(np.where(_like(valid, made.label), made.label, 0), valid)
        options = filters(compression, stored.dtype, image=False)
        padded = pad(stored, size, kind.storage()["void"])
        cells = [Cell(cell_digest(stored), int(valid.sum()), encode(padded, options))]
        if filled:
            assert made.confidence is not None
            steps = np.floor(np.clip(made.confidence, 0, 1) * layout.CERTAIN)
            sure = np.where(valid, steps, 0).astype(np.uint8)
            options = filters(compression, IMAGE_TYPE, image=False)
            chunk = encode(pad(sure, size, 0), options)
            cells.append(Cell(cell_digest(sure), int(sure.max()), chunk))
        return cells

    def _each(self) -> int:
        return 1 + (self.addition.origin == layout.FILLED)

    def _count(self, journal: Journal) -> dict[str, dict[str, int]]:
        found = {name: dict.fromkeys(self.names, 0) for name in self.addition.wanted}
        for (split, _), entry in journal.entries.items():
            for name, pixels in zip(self.names, entry.valid_pixels[:: self._each()], strict=True):
                found[split][name] += pixels > 0
        return found

    def _write(self, journal: Journal, labels: Mapping[str, Mapping[str, int]]) -> None:
        """Write them into a copy of the store, which takes its name."""
        path = local(self.store.path)
        size = path.stat().st_size + journal.length
        with swapping(self.target, needed=size) as temporary:
            self._copy(temporary)
            file = h5py.File(temporary, "r+", libver=layout.LIBRARY)
            with written(file):
                for name in self.addition.wanted:
                    self._write_split(file[name], self.store.splits[name], journal, labels[name])
                seal_added(file)

    def _copy(self, to: Path) -> None:
        """Copy the store while nobody changes its regimes; where nobody can, there is no lock."""
        path = local(self.store.path)
        others = path.resolve() != self.target.resolve() and os.access(path.parent, os.W_OK)
        with alone(path, elsewhere=False) if others else nullcontext():
            if others:
                complete(path)
            shutil.copyfile(path, to)

    def _write_split(
        self, group: h5py.Group, split: Split, journal: Journal, labels: Mapping[str, int]
    ) -> None:
        """Those tasks of which any label was made."""
        each = self._each()
        about = {task: said for task, said in self.addition.about.items() if labels[task.name]}
        places = [
            1 + each * self.names.index(task.name) + part for task in about for part in range(each)
        ]

        def rows() -> Iterator[tuple[int, Sequence[Cell]]]:
            for index, key in enumerate(split.keys):
                if (split.name, key) in journal.entries:
                    cells = journal.read(split.name, key).cells
                    yield index, [cells[place] for place in places]

        added = AddedRows(self.addition.origin, about, self._created, rows())
        keys = tuple(split.keys)
        form = SplitRows(split.name, split.role, keys, split.size, split.padded, ())
        write_added(group, added, form, compression=compression_of(split) or "blosc")


_NONE = Prints(bytes(32))


def _like(mask: NDArray[np.bool_], label: NDArray[Any]) -> NDArray[np.bool_]:
    return mask.reshape(mask.shape + (1,) * (label.ndim - 2))
