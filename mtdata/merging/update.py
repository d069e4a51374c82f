"""Adding to a store what its source has since; the store is replaced whole, or not at all."""

import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mtdata.atomic import alone, disk_errors, swapping
from mtdata.building.assemble import common_size, pad_row, source_facts
from mtdata.building.journal import Journal
from mtdata.building.prints import Prints
from mtdata.building.request import Request
from mtdata.building.sampling import OnError, fill, without
from mtdata.building.summary import Skipped, SplitSummary, count
from mtdata.building.workers import Workers
from mtdata.errors import BadSamplesError, DataError, SampleError, UsageError
from mtdata.merging.built import request_of
from mtdata.merging.changes import (
    Changes,
    Looked,
    changed_files,
    compare,
    joined,
    old_digests,
    places_of,
)
from mtdata.merging.chunks import CopiedRows
from mtdata.merging.regimes import added_labels
from mtdata.progress import Progress, telling
from mtdata.sources.base import Source
from mtdata.store import Store
from mtdata.store import format as layout
from mtdata.store.digest import source_digest
from mtdata.store.opening.file import Header
from mtdata.store.regime import RegimeInfo
from mtdata.store.row import Row
from mtdata.store.writer import SplitRows, write_store
from mtdata.urls import local
from mtdata.wording import listed

OnChange = Literal["refuse", "keep", "follow"]
"""What becomes of images and labels that are others in the source now, or gone from it."""
SHOWN = 10


