"""Decoded once into shared memory: the same samples, no hidden label, nothing left behind."""

import multiprocessing
import os
import pickle
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import pytest
import torch

from mtdata import Sample, open_store
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import UsageError
from mtdata.reading import memory
from mtdata.reading.augment import Augmentation
from mtdata.reading.cache import Cache, share_memory
from mtdata.reading.dataset import Dataset
from mtdata.reading.loader import Loader
from tests.asserts import note_reads
from tests.stores.fakes import FakeSource


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cache") / "fake.h5"
    regimes = [RegimeSpec("one"), RegimeSpec("random")]
    build(FakeSource(images=(12, 2), missing=2), path, size=(32, 64), regimes=regimes)
    return path


def make(path: Path, regime: str, *, rotate: float = 0.0) -> Dataset:
    return open_store(path).dataset("train", regime=regime, transform=Augmentation(rotate=rotate))


def assert_equal(found: Sample, expected: Sample) -> None:
    assert (found.key, found.camera) == (expected.key, expected.camera)
    assert found.labels.keys() == expected.labels.keys()
    np.testing.assert_array_equal(found.image, expected.image)
    for name, label in expected.labels.items():
        assert found.labels[name].tobytes() == label.tobytes()
        np.testing.assert_array_equal(found.valid[name], expected.valid[name])


@pytest.mark.parametrize("regime", ["full", "one", "random"])
@pytest.mark.parametrize("rotate", [0.0, 10.0])
def test_the_same_samples(path: Path, regime: str, rotate: float) -> None:
    plain = make(path, regime, rotate=rotate)
    cache, (cached,) = share_memory(plain)
    for fill in (False, True):
        if fill:
            cache.fill()
        for epoch in range(3):
            for index in range(len(plain)):
                assert_equal(cached.read(index, epoch), plain.read(index, epoch))
        assert_equal(cached[0], plain[0])


def test_without_a_transform(path: Path) -> None:
    plain = open_store(path).dataset("train", regime="full")
    cache, (cached,) = share_memory(plain)
    cache.fill()
    assert_equal(cached[1], plain[1])
    assert cached[1].image.flags.writeable


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_what_one_of_them_read(
    path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make(path, "random")
    cache, (cached,) = share_memory(plain)
    cache.fill()
    expected = list(Loader(plain, 4, seed=3, shuffle=True).epoch(2))
    gone = path.with_name(f"{method}.h5")
    # Whoever still read the file would not find it.
    monkeypatch.setattr(cache.split.handle, "path", gone)
    cache.split.handle.close()
    loader = Loader(cached, 4, seed=3, shuffle=True, workers=2)
    loader._loader.multiprocessing_context = method
    for found, wanted in zip(loader.epoch(2), expected, strict=True):
        assert found.keys == wanted.keys
        assert torch.equal(found.image, wanted.image)
        assert found.labels.keys() == wanted.labels.keys()
        for task, label in wanted.labels.items():
            assert torch.equal(found.labels[task], label)
            assert torch.equal(found.valid[task], wanted.valid[task])


def test_a_hidden_label_is_never_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = make(path, "one")
    read = note_reads(monkeypatch)
    cache, _ = share_memory(plain)
    cache.fill()
    seen = {("train", i, plain.tasks[t].name) for i, t in np.argwhere(plain.visible).tolist()}
    assert read == seen | {("train", i, None) for i in range(len(plain))}
    assert cache.cells == (len(plain), len(seen))


def test_several_datasets_share_one_cache(path: Path) -> None:
    plain = make(path, "full")
    first = np.arange(len(plain)) < 5
    tasks = [task.name for task in plain.tasks]
    store = open_store(path)
    train = store.dataset("train", tasks, "full").subset(first)
    held = store.dataset("train", tasks[:2], "full").subset(~first)
    cache, (train, held) = share_memory(train, held)
    calls: list[tuple[int, int]] = []
    cache.fill(lambda done, total, _: calls.append((done, total)))
    assert calls == [(i + 1, len(plain)) for i in range(len(plain))]
    assert cache.cells == (
        len(plain),
        int(train.labelled.sum()) + int(held.labelled.sum()),
    )
    assert isinstance(held.split, Cache)


@pytest.mark.parametrize("free", [10, None])
def test_what_does_not_fit_is_refused(
    path: Path, free: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtdata.reading.cache.available", lambda: free)
    if free is None:
        share_memory(make(path, "one"))
        return
    with pytest.raises(UsageError, match=r"do not fit into the 0\.00 GB that are free"):
        share_memory(make(path, "one"))


def test_every_process_of_a_machine_has_a_copy_that_has_to_fit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbytes = share_memory(make(path, "one"))[0].nbytes
    monkeypatch.setattr("mtdata.reading.cache.available", lambda: 3 * nbytes)
    share_memory(make(path, "one"), copies=2)
    with pytest.raises(UsageError, match=r"in each of 3 processes\) do not fit.*fewer devices"):
        share_memory(make(path, "one"), copies=3)


@pytest.mark.skipif(not Path("/proc/meminfo").is_file(), reason="only Linux tells")
def test_available_memory_is_known_here() -> None:
    found = memory.available()
    assert found is not None
    assert 1 << 20 < found <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _shared_files(pid: int | None) -> list[Path]:
    """What a process maps to write and share it, but for semaphores, which the test itself made."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    parts = [line.split(maxsplit=5) for line in lines]
    shared = [Path(each[5]) for each in parts if each[1] == "rw-s" and len(each) == 6]
    return [file for file in shared if not file.name.startswith("sem.")]


def _fill_and_wait(path: Path, ready: Event) -> None:
    cache, _ = share_memory(make(path, "full"))
    cache.fill()
    ready.set()
    signal.pause()


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="only Linux tells")
def test_nothing_is_left_by_a_process_that_was_killed(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_fill_and_wait, args=(path, ready))
    process.start()
    assert ready.wait(60)
    shared = _shared_files(process.pid)
    process.kill()
    process.join()
    assert shared  # the cache
    assert not [file for file in shared if file.exists()]


def test_it_can_be_pickled(path: Path) -> None:
    cache, (cached,) = share_memory(make(path, "one"))
    cache.fill()
    again: Dataset = pickle.loads(pickle.dumps(cached))
    assert_equal(again.read(3, 1), cached.read(3, 1))
