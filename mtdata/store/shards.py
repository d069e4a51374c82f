"""The files of a store in shards: which there are, and reading an image out of the right one.

What reads and writes regimes, tables and added labels looks at the index alone. Images and labels
of the source are read from the shards, each of which is a store and is checked as one. HDF5 could
read them through the virtual arrays of the index, but where a file is missing it gives fill values
without a word: they are for other programs, and here they are only looked at.
"""

import json
import os
import resource
import stat
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.errors import StoreError
from mtdata.store import format as layout
from mtdata.store.opening.remote import tag_of
from mtdata.store.tables import Keys
from mtdata.urls import StorePath, Url
from mtdata.wording import counted

if TYPE_CHECKING:
    from mtdata.store.split import Split

REMEDY = "Copy the folder again, or write it again with `mtdata shard`."
OPEN_SHARE = 4
"""Of the files that a process may have open, one in so many may be shards of a split."""

_reading = RLock()
"""A thread that opens a shard may close another, which nobody may be reading then."""
os.register_at_fork(after_in_child=lambda: globals().update(_reading=RLock()))


@dataclass(frozen=True)
class Shard:
    """What an index says of one of its files.

    Args:
        file: Its name; it lies in the folder of the index.
        images: How many it has, at least 1.
        bytes: What it was long when it was made; a regime that is added makes it longer.
        seal: That of the store that it is, which stands for all its tables and their digests.
    """

    file: str
    images: int
    bytes: int
    seal: str


def shards_table(shards: Sequence[Shard]) -> NDArray[Any]:
    """As an index holds them: texts of fixed length."""
    told = [layout.canonical(asdict(shard)).encode() for shard in shards]
    return np.array(told, f"S{max(map(len, told))}")


def from_table(table: NDArray[Any], images: int) -> tuple[Shard, ...]:
    """Inverse of `shards_table`.

    Args:
        table: Texts.
        images: How many all of them should have.

    Raises:
        ValueError: where a name is a path, or anything else cannot be.
    """
    found = tuple(map(_shard, table.tolist()))
    if len({shard.file for shard in found}) < len(found):
        raise ValueError("a shard is there twice")
    if sum(shard.images for shard in found) != images:
        raise ValueError(f"its shards should have {counted(images, 'image')}")
    return found


def _shard(text: bytes) -> Shard:
    told = json.loads(text)
    forms = {"file": str, "images": int, "bytes": int, "seal": str}
    if {name: type(value) for name, value in dict(told).items()} != forms:
        raise ValueError(f"a shard should have {', '.join(forms)}; found {told}")
    shard = Shard(**told)
    if not layout.safe_name(shard.file):
        raise ValueError(f"the name {shard.file!r} of a shard should be one of its folder")
    if shard.images < 1 or shard.bytes < 1:
        raise ValueError(f"the shard {shard.file} should have images and bytes")
    return shard


def make_virtual(
    group: h5py.Group,
    place: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    shards: Sequence[Shard],
    *,
    fill: int | float,
) -> h5py.Dataset:
    """An array of all images whose rows are those of the shards, in their order.

    Args:
        group: The split.
        place: Where in it, here and in each shard.
        shape: Of one row.
        dtype: Of the values.
        shards: The files.
        fill: What other programs read where a file is missing.
    """
    created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    created.set_obj_track_times(False)
    created.set_fill_value(np.array(fill, dtype))
    full = (sum(shard.images for shard in shards), *shape)
    at = 0
    for shard in shards:
        count, none = (shard.images, *shape), (0,) * len(shape)
        here, there = h5py.h5s.create_simple(full), h5py.h5s.create_simple(count)
        here.select_hyperslab((at, *none), count)
        there.select_hyperslab((0, *none), count)  # as "all" it has no bounds when it is read back
        name = f"{group.name}/{place}".encode()
        created.set_virtual(here, os.fsencode(shard.file), name, there)
        at += shard.images
    linked = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    linked.set_create_intermediate_group(True)
    made = h5py.h5d.create(
        group.id,
        place.encode(),
        h5py.h5t.py_create(dtype),
        h5py.h5s.create_simple(full),
        created,
        lcpl=linked,
    )
    return h5py.Dataset(made)


def virtual_problems(dataset: h5py.Dataset, shards: Sequence[Shard]) -> Iterator[str]:
    """In what a virtual array says something else than the table of shards."""
    created = dataset.id.get_create_plist()
    if created.get_layout() != h5py.h5d.VIRTUAL:
        yield "should be virtual, as its images lie in shards"
    elif created.get_virtual_count() != len(shards):
        yield f"should lie in {len(shards)} shards; found {created.get_virtual_count()}"
    else:
        last = tuple(length - 1 for length in dataset.shape[1:])
        none = (0,) * len(last)
        at = 0
        for number, shard in enumerate(shards):
            end = at + shard.images
            mapped = (
                created.get_virtual_filename(number) == shard.file
                and created.get_virtual_dsetname(number) == dataset.name
                and _is_box(created.get_virtual_vspace(number), (at, *none), (end - 1, *last))
                and _is_box(
                    created.get_virtual_srcspace(number), (0, *none), (shard.images - 1, *last)
                )
            )
            if not mapped:
                yield f"should have the rows {at} to {end} in {shard.file}, and none elsewhere"
                return
            at = end


def _is_box(space: h5py.h5s.SpaceID, first: tuple[int, ...], last: tuple[int, ...]) -> bool:
    """Whether just what lies between two corners is chosen."""
    inside = int(np.prod([b - a + 1 for a, b in zip(first, last, strict=True)], dtype=object))
    found: tuple[Any, Any] = space.get_select_npoints(), space.get_select_bounds()
    return found == (inside, (first, last))


