"""One finished sample: its place in the tables of a store, and its chunks."""

from dataclasses import dataclass

from mtdata.store.codec import Chunk
from mtdata.store.digest import ABSENT

NO_CAMERA = (float("nan"),) * 4


@dataclass(frozen=True)
class Cell:
    """An image or a label. A label that is not there has no pixels and no chunk."""

    digest: bytes = ABSENT
    valid_pixels: int = 0
    chunk: Chunk | None = None


@dataclass(frozen=True)
class Row:
    """One sample; `cells` are the image, then the tasks of the store in order.

    `size`, `source_size` are height and width, `crop` is top, left, height, width in the source,
    `camera` fx, fy, cx, cy in stored pixels. `lost` names the tasks whose label has valid pixels in
    the source and none at this size, `notes` what reading changed in the image; the store keeps
    neither.
    """

    key: str
    size: tuple[int, int]
    source_size: tuple[int, int]
    crop: tuple[int, int, int, int]
    camera: tuple[float, float, float, float]
    cells: tuple[Cell, ...]
    lost: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def chunk_bytes(self) -> int:
        """Bytes of all chunks."""
        return sum(len(cell.chunk.data) for cell in self.cells if cell.chunk is not None)
