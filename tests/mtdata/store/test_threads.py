"""Threads that share a store, or encode and decode, never see what is another's."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from mtdata import open_store
from mtdata.building.build import build
from mtdata.store.codec import COMPRESSIONS, Compression, decode, encode, filters
from mtdata.store.encoder import encode as encode_kept
from tests.stores.fakes import TASKS, FakeSource

THREADS = 6
IMAGES = 30
NAMES = tuple(task.name for task in TASKS)


@pytest.fixture(autouse=True)
def forced_switches() -> Iterator[None]:
    """Threads take turns a thousand times as often as they would."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("threads") / "fake.h5"
    build(FakeSource(images=(IMAGES, 2), missing=0), path, size=(16, 24))
    return path


def test_every_thread_reads_its_own_rows(store: Path) -> None:
    with open_store(store) as alone:
        expected = [alone.split("train").read(i, NAMES) for i in range(IMAGES)]
    with open_store(store) as shared:
        split, start = shared.split("train"), Barrier(THREADS)

        def read(thread: int) -> list[str]:
            start.wait()  # the file is opened by all of them at once
            wrong = []
            for turn in range(120):
                i = (7 * turn + thread) % IMAGES
                sample = split.read(i, NAMES)
                same = np.array_equal(sample.image, expected[i].image) and all(
                    np.array_equal(label, expected[i].labels[name])
                    for name, label in sample.labels.items()
                )
                if not same or sample.key != expected[i].key:
                    wrong.append(f"{i}: {sample.key}")
            return wrong

        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(read, range(THREADS)))
    assert found == [[]] * THREADS


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("how", [encode, encode_kept], ids=["fresh", "kept"])
def test_every_thread_encodes_and_decodes_its_own(compression: Compression, how: object) -> None:
    assert callable(how)
    options = filters(compression, np.dtype(np.uint8), image=True)

    def round_trip(thread: int) -> int:
        rng, wrong = np.random.default_rng(thread), 0
        for _ in range(15):
            array = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
            found = decode(how(array, options), array.shape, array.dtype, options)
            wrong += not np.array_equal(found, array)
        return wrong

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(round_trip, range(THREADS))) == [0] * THREADS