class Shards:
    """The shards of one split. It is picklable; each process opens files for itself.

    A shard is looked at as any store is, and compared with what the index says of it, when it is
    first read from; its being there and its length are looked at by `check_files`.

    Args:
        index: The index.
        split: Name of the split.
        form: What each shard has to have in common with the index: role, tasks, height and width,
            and whether images have sizes of their own.
        shards: The files, in order.
        believe: Do not compare tables with their digests.
    """

    def __init__(
        self,
        index: StorePath,
        split: str,
        form: tuple[Any, ...],
        shards: Sequence[Shard],
        *,
        believe: bool = False,
    ) -> None:
        self.index = index
        self.split, self.form, self.shards, self.believe = split, form, tuple(shards), believe
        self.starts = np.cumsum([0, *(shard.images for shard in shards)])
        self._opened: OrderedDict[int, Split] = OrderedDict()
        self._closed: dict[int, Split] = {}

    def __len__(self) -> int:
        return len(self.shards)

    def path(self, number: int) -> StorePath:
        """Where a shard lies: in the folder of the index."""
        name = self.shards[number].file
        if isinstance(self.index, Url):
            return self.index.beside(name)
        # A link to the index stands for it, not for its folder.
        return self.index.resolve().parent / name

    def check_files(self) -> None:
        """Look whether all are there, are files and were not cut off; open none.

        On object storage a look is a request: there, each is looked at when it is opened.

        Raises:
            StoreError: naming the first that is not.
        """
        if isinstance(self.index, Url):
            return
        for number in range(len(self)):
            self._check_file(number)

    def find(self, index: int, keys: Keys) -> tuple["Split", int]:
        """The split of the shard that has an image, and the place of the image in it.

        Args:
            index: The place of the image in the split.
            keys: Those of all images of the split.

        Raises:
            StoreError: where the shard is missing, broken, or another file than the index names.
        """
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.opened(number, keys), index - int(self.starts[number])

    def read(self, index: int, task: str | None, keys: Keys) -> NDArray[Any]:
        """One chunk, as `Split.read_stored` gives it; arguments and errors as of `find`."""
        with _reading:
            split, at = self.find(index, keys)
            return split.read_stored(at, task)

    def opened(self, number: int, keys: Keys) -> "Split":
        """The split that a shard holds; arguments and errors as of `find`."""
        with _reading:
            if number in self._opened:
                self._opened.move_to_end(number)
                return self._opened[number]
            # What was looked at once and closed is only opened again.
            split = self._closed.pop(number, None) or self._open(number, keys)
            self._opened[number] = split
            if len(self._opened) > _most():
                oldest, other = self._opened.popitem(last=False)
                other.handle.close()
                self._closed[oldest] = other
            return split

    def close(self) -> None:
        """Close all files of this process; they open again when they are needed."""
        with _reading:
            for split in self._opened.values():
                split.handle.close()
            self._closed |= self._opened
            self._opened.clear()

    def __getstate__(self) -> Mapping[str, Any]:
        return {
            **self.__dict__,
            "_opened": OrderedDict(),
            "_closed": {**self._closed, **self._opened},
        }

    def _open(self, number: int, keys: Keys) -> "Split":
        from mtdata.store.reader import Store

        self._check_file(number)
        store = Store(self.path(number), believe=self.believe)
        if store.seal != self.shards[number].seal:
            raise self._wrong(number, "it is another store: its seal differs from what was noted")
        split = store.splits.get(self.split)
        # A seal says that it is what was noted, not that what was noted can be.
        if len(store.splits) != 1 or split is None or split.shards is not None:
            raise self._wrong(number, f"it should hold the split {self.split} and no other")
        if len(split) != self.shards[number].images:
            raise self._wrong(number, f"it has {counted(len(split), 'image')}")
        if (split.role, store.tasks, split.size, split.padded) != self.form:
            raise self._wrong(number, "its role, tasks or sizes are others than those of the index")
        start, stop = self.starts[number : number + 2]
        if not np.array_equal(split.keys.data, keys.data[start:stop]):
            raise self._wrong(number, "its images are others than those of the index")
        del split.__dict__["keys"]  # those of the index are asked for; of the shard, in errors
        return split

    def _check_file(self, number: int) -> None:
        shard, path = self.shards[number], self.path(number)
        try:
            size = tag_of(path).size if isinstance(path, Url) else self._plain_size(path, number)
        except FileNotFoundError:
            raise self._wrong(number, "there is no such file") from None
        except StoreError:
            raise
        except OSError as error:
            raise self._wrong(number, str(error.strerror).lower()) from error
        if size < shard.bytes:
            raise self._wrong(
                number, f"it has {size:,} bytes of {shard.bytes:,}: it was cut off, or is another"
            )

    def _plain_size(self, path: Path, number: int) -> int:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a link" if stat.S_ISLNK(found.st_mode) else "no plain file"
            raise self._wrong(number, f"it is {kind}, and shards are files of the folder itself")
        return found.st_size

    def _wrong(self, number: int, found: str) -> StoreError:
        return StoreError(
            f"{self.path(number)} should be shard {number + 1} of {len(self)} of the split "
            f"{self.split} of {self.index}, with {self.shards[number].images:,} images; {found}. "
            f"{REMEDY}"
        )


def _most() -> int:
    """Shards of a split that a process has open at a time."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**10 if soft == resource.RLIM_INFINITY else max(4, soft // OPEN_SHARE)
