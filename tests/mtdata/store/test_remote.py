"""Stores at URLs: every sample as it is in the file, few requests, and one clear error."""

import gc
import os
import pickle
import shutil
import socket
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import fsspec
import h5py
import numpy as np
import pytest

from mtdata import Loader
from mtdata.building.build import build
from mtdata.errors import (
    BrokenStoreError,
    MissingError,
    StoreError,
    UnreachableError,
    UsageError,
)
from mtdata.inspecting.verify import verify
from mtdata.merging.shard import shard
from mtdata.store import Store, add_regime, open_store
from mtdata.store.edit import set_default_regime
from mtdata.store.opening import remote
from mtdata.store.opening.file import view
from mtdata.store.regime_summary import export_regime
from mtdata.urls import Url
from tests.processes.served import Served, serving
from tests.stores.fakes import FakeSource, fake_store
from tests.stores.store_files import same_samples

IMAGES = (9, 3)
LIMIT = 60
"""Seconds that no thread waits."""
NAMES = ("fake.h5", "fake/fake.h5")
"""A store of one file, and one in shards."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    shard(fake_store(folder, images=IMAGES), images=4)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """Stores to do harm to."""
    return Path(shutil.copytree(made, tmp_path / "stores"))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait before a further try, nothing known from the test before, no proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(remote, "WAITS", (0.0, 0.0))
    monkeypatch.setattr(remote, "KNOWN", 0.0)
    remote._blocks.clear()
    monkeypatch.setattr(remote, "_spans", ())


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    with serving(folder) as found:
        yield found


def _told(error: Exception, *words: str) -> str:
    """Whether an error is one paragraph with some words."""
    text = str(error)
    assert "\n" not in text
    assert text.endswith((".", ")"))
    for word in words:
        assert word in text
    return text


@pytest.mark.parametrize("name", NAMES)
def test_every_sample_is_that_of_the_file(served: Served, folder: Path, name: str) -> None:
    with open_store(folder / name) as one, open_store(served.url(name)) as other:
        assert other.length == one.length
        same_samples(one, other)
        again: Store = pickle.loads(pickle.dumps(other))
        same_samples(one, again)
        again.close()
        assert verify(served.url(name)) == verify(folder / name)


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_every_compression(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "fake.h5"
    build(FakeSource(images=(3, 1)), path, compression=compression)
    with (
        serving(tmp_path) as served,
        open_store(path) as one,
        open_store(served.url(path.name)) as other,
    ):
        same_samples(one, other)


@pytest.mark.parametrize("name", NAMES)
def test_what_lies_in_memory(folder: Path, name: str) -> None:
    memory = fsspec.filesystem("memory")
    for file in folder.rglob("*.h5"):
        memory.pipe_file(f"/stores/{file.relative_to(folder)}", file.read_bytes())
    with open_store(folder / name) as one, open_store(f"memory://stores/{name}") as other:
        same_samples(one, other)
    memory.rm("/stores", recursive=True)
    with pytest.raises(MissingError, match="there is no such file"):
        open_store(f"memory://stores/{name}")


def test_a_path_may_be_written_as_a_url(folder: Path) -> None:
    with open_store(f"file://{folder}/fake.h5") as store:
        assert store.path == folder / "fake.h5"


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("name", NAMES)
def test_batches_are_those_of_the_file(
    served: Served, folder: Path, name: str, workers: int
) -> None:
    """Workers are forked from a process that has read there itself."""
    found = []
    for place in (folder / name, served.url(name)):
        with open_store(place) as store:
            store.split("train").read(0, ["depth"])
            loader = Loader(store.dataset("train"), 3, shuffle=True, workers=workers)
            found.append([batch for _ in range(2) for batch in loader])
    for one, other in zip(*found, strict=True):
        assert one.keys == other.keys
        np.testing.assert_array_equal(one.image, other.image)
        for task in one.labels:
            np.testing.assert_array_equal(one.labels[task], other.labels[task])


def test_threads_share_a_store(served: Served, folder: Path) -> None:
    order = [int(i) for i in np.random.default_rng(0).integers(IMAGES[0], size=40)]
    with open_store(folder / NAMES[1]) as one, open_store(served.url(NAMES[1])) as other:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda i: other.split("train").read_stored(i, None), order))
        for index, image in zip(order, found, strict=True):
            np.testing.assert_array_equal(image, one.split("train").read_stored(index, None))


def test_few_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening takes some, a sample one, and a pass over all of them fewer than there are."""
    monkeypatch.setattr(remote, "KNOWN", 60.0)
    path, source = tmp_path / "fake.h5", FakeSource(images=(40, 2), missing=0)
    build(source, path, size=(120, 160), compression="none")
    with serving(tmp_path) as served, open_store(served.url(path.name)) as store:
        split, tasks = store.split("train"), [task.name for task in store.tasks]
        length = path.stat().st_size
        assert split.labelled.all()
        split.fetch(0, tasks)
        assert served.gets() <= 6
        assert served.bytes < length / 4
        for index in (30, 11, 21, 5, 35):
            before, bytes_before = served.gets(), served.bytes
            split.fetch(index, tasks)
            assert served.gets() == before + 1
            assert served.bytes - bytes_before < 1.2 * length / 42
        before = served.gets()
        for index in range(40):
            split.fetch(index, tasks)
        assert served.gets() - before <= 4 + length / remote.AHEAD
        before = len(served.asked)
        with open_store(served.url(path.name)) as again:
            again.split("train").keys.index(split.keys[3])
        assert len(served.asked) == before  # it is known from before