@dataclass(frozen=True)
class UpdateSummary:
    """An update that is done.

    `images` are new, `labels` (of images that were there) too; `altered` and `gone` name what is
    another in the source now, or no more there. `read` samples were read, all others are as they
    were by name, size and time of their files. `later` are labels that no regime but full shows, as
    they came after it was drawn, and `uncovered` images of which it shows nothing as all of their
    labels did: for each regime of the training splits. `lost` are labels that a regime showed and
    that are gone, by regime and task; a regime that lost none has no entry.
    `left_out` are filled and derived labels of before: the new store has none.
    """

    path: Path
    images: int
    labels: Mapping[str, int]
    altered: tuple[str, ...]
    gone: tuple[str, ...]
    read: int
    skipped: tuple[Skipped, ...]
    splits: Mapping[str, SplitSummary]
    uncovered: Mapping[str, int]
    later: Mapping[str, int]
    lost: Mapping[str, Mapping[str, int]]
    left_out: tuple[str, ...]
    content_digest: str
    written: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The summary as JSON."""
        return {**asdict(self), "path": str(self.path)}


def update(
    path: Path | str,
    source: Source,
    *,
    on_change: OnChange = "refuse",
    on_error: OnError = "stop",
    jobs: int = 1,
    progress: Progress | None = None,
) -> UpdateSummary:
    """Add new images and new labels of a source to a store that was built from it.

    Only what is new or changed, by the names, sizes and times of files, is read. Regimes stay as
    they were drawn: they show nothing of what is added. Filled and derived labels are left out.

    Args:
        path: The store.
        source: What it was built from, with the same options.
        on_change: What becomes of images and labels that the store has, and that are others in the
            source now or gone from it: "refuse" ends the update and names them, "keep" leaves them
            as they are in the store, "follow" does as the source does.
        on_error: As in `build`; an image that was there before stays as it was.
        jobs: Worker processes.
        progress: Told about every sample.

    Raises:
        UsageError: where the store was built from another source or with other options.
        SampleError: for a new file that cannot be used; BadSamplesError: for several.
        DataError: where something has changed or is gone, and that is refused; where a new image is
            larger than those of its split are stored.
        MtdataError: where the disk is full or cannot be written.
    """
    if on_change not in get_args(OnChange):
        raise UsageError(f"`on_change` should be refuse, keep or follow; found {on_change!r}.")
    started, path = time.perf_counter(), local(path)
    Store(path).close()  # what is no store is told before anything is made beside it
    with alone(path, elsewhere=False), Store(path) as store, _as_built():
        if store.sharded:
            raise UsageError(
                f"{path} should be a store of one file, which is written anew with what its source "
                f"has since; its images lie in shards. Run `mtdata merge {shlex.quote(str(path))} "
                "-o ONE.h5`, update that, and `mtdata shard` it again."
            )
        request = request_of(store, source)
        looked = changed_files(store, request, progress)
        beside = path.with_name(f"{path.name}.update")
        with disk_errors(path, elsewhere=False):
            journal = Journal(beside, request.identity(), fresh=True)
        with closing(journal):
            try:
                with Workers(request, jobs) as workers:
                    filled = fill(
                        request,
                        journal,
                        path,
                        workers=workers,
                        progress=progress,
                        jobs=looked.jobs,
                        patient=on_error == "skip",
                        elsewhere=False,
                    )
                    without(request, filled, on_error)
                changes = compare(store, looked, journal)
                _refuse(path, changes, on_change)
                if on_change == "keep":
                    _check_moved(store, looked, changes, journal)
                new = _Update(store, request, looked, journal, changes, filled.skipped, on_change)
                left_out = added_labels([store]) if new.needed else ()
                regimes = new.write(progress) if new.needed else []
                lost = new.lost(regimes) if new.needed else {}
            finally:
                journal.remove()
    return _summary(path, new, regimes, lost, left_out, time.perf_counter() - started)


@contextmanager
def _as_built() -> Iterator[None]:
    """Where an error says to change `tasks.yaml`, add that an update takes no other."""
    hint = (
        "An update takes tasks.yaml as the store was built by it: after a change there, build the "
        "store again with `mtdata build ... --overwrite`"
    )
    try:
        yield
    except DataError as error:
        if "tasks.yaml" not in str(error) or "--overwrite" in str(error):
            raise
        if isinstance(error, BadSamplesError):
            raise BadSamplesError(error.problems, error.samples, hint) from error
        if isinstance(error, SampleError):
            raise SampleError(error.path, error.problem, f"{error.remedy} {hint}.") from error
        raise DataError(f"{error} {hint}.") from error


def _refuse(path: Path, changes: Changes, on_change: OnChange) -> None:
    found = [f"{'/'.join(at)} (changed)" for at in changes.altered]
    found += [f"{'/'.join(at)} (gone)" for at in changes.gone]
    if not found or on_change != "refuse":
        return
    raise DataError(
        f"Images or labels of {path} should be as its source has them; {len(changes.altered):,} "
        f"are others there now and {len(changes.gone):,} are gone: {listed(found, SHOWN)}. Keep "
        "them as they are in the store with --on-change keep, or do as the source does with "
        "--on-change follow."
    )


def _check_moved(store: Store, looked: Looked, changes: Changes, journal: Journal) -> None:
    """Refuse to keep an image in its split that the source has in another one now.

    Raises:
        DataError: naming the images.
    """
    places = places_of(store)
    kept = {bytes(old_digests(store.splits[at[0]], places[at])[0]): at for at in looked.gone}
    moved = [
        f"{'/'.join(there)} (now {split}/{key})"
        for split, key in changes.images
        if (there := kept.get(journal.read(split, key).cells[0].digest)) and there[0] != split
    ]
    if moved:
        raise DataError(
            f"an image should be in one split; these would be kept in one and added to another: "
            f"{listed(moved)}. Do as the source does with --on-change follow: an image trained on "
            "must not be tested on."
        )


@dataclass
class _Update:
    """Everything that the new file is made of."""

    store: Store
    request: Request
    looked: Looked
    journal: Journal
    changes: Changes
    skipped: tuple[Skipped, ...]
    on_change: OnChange

    def __post_init__(self) -> None:
        self.places = places_of(self.store)
        self.roles = self.request.source.roles()
        self._copied: dict[str, CopiedRows] = {}

    @property
    def needed(self) -> bool:
        """Whether the file would be another: in what it holds, or in what it knows of its files."""
        looked = self.looked
        return bool(self.journal.entries or looked.gone or looked.restamped or self.skipped)

    def keys(self, split: str) -> tuple[str, ...]:
        """The keys of a split, in the order of the source; those that it has no more at last."""
        bad = {(each.split, each.key) for each in self.skipped} - self.places.keys()
        there = [key for key in self.request.keys.get(split, ()) if (split, key) not in bad]
        gone = [key for name, key in self.looked.gone if name == split and self.on_change == "keep"]
        return tuple(sorted([*there, *gone]) if gone else there)

    def write(self, progress: Progress | None) -> list[RegimeInfo]:
        """Write the new file in the place of the old one; returns the regimes of its splits."""
        store, prints = self.store, self.prints()
        names = dict.fromkeys([*store.splits, *self.request.keys])
        keys = {name: found for name in names if (found := self.keys(name))}
        regimes = {name: self.regimes(name, keys[name]) for name in keys}
        total = sum(map(len, keys.values()))
        told: Callable[[Row], Row] = telling(progress, total, "writing the store")
        splits = [self.split(name, keys[name], prints, regimes[name], told) for name in keys]
        kept = {(name, key) for name, of_split in keys.items() for key in of_split}
        changed = bool(self.changes.altered or self.changes.gone)
        header = Header(
            dataset=store.dataset_name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            tool=layout.tool(),
            options=self.request.options(),
            tasks=store.tasks,
            default_regime=store.default_regime,
            source_digest=source_digest(
                self.request.source.name,
                ((*at, each.content) for at, each in prints.items() if at in kept),
            ),
            content_digest="",
            earlier=() if changed and self.on_change == "follow" else store.contents,
        )
        path = local(store.path)
        size = path.stat().st_size + self.journal.length
        with swapping(path, needed=size, elsewhere=False) as temporary:
            write_store(temporary, header, splits, compression=self.request.compression)
        return [info for found in regimes.values() for info in found]

    def prints(self) -> dict[tuple[str, str], Prints]:
        """What is known of the source of each sample: as it was read, or as it was before."""
        found = dict(self.looked.prints)
        kept = self.changes.others if self.on_change == "keep" else set()
        for at, entry in self.journal.entries.items():
            # What is kept though it has changed is told again next time.
            if at not in kept:
                found[at] = entry.prints
        unknown = Prints(bytes(32))
        everything = [*self.places, *self.journal.entries]
        stale = kept | {(each.split, each.key) for each in self.skipped}
        for at in everything:
            if at not in found:
                found[at] = unknown
            elif at in stale:
                found[at] = Prints(found[at].content)
        return found

    def split(
        self,
        name: str,
        keys: Sequence[str],
        prints: Mapping[tuple[str, str], Prints],
        regimes: Sequence[RegimeInfo],
        told: Callable[[Row], Row],
    ) -> SplitRows:
        """One split of the new file."""
        old = self.store.splits.get(name)
        role = self.roles.get(name) or (old.role if old is not None else "test")
        sizes = np.array([self.size(name, key) for key in keys], np.int32)
        size = old.size if old is not None else self.request.padded_size
        size = size or common_size(name, sizes)
        too_large = np.flatnonzero((sizes > size).any(axis=1))
        if len(too_large):
            height, width = sizes[too_large[0]]
            raise DataError(
                f"images of split {name} are stored at {size[0]}x{size[1]}; {keys[too_large[0]]}, "
                f"which is new, has {height}x{width}. Build the store again with "
                "`mtdata build ... --overwrite`."
            )
        facts = source_facts(
            [prints[name, key] for key in keys],
            # One that was there before stays, whatever its files are now.
            [s for s in self.skipped if s.split == name and (name, s.key) not in self.places],
        )
        rows = (told(self.row(name, key, size)) for key in keys)
        padded = bool((sizes != size).any())
        return SplitRows(name, role, tuple(keys), size, padded, rows, regimes, facts)

    def size(self, split: str, key: str) -> tuple[int, int]:
        """Height and width of a sample, without padding."""
        entry = self.journal.entries.get((split, key))
        if entry is not None:
            return entry.size
        height, width = self.store.splits[split].sizes[self.places[split, key]]
        return int(height), int(width)

    def row(self, split: str, key: str, size: tuple[int, int]) -> Row:
        """A row with its chunks at the size of the split."""
        at = (split, key)
        if at not in self.journal.entries:
            return self.old(split, self.places[at], size)
        new = pad_row(self.request, (self.journal.read(*at), size))
        if self.on_change == "follow" or at not in self.places:
            return new
        return joined(self.old(split, self.places[at], size), new)

    def old(self, split: str, place: int, size: tuple[int, int]) -> Row:
        """A row of the store, its chunks as they are."""
        if split not in self._copied:
            found, codec = self.store.splits[split], self.request.compression
            self._copied[split] = CopiedRows(found, size, codec)
        return self._copied[split].row(place)

    def regimes(self, split: str, keys: Sequence[str]) -> list[RegimeInfo]:
        """The regimes of a split as they were drawn: nothing of what is added is shown.

        Nor of a new split to train on, whatever regime the others have.
        """
        old, known = self.store.splits.get(split), list[RegimeInfo]()
        if old is not None:
            known = list(old.stored.values())
        elif self.roles.get(split) == "train":
            stored = (info for each in self.store.splits.values() for info in each.stored.values())
            known = [*{one.name: replace(one, uncovered=0, later=0) for one in stored}.values()]
        had, has = self._labelled(split, keys)
        first = int((has.any(1) & ~had.any(1)).sum())
        added = int((has & ~had).sum())
        found = []
        for info in known:
            labels = self._aligned(info, split, keys)
            # Some that it did not cover may be gone; of those it shows nothing.
            uncovered = min(info.uncovered + first, int((~labels.any(1)).sum()))
            later = min(info.later + added, int((has & ~labels).sum()))
            found.append(replace(info, labels=labels, uncovered=uncovered, later=later))
        return found

    def lost(self, regimes: Sequence[RegimeInfo]) -> dict[str, dict[str, int]]:
        """How many labels regimes showed in the store and show no more, by regime and task."""
        found: dict[str, Counter[str]] = {}
        for split in self.store.splits.values():
            for info in split.stored.values():
                found.setdefault(info.name, Counter()).update(info.counts)
        for info in regimes:
            found[info.name].subtract(info.counts)
        return {name: dict(+left) for name, left in found.items() if +left}

    def _labelled(
        self, split: str, keys: Sequence[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which labels images had in the store, and which they have now, bool [keys, tasks]."""
        old, pictures = self.store.splits.get(split), self.changes.pictures
        had = np.zeros((len(keys), len(self.store.tasks)), bool)
        has = had.copy()
        for row, key in enumerate(keys):
            at = (split, key)
            if old is not None and at in self.places:
                had[row] = has[row] = old.labelled[self.places[at]]
            if at in self.journal.entries:
                now = np.array(self.journal.entries[at].valid_pixels) > 0
                if self.on_change == "follow" or at not in self.places:
                    has[row] = now
                elif at not in pictures:  # labels that are kept, and new ones (`joined`)
                    has[row] |= now
        return had, has

    def _aligned(self, info: RegimeInfo, split: str, keys: Sequence[str]) -> NDArray[np.bool_]:
        labels = np.zeros((len(keys), len(info.tasks)), bool)
        for row, key in enumerate(keys):
            if (split, key) in self.places:
                labels[row] = info.labels[self.places[split, key]]
            entry = self.journal.entries.get((split, key))
            if entry is not None and self.on_change == "follow":
                labels[row] &= np.array(entry.valid_pixels) > 0  # a label may be gone
        return labels


