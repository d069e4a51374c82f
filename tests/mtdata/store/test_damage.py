"""What power failures, bad disks and copies that were cut leave: read exactly, or refused."""

import hashlib
import os
import pickle
import signal
import time
from pathlib import Path
from typing import Any

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
from tests.fakes import FakeSource, fake_store
from tests.quick import few

Places = list[tuple[int, int]]
SECONDS = 10
KINDS = ("cut", "flip", "zeros", "block", "chunk", "flip beside the chunks", "zeros beside them")


def content(path: Path) -> dict[Any, Any]:
    """All that can be read of a store."""
    found: dict[Any, Any] = {}
    with open_store(path) as store:
        about = (store.dataset_name, store.created, store.tool, store.options, store.tasks)
        digests = (store.source_digest, store.content_digest, store.default_regime)
        found["store"] = about, digests
        names = [task.name for task in store.tasks]
        for name, split in store.splits.items():
            tables = (split.sizes, split.source_sizes, split.crops, split.cameras, split.digests)
            found[name] = (
                split.role, split.size, tuple(split.keys), split.valid_pixels.tobytes(),
                [table.tobytes() for table in tables],
                {
                    n: (r.kind, r.parameters, r.seed, r.origin, r.labels.tobytes())
                    for n, r in split.regimes.items()
                },
            )  # fmt: skip
            for index in range(len(split)):
                stored = split.fetch(index, names)
                arrays = {"": stored.image, **stored.labels}
                found[name, index] = (
                    stored.key,
                    {
                        n: hashlib.sha256(np.ascontiguousarray(a).data).digest()
                        for n, a in arrays.items()
                    },
                )
    return found


def places(path: Path) -> Places:
    """Where chunks begin, and how long they are."""
    found: Places = []

    def take(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            item.id.chunk_iter(lambda chunk: found.append((chunk.byte_offset, chunk.size)))

    with h5py.File(path) as file:
        file.visititems(take)
    return found


def damaged(whole: bytes, chunks: Places, kind: str, rng: np.random.Generator) -> bytes:
    """One of the ways in which files are damaged."""
    outside = np.ones(len(whole), bool)
    for place, size in chunks:
        outside[place : place + size] = False
    beside = np.flatnonzero(outside)
    place = int(rng.choice(beside) if "beside" in kind else rng.integers(len(whole)))
    data = bytearray(whole)
    if kind == "cut":
        return whole[:place]
    if kind.startswith("flip"):
        data[place] ^= 1 << int(rng.integers(8))
        return bytes(data)
    size = int(rng.choice([4, 16, 64, 512, 4096]))
    if kind == "block":
        size = 512
        place -= place % size
    elif kind == "chunk":
        place, size = chunks[int(rng.integers(len(chunks)))]
    data[place : place + size] = bytes(min(size, len(data) - place))
    return bytes(data)


def outcome(path: Path) -> tuple[Any, bool]:
    """What reading all of it gives, or "refused", and whether `verify` is content.

    In a process of its own, as a crash or a loop of HDF5 would take this one along.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(2 * SECONDS)
        found: Any
        try:
            found = content(path)
        except MtdataError:
            found = "refused"
        except BaseException as error:
            found = f"{type(error).__name__}: {error}"
        try:
            fine = verify(path).ok
        except MtdataError:
            fine = False
        with os.fdopen(write, "wb") as pipe:
            pickle.dump((found, fine), pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    status = os.waitpid(child, 0)[1]
    assert not status, f"ended by signal {status}"
    answer: tuple[Any, bool] = pickle.loads(data)
    return answer


@pytest.mark.parametrize("compression", few(["blosc", "none"], ["blosc"]))
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_stores(tmp_path: Path, kind: str, compression: Compression) -> None:
    path = tmp_path / "a.h5"
    build(FakeSource(images=(2, 1)), path, size=(12, 16), compression=compression)
    whole, chunks, truth = path.read_bytes(), places(path), content(path)
    rng = np.random.default_rng(0)
    for _ in range(3):
        path.write_bytes(damaged(whole, chunks, kind, rng))
        found, fine = outcome(path)
        assert found in (truth, "refused")
        assert fine == (found == truth) or path.read_bytes() == whole


@pytest.mark.parametrize("text", ["dataset", "tool", "tasks", "default_regime", "content_digest"])
def test_bits_of_texts(tmp_path: Path, text: str) -> None:
    path = fake_store(tmp_path)
    whole = path.read_bytes()
    with h5py.File(path) as file:
        value = bytes(file.attrs[text])
    place = whole.index(value)
    rng = np.random.default_rng(0)
    for _ in range(4):
        data = bytearray(whole)
        data[place + int(rng.integers(len(value)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        with pytest.raises(StoreError):
            open_store(path)


def test_texts_of_before_that_have_no_end(tmp_path: Path) -> None:
    """HDF5 looks for ever for the end of a heap of zeros, and hears of no signal meanwhile."""
    path = tmp_path / "a.h5"
    data = bytearray(ROOMS.read_bytes())
    heap = data.index(b"GCOL")
    data[heap + 16 : heap + 1024] = bytes(1008)
    path.write_bytes(data)
    since = time.monotonic()
    assert outcome(path) == ("refused", False)
    assert time.monotonic() - since < 2 * SECONDS


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
    from tests.changed import changed_store, repaint

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