def test_shards_are_asked_for_when_they_are_read(served: Served) -> None:
    with open_store(served.url(NAMES[1])) as store:
        assert not any("-train-" in name for _, name, _ in served.asked)
        store.split("train").read(5, ["depth"])
    assert {name for _, name, _ in served.asked if "-train-" in name} == {
        "fake/fake-train-00001.h5"
    }


def test_names_and_queries_of_urls(folder: Path) -> None:
    (folder / "fake").rename(folder / "a b#c")
    (folder / "a b#c" / "fake.h5").rename(folder / "a b#c" / "ü 1.h5")
    with serving(folder) as served:
        url = Url(served.url("a%20b%23c/%C3%BC%201.h5?sig=s3cret"))
        assert (url.name, url.stem) == ("ü 1.h5", "ü 1")
        assert url.beside("x y.h5").text.endswith("/a%20b%23c/x%20y.h5?sig=s3cret")
        assert "s3cret" not in f"{url} {url!r}"


MISSES = {
    404: (MissingError, "there is no such file"),
    403: (StoreError, "refuses it (403)"),
    401: (StoreError, "Give credentials"),
    500: (UnreachableError, "the status 500"),
    503: (UnreachableError, "after 3 tries"),
    400: (StoreError, "the status 400"),
}


@pytest.mark.parametrize("status", MISSES)
def test_a_server_that_refuses(served: Served, status: int) -> None:
    served.status = status
    kind, words = MISSES[status]
    with pytest.raises(kind) as caught:
        open_store(served.url("fake.h5"))
    _told(caught.value, words, served.url("fake.h5"))
    assert isinstance(caught.value, UnreachableError) == (status >= 500)


def test_a_reason_that_passes(served: Served, folder: Path) -> None:
    with open_store(served.url("fake.h5")) as store:
        served.spoilt = 2
        image = store.split("train").read_stored(7, None)
    with open_store(folder / "fake.h5") as one:
        np.testing.assert_array_equal(image, one.split("train").read_stored(7, None))


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/fake.h5"
        with pytest.raises(UnreachableError) as caught:
            open_store(url)
    _told(caught.value, url, "Cannot connect")


def test_a_server_that_is_silent(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "SILENCE", 0.2)
    monkeypatch.setattr(remote, "WAITS", ())
    served.silent = 2.0
    before = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        open_store(served.url("fake.h5"))
    assert time.monotonic() - before < 2.0
    _told(caught.value, "does not answer within 0.2 s")