def _summary(
    path: Path,
    made: _Update,
    regimes: Sequence[RegimeInfo],
    lost: Mapping[str, Mapping[str, int]],
    left_out: tuple[str, ...],
    seconds: float,
) -> UpdateSummary:
    stay = made.changes.pictures if made.on_change == "keep" else set()
    labels = [task for split, key, task in made.changes.labels if (split, key) not in stay]
    with Store(path) as store:
        names = tuple(task.name for task in store.tasks)
        return UpdateSummary(
            path=path,
            images=len(made.changes.images),
            labels={name: labels.count(name) for name in names if name in labels},
            altered=tuple(map("/".join, made.changes.altered)),
            gone=tuple(map("/".join, made.changes.gone)),
            read=len(made.looked.jobs),
            skipped=made.skipped,
            splits={n: count(names, split.valid_pixels) for n, split in store.splits.items()},
            uncovered=_total(regimes, "uncovered"),
            later=_total(regimes, "later"),
            lost=lost,
            left_out=left_out,
            content_digest=store.content_digest,
            written=made.needed,
            seconds=seconds,
        )


def _total(regimes: Sequence[RegimeInfo], what: str) -> dict[str, int]:
    """One of the numbers of each regime, over all splits that have it."""
    found: Counter[str] = Counter()
    for info in regimes:
        found[info.name] += getattr(info, what)
    return dict(found)
