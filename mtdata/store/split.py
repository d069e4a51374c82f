"""One split of a store: what is known of its samples, and reading one of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isnan
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.errors import StoreError, UnknownNameError
from mtdata.store import format as layout
from mtdata.store.added import Added, read_added
from mtdata.store.digest import cell_digest
from mtdata.store.handle import LOST, Handle, why_unread
from mtdata.store.opening.file import broken, reading
from mtdata.store.opening.look import array_problems
from mtdata.store.regime import RegimeInfo, full, read_regime
from mtdata.store.shards import Shard, Shards, from_table, virtual_problems
from mtdata.store.tables import Keys, Runs, blocks, problems, read_table
from mtdata.tasks.role import ROLES, Role
from mtdata.tasks.sample import Camera, Extent, Sample
from mtdata.tasks.stored import StoredSample
from mtdata.tasks.task import Task
from mtdata.urls import Url


@dataclass(frozen=True)
class Split:
    """The samples of one split. It is picklable; an open handle does not travel.

    Tables are read when they are first asked for. `size` is the stored height and width, `count`
    the number of samples, `stored` the regimes that the file has; `padded` where images have sizes
    of their own, `believe` where tables are not compared with their digests; `added` are labels
    beside those of the source, by origin and task, which no regime of the file shows. `shards` are
    the files where its images and labels lie, where that is not the store itself.
    """

    name: str
    role: Role
    tasks: tuple[Task, ...]
    size: tuple[int, int]
    count: int
    padded: bool
    stored: Mapping[str, RegimeInfo] = field(repr=False)
    handle: Handle = field(repr=False)
    believe: bool = field(default=False, repr=False)
    added: Mapping[tuple[str, str], Added] = field(default_factory=dict, repr=False)
    shards: Shards | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return self.count

    @cached_property
    def keys(self) -> Keys:
        """The official image ids, n of them."""
        table = self._table(layout.KEY)
        # Whoever writes keys to lead elsewhere makes their digest match too.
        for problem in () if self.believe else problems(layout.KEY, table):
            raise broken(self.handle.path, f"split {self.name} {problem}")
        return Keys(table)

    @cached_property
    def labelled(self) -> NDArray[np.bool_]:
        """Where the store has a label, bool [n, tasks]."""
        return self._table(layout.VALID_PIXELS, of=lambda pixels: pixels > 0)

    @cached_property
    def valid_pixels(self) -> NDArray[np.int32]:
        """How many valid pixels each label has, int32 [n, tasks]; 0 where there is no label."""
        return self._table(layout.VALID_PIXELS)

    @cached_property
    def sizes(self) -> NDArray[np.int32]:
        """True height and width of the images, int32 [n, 2]."""
        if self.padded:
            return self._table(layout.SIZE)
        return np.broadcast_to(np.array(self.size, np.int32), (self.count, 2))

    @cached_property
    def source_sizes(self) -> NDArray[np.int32]:
        """Height and width in the source, int32 [n, 2]."""
        return self._table(layout.SOURCE_SIZE)

    @cached_property
    def crops(self) -> NDArray[np.int32]:
        """Top, left, height and width of what was kept of the source, int32 [n, 4]."""
        return self._table(layout.CROP)

    @cached_property
    def cameras(self) -> NDArray[np.float64]:
        """fx, fy, cx, cy in stored pixels, float64 [n, 4]; NaN where unknown."""
        return self._table(layout.CAMERA)

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        """SHA-256 of each image and label, uint8 [n, 1 + tasks, 32]; 0 where there is no label."""
        return self._table(layout.DIGEST)

    @cached_property
    def regimes(self) -> Mapping[str, RegimeInfo]:
        """All regimes by name; "full", which every split has, is every label there is."""
        names = [task.name for task in self.tasks]
        return {layout.FULL: full(names, self.labelled), **self.stored}

    @property
    def regime_names(self) -> tuple[str, ...]:
        """Names of all regimes, "full" first."""
        return (layout.FULL, *self.stored)

    def regime_or_full(self, name: str | None) -> str:
        """The regime of that name; "full" for None, and in a split (of test) that lacks it."""
        return name if name in self.regime_names else layout.FULL

    def _table(self, name: str, **options: Any) -> NDArray[Any]:
        with reading(self.handle.path, f"split {self.name}"):
            dataset = self.handle.file[f"{self.name}/{name}"]
            return read_table(dataset, believe=self.believe, **options)

    def visible(self, regime: str = layout.FULL) -> NDArray[np.bool_]:
        """Which labels may be seen, bool [n, tasks]: valid pixels, and shown by the regime.

        Raises:
            UnknownNameError: where the split has no regime of that name.
        """
        if regime not in self.regime_names:
            raise UnknownNameError(f"regime of split {self.name}", regime, self.regime_names)
        return self.regimes[regime].labels & self.labelled

    def column(self, task: str) -> int:
        """Column of a task that it has."""
        return [each.name for each in self.tasks].index(task)

    def index(self, key: str) -> int:
        """Position of a key.

        Raises:
            UnknownNameError: where the split has no such key.
        """
        try:
            return self.keys.index(key)
        except ValueError:
            raise UnknownNameError(f"image of split {self.name}", key, list(self.keys)) from None

    def read(self, index: int, tasks: Sequence[str]) -> Sample:
        """Read one image and those labels of it in `tasks` that exist; touch nothing else.

        Raises:
            StoreError: where a chunk is broken; it names the sample and the label.
        """
        return self.fetch(index, tasks).decode(self.tasks)

    def fetch(self, index: int, tasks: Sequence[str]) -> StoredSample:
        """Read what `read` does, as the file holds it.

        Raises:
            StoreError: where a chunk is broken; it names the sample and the label.
        """
        names = [task.name for task in self.tasks]
        for name in tasks:
            if name not in names:
                raise UnknownNameError("task", name, names)
        there = [name for name in tasks if self.labelled[index, self.column(name)]]
        self._expect(index, there)
        labels = {name: self.read_stored(index, name) for name in there}
        image = self.read_stored(index, None)
        return StoredSample(self.keys[index], image, labels, self.camera(index), self.extent(index))

    def _expect(self, index: int, tasks: Sequence[str]) -> None:
        """Say that an image and its labels of `tasks` are read next."""
        if not isinstance(self.handle.path, Url):
            return
        part, at = self.part(index)
        part.handle.expect(at, [part._place(each) for each in (None, *tasks)])

    def read_stored(self, index: int, task: str | None) -> NDArray[Any]:
        """One chunk as the file holds it: the image (`task` None) or a label.

        Raises:
            StoreError: where its checksum is wrong.
        """
        if self.shards is not None:
            return self.shards.read(index, task, self.keys)
        column = 0 if task is None else 1 + self.column(task)
        what = "image" if task is None else f"label `{task}`"
        return self._row(self._place(task), index, what, lambda: self.digests[index, column])

    def read_true(self, index: int, task: str | None) -> NDArray[Any]:
        """What `read_stored` reads, without padding; arguments and errors are the same."""
        height, width = self.sizes[index]
        return self.read_stored(index, task)[:height, :width]

    def read_added(self, added: Added, index: int, part: str = layout.LABEL) -> NDArray[Any]:
        """One chunk of what was added, as the file holds it: the label, or its confidence.

        Raises:
            StoreError: where its checksum is wrong.
        """
        what = f"{part} `{added.origin}/{added.task.name}`"
        column = int(part == layout.CONFIDENCE)
        return self._row(
            f"{added.place}/{part}", index, what, lambda: added.digests[index, column], added.sha256
        )

    def _row(
        self,
        place: str,
        index: int,
        what: str,
        digest: Callable[[], NDArray[np.uint8]],
        added: str | None = None,
    ) -> NDArray[Any]:
        try:
            array, doubtful = self.handle.rows(place, added=added).look(index)
            height, width = self.sizes[index] if doubtful else self.size
            if doubtful and cell_digest(array[:height, :width]) != digest().tobytes():
                raise self._unread(index, what, LOST)
        except StoreError:
            raise
        except (OSError, KeyError, RuntimeError) as error:
            raise self._unread(index, what, why_unread(error)) from error
        return array

    def _unread(self, index: int, what: str, why: str) -> StoreError:
        return broken(self.handle.path, f"the {what} of {self.name}/{self.keys[index]} {why}")

    def part(self, index: int) -> tuple["Split", int]:
        """Where an image lies: the split of one file, and its place there.

        Raises:
            StoreError: where it is in a shard that is missing, broken or another file.
        """
        return (self, index) if self.shards is None else self.shards.find(index, self.keys)

    def dataset(self, task: str | None) -> h5py.Dataset:
        """The array of all images, or of all labels of a task, of a split of one file."""
        return self.handle.file[self._place(task)]

    def fact(self, name: str) -> NDArray[Any] | None:
        """A table that reading samples does not need (`SOURCE`, `SKIPPED`); None without one.

        Raises:
            StoreError: where it cannot be read.
        """
        with reading(self.handle.path, f"the table {name} of split {self.name}"):
            group = self.handle.file[self.name]
            return read_table(group[name], believe=self.believe) if name in group else None

    def _place(self, task: str | None) -> str:
        return f"{self.name}/{layout.IMAGE if task is None else f'{layout.LABEL}/{task}'}"

    def camera(self, index: int) -> Camera | None:
        """Camera of an image at the stored size, where it is known."""
        values = self._runs_of_cameras[index].tolist()
        return None if any(map(isnan, values)) else Camera(*values)

    @cached_property
    def _runs_of_cameras(self) -> Runs:
        with reading(self.handle.path, f"split {self.name}"):
            dataset = self.handle.file[f"{self.name}/{layout.CAMERA}"]
            return Runs(blocks(dataset, believe=self.believe))

    def extent(self, index: int) -> Extent | None:
        """Where the true image lies in the stored one, which is padded below and right of it."""
        if not self.padded:
            return None
        height, width = self.sizes[index].tolist()
        return None if (height, width) == self.size else Extent(0, 0, height, width)


def read_split(
    handle: Handle, group: h5py.Group, tasks: tuple[Task, ...], *, believe: bool = False
) -> Split:
    """Read what a split is made of; its tables are left for later.

    Args:
        handle: The store.
        group: The split, in a view of it.
        tasks: The tasks of the store.
        believe: Do not compare tables with their digests, nor arrays with the tasks.

    Raises:
        StoreError: where something is missing or has another shape than the format says.
    """
    name = group.name.strip("/")
    names = [task.name for task in tasks]
    with reading(handle.path, f"split {name}"):
        image = group[layout.IMAGE]
        if len(image.shape) != 4:
            raise ValueError(f"image should be [n, h, w, 3]; found {list(image.shape)}")
        n, h, w = map(int, image.shape[:3])
        for table, (_, row) in layout.tables(len(tasks)).items():
            if table in group and group[table].shape != (n, *row):
                found = list(group[table].shape)
                raise ValueError(f"{table} should be {[n, *row]}; found {found}")
        for each in () if believe else (None, *tasks):
            place = layout.IMAGE if each is None else f"{layout.LABEL}/{each.name}"
            for problem in array_problems(group[place], n, (h, w), each):
                raise ValueError(f"{place} {problem}")
        role, padded = _role(group), layout.SIZE in group
        shards = None
        if layout.SHARD in group:
            files = _read_shards(group, n, tasks, believe=believe)
            form = role, tasks, (h, w), padded
            shards = Shards(handle.path, name, form, files, believe=believe)
        return Split(
            name=name,
            role=role,
            tasks=tasks,
            size=(h, w),
            count=n,
            padded=padded,
            stored={
                each: read_regime(dataset, names, believe=believe)
                for each, dataset in group.get(layout.REGIME, {}).items()
            },
            handle=handle,
            believe=believe,
            added=read_added(
                handle, group, {task.name: task for task in tasks}, n, (h, w), believe=believe
            ),
            shards=shards,
        )


def _read_shards(
    group: h5py.Group, n: int, tasks: tuple[Task, ...], *, believe: bool
) -> tuple[Shard, ...]:
    found = from_table(read_table(group[layout.SHARD], believe=believe), n)
    for place in (layout.IMAGE, *(f"{layout.LABEL}/{task.name}" for task in tasks)):
        for problem in virtual_problems(group[place], found):
            raise ValueError(f"{place} {problem}")
    return found


def _role(group: h5py.Group) -> Role:
    found = layout.plain(group.attrs["role"])
    for role in ROLES:
        if role == found:
            return role
    raise ValueError(f"role should be {', '.join(ROLES)}; found {found!r}")
