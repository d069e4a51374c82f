"""Several real processes on one path, folders that cannot be written, and many keys."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from mtdata.building.build import build
from mtdata.building.journal import Journal
from mtdata.errors import MtdataError, UnknownNameError, UsageError
from mtdata.inspecting.keys import keys
from mtdata.inspecting.verify import verify
from mtdata.reading.dataset import Dataset
from mtdata.reading.loader import Loader
from mtdata.store import open_store
from mtdata.store.regime_add import draw_regime
from tests.paths import ROOT
from tests.stores.fake_split import TASKS, make_split
from tests.stores.fakes import FakeSource, fake_store

BUILD = """
import sys
from pathlib import Path
from mtdata.building.build import build
from mtdata.errors import MtdataError
from tests.stores.fakes import SlowSource
try:
    build(SlowSource(images=(20, 4), pause=0.02), Path(sys.argv[1]))
except MtdataError as error:
    sys.exit(f"refused: {error}")
"""
ADD = """
import sys
from cli.mtdata import mtdata
from cli.shared.common import run
sys.exit(run(mtdata, ["regime", "add", sys.argv[1], "--kind", "random", "--name", sys.argv[2]]))
"""


def _start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def test_two_builds_of_one_path(tmp_path: Path) -> None:
    """One of them, or both one after the other, make the store; who is refused says why."""
    out = tmp_path / "out.h5"
    both = [_start(BUILD, out) for _ in range(2)]
    told = [process.communicate(timeout=120)[1] for process in both]
    assert 0 in [process.returncode for process in both], told
    for process, text in zip(both, told, strict=True):
        if process.returncode:
            assert text.startswith("refused: "), text
    assert verify(out).ok
    build(FakeSource(images=(20, 4)), tmp_path / "alone.h5")
    with open_store(out) as one, open_store(tmp_path / "alone.h5") as other:
        assert one.content_digest == other.content_digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone.h5", "out.h5"]


def test_of_two_builds_that_begin_at_once_one_goes_on(tmp_path: Path) -> None:
    """SQLite refuses both where neither waits for the other to give way."""
    for number in range(4):
        path, start, end = tmp_path / f"{number}.partial", Barrier(2), Barrier(2)

        def begin(path: Path = path, start: Barrier = start, end: Barrier = end) -> bool:
            start.wait()
            try:
                journal = Journal(path, {"a": 1}, fresh=False)
            except UsageError:
                end.wait()
                return False
            end.wait()
            journal.close()
            return True

        with ThreadPoolExecutor(2) as pool:
            done = [one.result() for one in [pool.submit(begin), pool.submit(begin)]]
        assert sorted(done) == [False, True]


def test_two_regimes_are_added_at_once(tmp_path: Path) -> None:
    path = fake_store(tmp_path)
    both = [_start(ADD, path, name) for name in ("a", "b")]
    told = [process.communicate(timeout=120)[1] for process in both]
    done = [name for name, process in zip("ab", both, strict=True) if process.returncode == 0]
    assert done, told
    for process, text in zip(both, told, strict=True):
        assert "Traceback" not in text
        assert process.returncode in (0, 1), text
    with open_store(path) as store:
        assert {"one", *done} <= set(store.regimes)
    assert verify(path).ok


def test_reading_goes_on_while_another_process_adds_a_regime(tmp_path: Path) -> None:
    path = fake_store(tmp_path)
    with open_store(path) as store:
        split = store.split("train")
        before = split.read(0, ["depth"]).image
        process = _start(ADD, path, "late")
        reads, until = 0, time.monotonic() + 60
        while process.poll() is None and time.monotonic() < until:
            np.testing.assert_array_equal(split.read(0, ["depth"]).image, before)
            reads += 1
        _, told = process.communicate(timeout=30)
        assert process.returncode == 0, told
        assert reads
    with open_store(path) as store:
        assert "late" in store.regimes


@contextmanager
def _without_rights() -> Iterator[None]:
    """As a user whom permissions bind; root is bound by none."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter; those of pytest are for their owner alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_reading_needs_no_writing(folder: Path, tmp_path: Path) -> None:
    def use(path: Path) -> None:
        with open_store(path) as store:
            assert store.split("train").read(0, ["depth"]).key == "0001"
            assert len(store.dataset("train")[0].labels) == 1
            assert keys(store, regime="one")["train"]
        assert verify(path).ok

    path = fake_store(folder)
    use(path)  # modules that are imported late may lie where only this user reads
    draw_regime(path, "random", name="before", seed=0)
    path.chmod(0o444)
    folder.chmod(0o555)
    names = sorted(os.listdir(folder))
    try:
        with _without_rights():
            use(path)
            with pytest.raises(MtdataError, match=r"(?i)permission|writ"):
                draw_regime(path, "random", name="late", seed=0)
    finally:
        folder.chmod(0o755)
    assert sorted(os.listdir(folder)) == names
    with open_store(path) as store:
        assert "late" not in store.regimes


MANY = 100_000


def test_a_hundred_thousand_keys() -> None:
    """A wrong key is told, and an epoch begins, without a look at all keys for each key."""
    split = make_split(MANY, share=0.5)
    started = time.process_time()
    told = str(UnknownNameError("image", "99999x", split.keys))
    assert "Did you mean `99999`" in told
    assert len(told) < 1000
    any_split: Any = split
    dataset = Dataset(any_split, TASKS, split.labels, None)
    batches = Loader(dataset, 4, seed=1, shuffle=True).epoch(1)
    assert len(next(iter(batches)).keys) == 4
    assert time.process_time() - started < 30
