"""A chunk becomes as long as a row, or is refused: HDF5 reads on in memory, or without end."""

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from mtdata.building.build import build
from mtdata.errors import StoreError
from mtdata.inspecting.verify import verify
from mtdata.store import format as layout
from mtdata.store import open_store
from mtdata.store.codec import Compression, encode, filters, in_memory
from tests.stores.fakes import FakeSource, fake_store

PLACE = "train/image"


def replaced(path: Path, data: bytes, mask: int = 0) -> None:
    """Put other bytes in the place of the chunk of the first image."""
    with h5py.File(path, "r+", libver=layout.LIBRARY) as file:
        file[PLACE].id.write_direct_chunk((0, 0, 0, 0), data, filter_mask=mask)


def checked(data: bytes) -> bytes:
    """Bytes with the checksum that HDF5 makes of them."""
    with in_memory() as file:
        array = file.create_dataset(
            "x", data=np.frombuffer(data, np.uint8)[None], chunks=(1, len(data)), fletcher32=True
        )
        return bytes(array.id.read_direct_chunk((0, 0))[1])


def short(compression: Compression, values: int) -> bytes:
    """A chunk as HDF5 makes it of fewer values than a row has."""
    return encode(
        np.full(values, 7, np.uint8), filters(compression, np.dtype("u1"), image=True)
    ).data


def endless() -> bytes:
    """A few hundred bytes that inflate to half a million."""
    return checked(zlib.compress(bytes(500_000), 9))


CASES: dict[str, tuple[Compression, bytes]] = {
    "blosc, short": ("blosc", short("blosc", 500)),
    "gzip, short": ("gzip", short("gzip", 500)),
    "gzip, endless": ("gzip", endless()),
    "blosc, cut": ("blosc", checked(short("blosc", 576)[:-8])),
    "none, short": ("none", checked(bytes(2))),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_chunk_becomes(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a store of so many chunks that none is looked at when it is opened, as well."""
    compression, data = CASES[name]
    path = tmp_path / "a.h5"
    build(FakeSource(images=(3, 1)), path, size=(12, 16), compression=compression)
    key = open_store(path).split("train").keys[0]
    replaced(path, data)
    monkeypatch.setattr("mtdata.store.opening.look.CHUNKS", 0)
    split = open_store(path).split("train")
    with pytest.raises(StoreError, match=rf"the image of train/{key} cannot be read \(its chunk"):
        split.read(0, [])
    split.read(1, [])
    assert not verify(path).ok


def test_a_chunk_that_no_filter_was_used_on(tmp_path: Path) -> None:
    """HDF5 leaves one as it is where compressing makes it no smaller."""
    path = fake_store(tmp_path)
    with h5py.File(path) as file:
        array = file[PLACE][0]
    replaced(path, checked(array.tobytes()), mask=1)
    np.testing.assert_array_equal(open_store(path).split("train").fetch(0, []).image, array)
    replaced(path, checked(array.tobytes()[:-2]), mask=1)
    with pytest.raises(StoreError):
        open_store(path).split("train").fetch(0, [])
