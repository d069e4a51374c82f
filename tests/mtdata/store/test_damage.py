"""What power failures, bad disks and copies that were cut leave: read exactly, or refused."""

import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from mtdata.building.build import build
from mtdata.errors import MtdataError, StoreError
from mtdata.inspecting.verify import verify
from mtdata.merging.merge import merge
from mtdata.store import open_store
from mtdata.store.codec import Compression
from tests.before import ROOMS
from tests.stores.fakes import FakeSource, fake_store
from tests.trust.stores import Found, content, outcome


def test_texts_of_before_that_have_no_end(tmp_path: Path) -> None:
    """HDF5 looks for ever for the end of a heap of zeros, and hears of no signal meanwhile."""
    path = tmp_path / "a.h5"
    data = bytearray(ROOMS.read_bytes())
    heap = data.index(b"GCOL")
    data[heap + 16 : heap + 1024] = bytes(1008)
    path.write_bytes(data)
    since = time.monotonic()
    found = outcome(path)
    assert isinstance(found, Found), found
    assert (found.content, found.fine) == (None, False)
    assert time.monotonic() - since < 20


def zeroed(path: Path, name: str, row: int) -> None:
    """Lose one chunk of an array."""
    with h5py.File(path) as file:
        array = file[name].id
        chunk = next(
            info for info in map(array.get_chunk_info, range(array.get_num_chunks()))
            if info.chunk_offset[0] == row
        )  # fmt: skip
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(bytes(chunk.size))


@pytest.mark.parametrize("compression", ["blosc", "gzip", "none"])
def test_an_image_that_was_lost_is_not_black(tmp_path: Path, compression: Compression) -> None:
    """Nor is it handed on by a merge."""
    path = tmp_path / "a.h5"
    build(FakeSource(images=(3, 1)), path, size=(12, 16), compression=compression)
    zeroed(path, "train/image", 1)
    split = open_store(path).split("train")
    split.read(0, [])
    with pytest.raises(StoreError, match=r"train/0002 (does not match|cannot be read)"):
        split.read(1, [])
    found = [problem.where for problem in verify(path).problems]
    assert found == ["train/0002/image"]
    other = tmp_path / "b.h5"
    build(FakeSource(images=(2, 1), seed=1, salt="b"), other, size=(12, 16))
    with pytest.raises(MtdataError):
        merge([path, other], tmp_path / "c.h5")


def test_void_pixels_that_became_a_class(tmp_path: Path) -> None:
    """Fletcher's checksum is the same for 0xffff and 0x0000: void, and class 0."""
    path = tmp_path / "a.h5"
    build(FakeSource(images=(3, 1)), path, size=(12, 16), compression="none")
    with h5py.File(path) as file:
        array = file["train/label/semantic"]
        chunk = array.id.get_chunk_info(0)
        row = chunk.chunk_offset[0]
        void = (array[row].reshape(-1, 2) == 255).all(axis=1)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset + 2 * int(np.flatnonzero(void)[0]))
        raw.write(bytes(2))
    split = open_store(path).split("train")
    with pytest.raises(StoreError, match=r"label `semantic` of .* does not match its digest"):
        split.read(row, ["semantic"])
    split.read(row, [])


def test_an_image_that_is_black_is_black(tmp_path: Path) -> None:
    from tests.stores.changed import changed_store, repaint

    path = changed_store(tmp_path / "a.h5", repaint("0001"))
    assert verify(path).ok
    open_store(path).split("train").read(0, [])


def test_a_regime_that_was_lost_is_not_empty(tmp_path: Path) -> None:
    path = fake_store(tmp_path)
    zeroed(path, "train/regime/one", 0)
    with pytest.raises(StoreError, match="the regime one does not match its digest"):
        open_store(path)
    assert ("train/regime/one", "does not match its digest") in verify(path).problems


@pytest.mark.parametrize("table", ["key", "valid_pixels", "crop", "source_size", "camera"])
def test_a_table_that_was_lost(tmp_path: Path, table: str) -> None:
    path = fake_store(tmp_path)
    zeroed(path, f"train/{table}", 0)
    assert (f"train/{table}", "does not match its digest") in verify(path).problems
    with pytest.raises(StoreError, match=f"the table {table} does not match its digest"):
        content(path)
