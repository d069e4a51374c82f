"""What a source has that its store has not, without reading what is as it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mtdata.building.journal import Journal
from mtdata.building.prints import Prints, from_table, stamp
from mtdata.building.request import Request
from mtdata.building.sampling import Job
from mtdata.progress import Progress
from mtdata.store import Split, Store
from mtdata.store import format as layout
from mtdata.store.digest import ABSENT
from mtdata.store.row import Row

At = tuple[str, str]
"""Split and key."""


@dataclass(frozen=True)
class Looked:
    """What names, sizes and times of the files say.

    `jobs` are the samples that have to be read, `gone` those that the source has no more, and
    `prints` what is known of the source of every other one; `restamped` tells whether some of that
    is new.
    """

    jobs: tuple[Job, ...]
    gone: tuple[At, ...]
    prints: Mapping[At, Prints]
    restamped: bool


def changed_files(store: Store, request: Request, progress: Progress | None) -> Looked:
    """Compare the files of every sample with what the store keeps of them; none is read."""
    jobs: list[Job] = []
    known = {
        (name, key): prints
        for name, split in store.splits.items()
        if (table := split.fact(layout.SOURCE)) is not None
        for key, prints in from_table(split.keys, table).items()
    }
    there = {(name, key) for name, split in store.splits.items() for key in split.keys}
    found: dict[At, Prints] = {}
    wanted = [(name, key) for name, keys in request.keys.items() for key in keys]
    for number, at in enumerate(wanted, start=1):
        before = known.get(at)
        seen = stamp(request.source, *at)
        if before is None or not seen or seen != before.stamp:
            # Copied or touched: its content decides. A store of before knows nothing of it.
            jobs.append(Job(*at, None if before is None or at not in there else before.content))
        if before is not None:
            found[at] = Prints(before.content, seen)
        if progress:
            progress(number, len(wanted), "looking at the files")
    restamped = any(known[at] != prints for at, prints in found.items())
    return Looked(tuple(jobs), tuple(sorted(there - set(wanted))), found, restamped)


@dataclass
class Changes:
    """What reading them shows; each entry is a split and a key, with what of it is meant.

    `images` are new, `labels` are new labels of images that were there before. `altered` images
    and labels were there, and are others now; `gone` were there, and are not.
    """

    images: list[At] = field(default_factory=list)
    labels: list[tuple[str, str, str]] = field(default_factory=list)
    altered: list[tuple[str, str, str]] = field(default_factory=list)
    gone: list[At | tuple[str, str, str]] = field(default_factory=list)

    @property
    def others(self) -> set[At]:
        """The images of which anything is another now, or gone."""
        return {(split, key) for split, key, *_ in (*self.altered, *self.gone)}

    @property
    def pictures(self) -> set[At]:
        """The images that are others themselves: one that is kept takes no new label."""
        return {(split, key) for split, key, what in self.altered if what == "image"}


def compare(store: Store, looked: Looked, journal: Journal) -> Changes:
    """Compare what was read with the store, cell by cell, by digests."""
    changes = Changes(gone=[*looked.gone])
    places = places_of(store)
    for split, key in journal.entries:
        at = (split, key)
        if at not in places:
            changes.images.append(at)
            continue
        new = journal.read(split, key)
        if _camera_is_another(store.splits[split], places[at], new):
            changes.altered.append((split, key, "camera"))
        old = old_digests(store.splits[split], places[at])
        for column, (before, cell) in enumerate(zip(old, new.cells, strict=True)):
            task = "image" if column == 0 else store.tasks[column - 1].name
            if before == cell.digest:
                continue
            if before == ABSENT:
                changes.labels.append((split, key, task))
            elif cell.digest == ABSENT:
                changes.gone.append((split, key, task))
            else:
                changes.altered.append((split, key, task))
    return changes


def _camera_is_another(split: Split, place: int, new: Row) -> bool:
    """Whether an image had a camera, and has another or none now."""
    old = split.cameras[place]
    return not np.isnan(old).all() and not np.array_equal(old, new.camera, equal_nan=True)


def places_of(store: Store) -> dict[At, int]:
    """The row of each image in its split."""
    return {
        (name, key): place
        for name, split in store.splits.items()
        for place, key in enumerate(split.keys)
    }


def old_digests(split: Split, place: int) -> Sequence[bytes]:
    """The digests of the cells of a row: image, then tasks."""
    return [digest.tobytes() for digest in split.digests[place]]


def joined(old: Row, new: Row) -> Row:
    """What an old row has, and the labels and the camera that only a new one has.

    Where the image itself is another, its labels need not fit: nothing of the new row is taken.
    """
    if old.cells[0].digest != new.cells[0].digest:
        return old
    cells = [
        after if before.digest == ABSENT else before
        for before, after in zip(old.cells, new.cells, strict=True)
    ]
    camera = new.camera if np.isnan(old.camera).all() else old.camera
    return Row(old.key, old.size, old.source_size, old.crop, camera, tuple(cells))
