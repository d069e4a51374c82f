"""The open store of one process."""

import zlib
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.errors import StoreError
from mtdata.lazy_file import LazyFile
from mtdata.store import format as layout
from mtdata.store.opening.file import Identity, StoreFile, identity, open_file, steadily, view
from mtdata.store.opening.look import BLOSC, CHUNKS, DEFLATE, FLETCHER, pipeline_of
from mtdata.urls import StorePath

SPARSE = 4093
_BLOSC_HEAD = Struct("<4xIII")
"""Of a chunk of Blosc: bytes that it becomes, bytes of a block, bytes that it is."""
LOST = "does not match its digest: data was lost, as by a power failure or a copy of holes"


class Handle(LazyFile[StoreFile]):
    """Opens a store on first use in each process.

    Args:
        path: The file, or its URL.

    A store may be replaced while a program runs (a regime is added); a process that opens it later
    accepts the new file only if it holds the same data: StoreError where it cannot be opened, or
    holds other data than before.
    """

    def __init__(self, path: StorePath) -> None:
        super().__init__()
        self.path = path
        self.content_digest: str | None = None
        """What the file should hold; None to take what is found at first."""
        self.looked_at: Identity | None = None
        """The file that was looked at, which need not be looked at again."""
        self._rows: dict[str, Rows] = {}
        self._opened: h5py.File | None = None

    def rows(self, place: str, *, added: str | None = None) -> "Rows":
        """An array of the file, for reading row by row.

        Args:
            place: Where it is.
            added: The digest of the added labels that it is part of; None for other arrays, which
                are what they were while the content is.

        Raises:
            KeyError: where there is none.
            StoreError: where others were added in the place of these.
        """
        file = self.file
        if self._opened is not file:
            self._rows, self._opened = {}, file
        # The file may be closed, and what is known of it dropped, by another thread.
        known = self._rows
        if place not in known:
            if added is not None and _digest_of(file[place].parent) != added:
                raise StoreError(
                    f"{self.path} was replaced while it was in use, and {place} are other labels "
                    "than when it was opened first. Start again."
                )
            known[place] = Rows(file[place], file.pread)
        return known[place]

    def expect(self, index: int, places: Iterable[str]) -> None:
        """Ask for the chunks of some arrays that are read next, by as few requests as can be.

        Nothing is done of a file of this machine.

        Raises:
            StoreError: where its server does not give them.
        """
        remote = self.file.remote
        if remote is None:
            return
        try:
            found = [self.rows(place).range_of(index) for place in places]
        except StoreError:
            raise
        except (OSError, KeyError, RuntimeError):
            return  # whoever reads it tells which
        remote.expect(each for each in found if each is not None)

    def close(self) -> None:
        """Close the file of this process; it opens again when it is needed."""
        self._rows, self._opened = {}, None
        super().close()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_rows": {}, "_opened": None}

    def _open(self) -> StoreFile:
        present = identity(self.path)
        if present is None or present != self.looked_at:
            steadily(self.path, self._look)
            self.looked_at = present
        file = open_file(self.path)
        found = str(layout.plain(file.attrs.get("content_digest")))
        if self.content_digest is None:
            self.content_digest = found
        if found != self.content_digest:
            file.close()
            raise StoreError(
                f"{self.path} was replaced while it was in use, and holds other data than when it "
                f"was opened first: its content digest was {self.content_digest[:12]}..., now "
                f"{found[:12]}... . Start again."
            )
        return file

    def _look(self) -> None:
        with view(self.path):
            pass


def _digest_of(group: h5py.Group) -> str:
    return str(layout.plain(group.attrs.get(layout.SHA256)))


