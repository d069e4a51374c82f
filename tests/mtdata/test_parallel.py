"""Worker processes: results in order, and what is left where one of them or their parent ends."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from mtdata.errors import MtdataError, UsageError
from mtdata.inspecting.stats import stats
from mtdata.inspecting.suspicions.looking import suspect
from mtdata.inspecting.verify import verify
from mtdata.parallel import IN_FLIGHT, Pool
from mtdata.store import Store, open_store
from tests.paths import ROOT
from tests.stores.fakes import fake_store

SCRIPT = """
import multiprocessing, sys, time
from mtdata.building.build import build
from mtdata.inspecting.stats import stats
from mtdata.inspecting.suspicions.looking import suspect
from mtdata.inspecting.verify import verify
from mtdata.parallel import Pool
from mtdata.store import open_store
from tests.stores.fakes import SlowSource

def hold(*what):
    if workers := multiprocessing.active_children():
        print(*(each.pid for each in workers), flush=True)
        time.sleep(60)

if __name__ == "__main__":
    path = sys.argv[1]
    {work}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(fake_store(tmp_path_factory.mktemp("store"), images=(40, 2))) as opened:
        yield opened


def square(number: int) -> int:
    if number < 0:
        raise UsageError("it should be 0 or more")
    return number**2


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_and_few_are_in_flight(jobs: int) -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1, 31):
            taken.append(number)
            yield number

    with Pool(jobs) as pool:
        for done, result in enumerate(pool.map(square, numbers()), start=1):
            assert result == done**2
            assert len(taken) - done <= jobs * IN_FLIGHT
        assert list(pool.map(square, (5, 6))) == [25, 36]
        with pytest.raises(UsageError, match="0 or more"):
            list(pool.map(square, (3, -1)))


def test_each_process_is_started(tmp_path: Path) -> None:
    with Pool(2, partial(os.chdir, tmp_path)) as pool:
        assert set(pool.map(Path.resolve, [Path()] * 8)) == {tmp_path.resolve()}


@pytest.mark.parametrize(
    "work",
    [
        lambda store, told: verify(store.path, told, jobs=2),
        lambda store, told: stats(store, None, told, jobs=2),
        lambda store, told: suspect(store, None, told, jobs=2),
    ],
    ids=["verify", "stats", "suspect"],
)
def test_a_worker_that_is_killed_is_one_paragraph(
    store: Store, monkeypatch: pytest.MonkeyPatch, work: Callable[[Store, object], object]
) -> None:
    monkeypatch.setattr("mtdata.inspecting.stats.PART", 2)
    monkeypatch.setattr("mtdata.inspecting.verify.BLOCK", 1)
    monkeypatch.setattr("mtdata.inspecting.suspicions.looking.BLOCK", 1)

    def kill(*_: object) -> None:
        for worker in multiprocessing.active_children():
            worker.kill()

    with pytest.raises(MtdataError, match=r"^a worker process ended.* Use fewer --jobs\.$"):
        work(store, kill)


@pytest.mark.parametrize(
    "work",
    [
        "build(SlowSource(images=(40, 2)), path + '.new', jobs=2, progress=hold)",
        "verify(path, hold, jobs=2)",
        "stats(open_store(path), None, hold, jobs=2)",
        "suspect(open_store(path), None, hold, jobs=2)",
        "for _ in (pool := Pool(2)).map(abs, range(9)): hold()",
    ],
    ids=lambda work: work.partition("(")[0],
)
def test_workers_end_with_a_parent_that_is_killed(store: Store, tmp_path: Path, work: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(work=work))
    process = subprocess.Popen(
        [sys.executable, str(script), str(store.path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    workers = [int(pid) for pid in process.stdout.readline().split()]
    process.kill()
    process.wait()
    process.stdout.close()
    assert len(workers) > 0
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(_runs, workers)):
        time.sleep(0.05)
    assert not any(map(_runs, workers))


def _runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
