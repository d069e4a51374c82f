"""A batch as one block of memory, the way it goes from a reading process to the trainer."""

from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from mtdata.reading.batch import Batch
from mtdata.tasks.sample import Camera, Extent

ALIGNED = 64
"""Every tensor begins at a multiple of this, in bytes."""
FIELDS = ("labels", "valid", "rows")


class Entry(NamedTuple):
    """A tensor of the batch: whose it is, and how it lies in the block."""

    field: str
    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    start: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + prod(self.shape) * self.dtype.itemsize

    def of(self, block: Tensor) -> Tensor:
        """The tensor, without a copy."""
        flat = block[self.start : self.end].view(self.dtype)
        return flat.as_strided(self.shape, self.stride)


@dataclass(frozen=True)
class Parcel:
    """What `pack` makes of a batch and `unpack` makes a batch of.

    Each tensor that is sent between processes on its own takes a handle, a connection and pages of
    its own, which takes longer than to read what is in it.
    """

    keys: tuple[str, ...]
    entries: tuple[Entry, ...]
    block: Tensor
    extents: tuple[Extent, ...] | None = None
    cameras: tuple[Camera | None, ...] | None = None

    def unpack(self) -> Batch:
        """The batch; its tensors share the block."""
        found: dict[str, dict[str, Tensor]] = {field: {} for field in ("image", *FIELDS)}
        for entry in self.entries:
            found[entry.field][entry.name] = entry.of(self.block)
        labels, valid, rows = (found[field] for field in FIELDS)
        image = found["image"][""]
        return Batch(self.keys, image, labels, valid, rows, self.extents, self.cameras)

    def pin_memory(self) -> "Parcel":
        """The same in page-locked memory; the data loader calls this."""
        return replace(self, block=self.block.pin_memory())


def pack(batch: Batch) -> Parcel:
    """Copy a batch into one block that processes can share."""
    tensors = [("image", "", batch.image)]
    for field in FIELDS:
        tensors += [(field, name, tensor) for name, tensor in getattr(batch, field).items()]
    entries: list[Entry] = []
    start = 0
    for field, name, tensor in tensors:
        entry = Entry(field, name, tensor.dtype, tuple(tensor.shape), tensor.stride(), start)
        entries.append(entry)
        start = -(-entry.end // ALIGNED) * ALIGNED
    # In shared memory from the start, as torch's own collation has it, to copy only once.
    storage = torch.UntypedStorage._new_shared(start, device="cpu")
    block = torch.empty(0, dtype=torch.uint8).set_(storage)
    for entry, (_, _, tensor) in zip(entries, tensors, strict=True):
        entry.of(block).copy_(tensor)
    return Parcel(batch.keys, tuple(entries), block, batch.extents, batch.cameras)