def test_a_server_without_ranges(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BLOCK", 4096)
    with serving(folder, ranges=False) as served:
        with pytest.raises(StoreError) as caught:
            open_store(served.url("fake.h5"))
        _told(caught.value, "HTTP ranges", "Copy it here")


@pytest.mark.parametrize("fault", [{"cut": 3}, {"broken": True}])
def test_parts_that_are_cut_off(served: Served, fault: dict[str, Any]) -> None:
    with open_store(served.url("fake.h5")) as store:
        for name, value in fault.items():
            setattr(served, name, value)
        with pytest.raises(UnreachableError) as caught:
            store.split("train").read(7, ["depth"])
        _told(caught.value, "after 3 tries", "--resume")
        remote._blocks.clear()
        with pytest.raises(UnreachableError):
            verify(served.url("fake.h5"))


@pytest.mark.parametrize("marked", [True, False])
def test_a_file_that_is_replaced(folder: Path, tmp_path: Path, marked: bool) -> None:
    """With a mark of the server, the next read tells; without one, its length does."""
    other = fake_store(tmp_path, images=(12, 3))
    with serving(folder, marked=marked) as served, open_store(served.url("fake.h5")) as store:
        split = store.split("train")
        split.read(1, ["depth"])
        shutil.copy(other, folder / "new.h5")
        (folder / "new.h5").replace(folder / "fake.h5")
        if not marked:  # it is looked at again after a while
            assert store._handle.file.remote is not None
            store._handle.file.remote._sure = 0.0
        with pytest.raises(StoreError) as caught:
            split.read(7, ["depth"])
        _told(caught.value, "was replaced on its server while it was in use", "Start again")


def test_a_file_of_the_same_length_is_told_without_it(folder: Path) -> None:
    with serving(folder) as served, open_store(served.url("fake.h5")) as store:
        store.split("train").read(1, ["depth"])
        shutil.copy(folder / "fake.h5", folder / "new.h5")
        (folder / "new.h5").replace(folder / "fake.h5")
        with pytest.raises(StoreError, match=r"while it was in use\. Start again"):
            store.split("train").read(7, ["depth"])


def test_a_regime_that_is_added_does_no_harm(folder: Path, served: Served, tmp_path: Path) -> None:
    """The file is another then, but to open it again finds the same data."""
    table = export_regime(folder / "fake.h5", "full", tmp_path / "full.csv")
    with open_store(folder / "fake.h5") as one:
        sample = one.split("train").read(7, ["depth"])
    with open_store(served.url("fake.h5")) as store:
        store.close()
        add_regime(folder / "fake.h5", "late", table)
        again = store.split("train").read(7, ["depth"])
        np.testing.assert_array_equal(again.image, sample.image)
    with open_store(served.url("fake.h5")) as new:
        assert "late" in new.regimes


def test_what_is_no_store(folder: Path, served: Served) -> None:
    (folder / "text.h5").write_text("no store " * 100)
    (folder / "empty.h5").write_bytes(b"")
    whole = (folder / "fake.h5").read_bytes()
    (folder / "cut.h5").write_bytes(whole[: len(whole) // 2])
    for name, words in {"text": "no HDF5", "empty": "no HDF5", "cut": "cut off"}.items():
        with pytest.raises(StoreError) as caught:
            open_store(served.url(f"{name}.h5"))
        _told(caught.value, words)


def test_a_shard_that_is_missing_cut_off_or_another(folder: Path, served: Served) -> None:
    first, second = (folder / "fake" / f"fake-train-0000{number}.h5" for number in (0, 1))
    with open_store(served.url(NAMES[1])) as store:
        data = second.read_bytes()
        second.write_bytes(data[:-100])
        with pytest.raises(StoreError, match="was cut off"):
            store.split("train").read(5, ["depth"])
        second.write_bytes(first.read_bytes().ljust(len(data), b"\0"))
        with pytest.raises(StoreError):
            store.split("train").read(5, ["depth"])
        second.unlink()
        with pytest.raises(StoreError) as caught:
            store.split("train").read(5, ["depth"])
        _told(caught.value, "shard 2 of 3", "there is no such file")


def test_the_strict_look_holds(folder: Path, served: Served) -> None:
    """A link to another file is refused, as of a file here."""
    with h5py.File(folder / "fake.h5", "r+") as file:
        file["train"]["more"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(BrokenStoreError, match="nothing outside the file is opened"):
        open_store(served.url("fake.h5"))


def test_texts_in_the_heap_are_read(folder: Path, served: Served) -> None:
    """Those of stores of before: a process apart reads them, and asks this one for the bytes."""
    with h5py.File(folder / "fake.h5", "r+") as file:
        for name in file.attrs:
            if isinstance(value := file.attrs[name], bytes):
                file.attrs[name] = value.decode()
    with view(folder / "fake.h5") as one, view(Url(served.url("fake.h5"))) as other:
        assert dict(one.attrs) == dict(other.attrs)


def test_a_chunk_that_becomes_more_than_a_row(tmp_path: Path) -> None:
    """What is asked of a chunk before it is decoded is asked of one on object storage, too."""
    path = tmp_path / "fake.h5"
    build(FakeSource(images=(3, 1)), path, compression="gzip")
    with h5py.File(path, "r+") as file:
        image = file["train/image"]
        bomb = zlib.compress(bytes(image[0].nbytes * 50))
        mask, _ = image.id.read_direct_chunk((1, 0, 0, 0))
        assert mask == 0
        image.id.write_direct_chunk((1, 0, 0, 0), bomb + bytes(4))
    told = []
    with serving(tmp_path) as served:
        for place in (path, served.url(path.name)):
            with open_store(place) as store, pytest.raises(BrokenStoreError) as caught:
                store.split("train").read_stored(1, None)
            told.append(caught.value.what)
    assert told[0] == told[1]


def test_changes_are_refused(served: Served, tmp_path: Path) -> None:
    table = export_regime(Url(served.url("fake.h5")), "full", tmp_path / "full.csv")
    for change in (
        lambda url: add_regime(url, "new", table),
        lambda url: set_default_regime(url, "full"),
        lambda url: shard(url, images=2),
    ):
        with pytest.raises(UsageError) as caught:
            change(served.url("fake.h5"))
        _told(caught.value, "only read", "Copy it here")


@pytest.mark.parametrize("collects", [True, False])
def test_nothing_is_collected_while_a_server_is_waited_for(collects: bool) -> None:
    """An object of h5py that the thread of `fsspec` collected would wait for whoever waits for it.

    Two threads wait, of which one ends first, by an error.
    """
    url, both, seen = Url("https://host/a.h5"), Barrier(2), []

    def fail() -> bytes:
        seen.append(gc.isenabled())
        both.wait(LIMIT)
        raise ValueError

    def ask() -> bytes:
        both.wait(LIMIT)
        with pytest.raises(StoreError):
            failing.result(LIMIT)
        seen.append(gc.isenabled())
        return b"x"

    (gc.enable if collects else gc.disable)()
    try:
        with ThreadPoolExecutor(2) as pool:
            failing = pool.submit(remote._tried, url, fail)
            assert pool.submit(remote._tried, url, ask).result(LIMIT) == b"x"
        assert seen == [False, False]
        assert gc.isenabled() == collects
    finally:
        gc.enable()


def test_passwords_are_not_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(folder, user="anna:s3cret") as served:
        url = served.url("fake.h5", user="anna:s3cret") + "?sig=abc123"
        with open_store(url) as store:
            assert str(store.path) == served.url("fake.h5")
            store.split("train").read(3, ["depth"])
        # Who knows the URL without them finds the file again, in this process.
        open_store(served.url("fake.h5")).close()
        served.user = "other:one"
        with pytest.raises(StoreError) as refused:
            open_store(url)
        served.user, served.status = "anna:s3cret", 500
        with pytest.raises(UnreachableError) as failed:
            open_store(url)
        for error in (refused.value, failed.value):
            text = f"{error} {error!r} {error.__cause__!r}"
            assert not any(word in text for word in ("s3cret", "anna", "abc123"))


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="should begin as a path, or a URL that fsspec knows"):
        open_store("nothing://bucket/a.h5")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UsageError, match=r"pip install 'mtpartial\[remote\]'"):
        open_store("https://host/a.h5")


def test_a_forked_process_reads_for_itself(served: Served) -> None:
    with open_store(served.url(NAMES[1])) as store:
        image = store.split("train").read_stored(2, None)
        child = os.fork()
        if child == 0:
            try:
                same = np.array_equal(store.split("train").read_stored(2, None), image)
                store.split("train").read_stored(8, None)
            finally:
                os._exit(0 if same else 1)
        assert os.waitpid(child, 0)[1] == 0
