"""Chunks of HDF5 that inflate without end, found before HDF5 inflates them.

HDF5 inflates a chunk to wherever its stream ends, and looks at its length afterwards.
"""

import zlib
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from mtdata.errors import SampleError

if TYPE_CHECKING:
    import h5py

LIMIT = 256 * 2**20
"""Bytes that a chunk may inflate to; one that cannot by its stored size is not looked at."""
RATIO = 1032
"""Deflate makes at most so many bytes of one."""


def check_chunks(array: "h5py.Dataset", index: int, path: Path) -> None:
    """Refuse chunks with parts of `array[index]` that inflate beyond `LIMIT`.

    Raises:
        SampleError: naming file and array.
    """
    if array.chunks is None:
        return
    whole = prod(array.chunks) * array.dtype.itemsize
    if whole > LIMIT:
        raise _too_large(array, path, f"it says {whole / 2**20:.0f} MiB")
    if array.compression != "gzip":
        return
    for part in array.iter_chunks((slice(index, index + 1), *map(slice, array.shape[1:]))):
        corner = tuple(
            place.start // size * size for place, size in zip(part, array.chunks, strict=True)
        )
        stored = array.id.get_chunk_info_by_coord(corner).size
        if stored * RATIO > LIMIT:
            _, content = array.id.read_direct_chunk(corner)
            if _endless(content, whole):
                raise _too_large(array, path, "it inflates without end")


def _endless(content: bytes, whole: int) -> bool:
    """Whether a deflated chunk goes on after all that a chunk holds."""
    try:
        return len(zlib.decompressobj().decompress(content, whole + 1)) > whole
    except zlib.error:  # what is broken is found when it is read
        return False


def _too_large(array: "h5py.Dataset", path: Path, found: str) -> SampleError:
    return SampleError(
        path,
        f"a chunk of `{array.name.lstrip('/')}` should inflate to its own size, and to "
        f"{LIMIT / 2**20:.0f} MiB at most; {found}.",
        "This is not the published file: download it again.",
    )
