"""The chunks of one array of a store, and the rows of a split, as another store wants them."""

from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from mtdata.store import COMPRESSIONS, Compression, Split
from mtdata.store import format as layout
from mtdata.store.codec import Chunk, encode, filters, pad
from mtdata.store.opening.file import broken
from mtdata.store.row import NO_CAMERA, Cell, Row
from mtdata.store.writer import IMAGE_TYPE
from mtdata.tasks.task import Task
from mtdata.urls import StorePath

Pipeline = tuple[tuple[int, int, tuple[int, ...]], ...]


class Chunks:
    """Gives chunks as they are where codec and size agree; else it decodes and encodes again.

    Args:
        split: Where they are.
        task: Of which label; None for the image.
        size: Height and width that they should have.
        compression: How they should be compressed.
    """

    def __init__(
        self, split: Split, task: Task | None, *, size: tuple[int, int], compression: Compression
    ) -> None:
        self.split, self.size = split, size
        self.name = None if task is None else task.name
        self.void = 0 if task is None else task.kind.storage()["void"]
        shape, dtype = (
            ((*size, 3), IMAGE_TYPE) if task is None else layout.stored_form(task.kind, size)
        )
        self.options = filters(compression, dtype, image=task is None)
        self._wanted = _pipeline_of(shape, dtype, self.options)
        self._raw: dict[StorePath, bool] = {}

    def raw(self, index: int) -> bool:
        """Whether the chunk of a sample is given as it is."""
        part, _ = self.split.part(index)
        path = part.handle.path
        if path not in self._raw:
            found = pipeline(part.dataset(self.name))
            self._raw[path] = part.size == self.size and found == self._wanted
        return self._raw[path]

    def chunk(self, index: int) -> Chunk:
        """The chunk of one sample.

        Raises:
            StoreError: where it cannot be read.
        """
        if self.raw(index):
            return self._copied(*self.split.part(index))
        stored = self.split.read_true(index, self.name)
        return encode(pad(stored, self.size, self.void), self.options)

    def cell(self, index: int) -> Cell:
        """The cell of one sample; it has no chunk where a label has no valid pixel.

        Raises:
            StoreError: where it cannot be read.
        """
        split, column = self.split, 0 if self.name is None else 1 + self.split.column(self.name)
        pixels = split.valid_pixels[index, column - 1] if column else split.sizes[index].prod()
        chunk = self.chunk(index) if pixels else None
        return Cell(split.digests[index, column].tobytes(), int(pixels), chunk)

    def _copied(self, part: Split, index: int) -> Chunk:
        part.read_stored(index, self.name)  # what is broken is not handed on
        dataset = part.dataset(self.name)
        try:
            mask, data = dataset.id.read_direct_chunk((index,) + (0,) * (dataset.ndim - 1))
        except (OSError, RuntimeError) as error:
            what = f"{part.name}/{part.keys[index]}/{self.name or layout.IMAGE}"
            raise broken(part.handle.path, f"{what} has no data ({error})") from error
        return Chunk(mask, bytes(data))


class CopiedRows:
    """The rows of a split of a store, as another store wants them.

    Args:
        split: Where they are.
        size: Height and width that they should have.
        compression: How their chunks should be compressed.
    """

    def __init__(self, split: Split, size: tuple[int, int], compression: Compression) -> None:
        self.split = split
        self._chunks = [
            Chunks(split, task, size=size, compression=compression) for task in (None, *split.tasks)
        ]

    def row(self, index: int) -> Row:
        """One row, its chunks as they are where they can be.

        Raises:
            StoreError: where it cannot be read.
        """
        split = self.split
        camera = split.camera(index)
        return Row(
            key=split.keys[index],
            size=ints(split.sizes[index]),
            source_size=ints(split.source_sizes[index]),
            crop=ints(split.crops[index]),
            camera=NO_CAMERA if camera is None else (camera.fx, camera.fy, camera.cx, camera.cy),
            cells=tuple(chunks.cell(index) for chunks in self._chunks),
        )


def ints(values: NDArray[np.int32]) -> Any:
    """A row of a table, as a `Row` has it."""
    return tuple(map(int, values))


def pipeline(dataset: h5py.Dataset) -> Pipeline:
    """The filters of an array with all their settings."""
    created = dataset.id.get_create_plist()
    filters = (created.get_filter(i) for i in range(created.get_nfilters()))
    return tuple((code, flags, tuple(values)) for code, flags, values, _ in filters)


def compression_of(split: Split) -> Compression | None:
    """How the images of a split are compressed; None where it is no way of this program."""
    dataset = split.part(0)[0].dataset(None)
    found = pipeline(dataset)
    for name in COMPRESSIONS:
        options = filters(name, IMAGE_TYPE, image=True)
        if _pipeline_of(dataset.shape[1:], IMAGE_TYPE, options) == found:
            return name
    return None


def _pipeline_of(shape: tuple[int, ...], dtype: np.dtype[Any], options: Any) -> Pipeline:
    with h5py.File("probe", "w", driver="core", backing_store=False) as file:
        full = (1, *shape)
        return pipeline(file.create_dataset("x", full, dtype, chunks=full, **options))