class Rows:
    """Reads rows of an array by the calls of HDF5 itself.

    To open the array and to index it take as long as reading a chunk; here the array stays open and
    what is known of it is asked once.

    Args:
        dataset: An array whose first axis counts the rows.
        pread: Reads so many bytes at a place of its file.
    """

    def __init__(self, dataset: h5py.Dataset, pread: Callable[[int, int], bytes]) -> None:
        self._id, self._shape, self._dtype = dataset.id, dataset.shape[1:], dataset.dtype
        self._count = (1, *self._shape)
        self._row = h5py.h5s.create_simple(self._count)
        self._space = dataset.id.get_space()
        self._rest = (0,) * len(self._shape)
        self._filters = pipeline_of(dataset)
        self._weak = len(self._filters) == 1
        self._bytes = int(np.prod(self._shape)) * self._dtype.itemsize
        self._pread = pread
        self._chunks: dict[int, Any] = {}
        self._fits = bytearray(len(dataset))  # asked at every read, in half the time of an array

    def look(self, index: int) -> tuple[NDArray[Any], bool]:
        """One row, and whether it has to be compared with its digest; raises as `read` does."""
        array = self.read(index)
        return array, self.doubtful(index, array)

    def doubtful(self, index: int, array: NDArray[Any]) -> bool:
        """Whether a row that was read may be what a loss left, for all that its checksum says.

        Fletcher's is the same for `0xffff` and `0x0000`. Where nothing but it stands over the
        values, any of them may be zeros in place of others. A row that is compressed is doubtful
        where nothing is left of its chunk. One value that is not zero says that something is: the
        one in the middle is looked at, then few, then all.
        """
        if self._weak:
            return True
        if array.item(array.size // 2) or array.ravel()[::SPARSE].any() or array.any():
            return False
        return not self._has_data(index)

    def _has_data(self, index: int) -> bool:
        """Whether the chunk of a row, before it is decoded, is there and is more than zeros."""
        try:
            return any(self._id.read_direct_chunk((index, *self._rest))[1])
        except (OSError, RuntimeError):
            return False

    def read(self, index: int) -> NDArray[Any]:
        """One row; raises what HDF5 raises where it cannot be read."""
        self.check(index)
        array = np.empty(self._shape, self._dtype)
        # Between choosing and reading another thread may choose: each read has a choice of its own.
        chosen = self._space.copy()
        chosen.select_hyperslab((index, *self._rest), self._count)
        self._id.read(self._row, chosen, array)
        return array

    def check(self, index: int) -> None:
        """Refuse a chunk that does not become as long as a row; looked at once in a process.

        HDF5 does not ask: behind one that is too short it reads on in the memory of the process,
        and one that has no end it inflates until there is no more memory.

        Raises:
            OSError: where it is longer or shorter.
        """
        if self._fits[index]:
            return
        _, mask, place, size = self._chunk(index)
        if place is None:
            return
        applied = self._filters
        if mask:  # HDF5 leaves out a filter that makes a chunk no smaller, and has a bit for each
            applied = tuple(each for i, each in enumerate(applied) if not mask >> i & 1)
        held = becomes = size - 4 * (FLETCHER in applied)
        if BLOSC in applied:
            # Its own length and that of what it becomes; that it was cut is as wrong.
            head = self._pread(_BLOSC_HEAD.size, place)
            becomes, _, length = _BLOSC_HEAD.unpack(head.ljust(_BLOSC_HEAD.size))
            if length > held:
                becomes = 0
        elif DEFLATE in applied:
            try:
                stream = self._pread(held, place)
                becomes = len(zlib.decompressobj().decompress(stream, self._bytes + 1))
            except zlib.error:
                return  # HDF5 has a word for it
        if becomes != self._bytes:
            raise OSError(f"its chunk becomes {becomes} bytes, or more; a row has {self._bytes}")
        self._fits[index] = 1

    def range_of(self, index: int) -> tuple[int, int] | None:
        """Where the chunk of a row begins and ends in the file; None where there is none."""
        _, _, place, size = self._chunk(index)
        return None if place is None else (place, place + size)

    def _chunk(self, index: int) -> Any:
        if not self._chunks and len(self._fits) <= CHUNKS:  # all at once is quicker than each
            found: list[Any] = []
            self._id.chunk_iter(found.append)
            self._chunks = {one.chunk_offset[0]: one for one in found}
        return self._chunks.get(index) or self._id.get_chunk_info_by_coord((index, *self._rest))


def why_unread(error: BaseException | None) -> str:
    """What reading a chunk failed at: HDF5 has one kind of error for all of it."""
    if isinstance(error, KeyError):
        return "is missing"
    text = str(error)
    if "checksum" in text or "filter returned failure" in text:
        return "does not match its checksum: a bit of it has changed"
    return f"cannot be read ({text.strip().rstrip('.')})"
