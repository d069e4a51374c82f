"""The rows of a joined split, one at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtdata.merging.chunks import Chunks, ints
from mtdata.merging.join import JoinedSplit
from mtdata.merging.offers import NONE
from mtdata.store import Compression
from mtdata.store.row import NO_CAMERA, Cell, Row
from mtdata.store.writer import SplitRows
from mtdata.tasks.task import Task


@dataclass
class Counts:
    """How many chunks were taken as they are, and how many compressed anew."""

    copied: int = 0
    recoded: int = 0


@dataclass(frozen=True)
class Rows:
    """Makes the rows of a split that is joined.

    Args:
        split: Which cell comes from which input.
        tasks: The tasks of the joined store.
        compression: How its chunks are compressed.
        counts: Told about every chunk.
    """

    split: JoinedSplit
    tasks: tuple[Task, ...]
    compression: Compression
    counts: Counts
    _chunks: dict[tuple[int, int], Chunks] = field(default_factory=dict, init=False)

    def __iter__(self) -> Iterator[Row]:
        return (self._row(number) for number in range(len(self.split.keys)))

    def _row(self, number: int) -> Row:
        split = self.split
        image, at = split.source(int(split.cells[number, 0]), number)
        box, place = split.source(int(split.boxes[number]), number)
        camera: Any = NO_CAMERA
        if split.cameras[number] != NONE:
            known, row = split.source(int(split.cameras[number]), number)
            camera = tuple(map(float, known.cameras[row]))
        return Row(
            key=split.keys[number],
            size=ints(image.sizes[at]),
            source_size=ints(box.source_sizes[place]),
            crop=ints(box.crops[place]),
            camera=camera,
            cells=tuple(self._cell(number, column) for column in range(1 + len(self.tasks))),
        )

    def _cell(self, number: int, column: int) -> Cell:
        origin = int(self.split.cells[number, column])
        if origin == NONE:
            return Cell()
        _, row = self.split.source(origin, number)
        chunks = self._of(origin, column)
        raw = chunks.raw(row)
        self.counts.copied += raw
        self.counts.recoded += not raw
        return chunks.cell(row)

    def _of(self, origin: int, column: int) -> Chunks:
        found = self._chunks.get((origin, column))
        if found is None:
            source = self.split.inputs[origin]
            assert source is not None
            task = self.tasks[column - 1] if column else None
            found = Chunks(source, task, size=self.split.size, compression=self.compression)
            self._chunks[origin, column] = found
        return found


def split_rows(split: JoinedSplit, rows: Any, regimes: Mapping[str, Any]) -> SplitRows:
    """What is written of a joined split."""
    sizes = [source.sizes for source in split.inputs if source is not None]
    padded = any(bool((np.asarray(size) != split.size).any()) for size in sizes)
    return SplitRows(
        split.name, split.role, split.keys, split.size, padded, rows, regimes[split.name]
    )
