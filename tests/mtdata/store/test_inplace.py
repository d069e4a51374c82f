"""Changes in place: few bytes, whole after a kill at any moment, unseen by who reads."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from mtdata.errors import MtdataError
from mtdata.inspecting.verify import verify
from mtdata.regimes.drawing import draw
from mtdata.store import add_regime, open_store, remove_regime, set_default_regime
from mtdata.store.opening import inplace
from tests.before import ROOMS
from tests.quick import few
from tests.stores.fakes import fake_store

ROOT = Path(__file__).resolve().parents[3]


class KilledError(BaseException):
    """In place of a kill: nothing catches it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return fake_store(tmp_path, images=(8, 2))


def add(path: Path, name: str) -> None:
    with open_store(path) as store:
        split = store.split("train")
        tasks = [task.name for task in split.tasks]
        table = draw("random", split.keys, tasks, split.labelled, seed=len(name))
    add_regime(path, name, table)


def state(path: Path) -> tuple[str, dict[str, bytes]]:
    """The default and all regimes, as somebody reads them who comes now."""
    with open_store(path) as store:
        regimes = store.split("train").regimes
        return store.default_regime, {n: r.labels.tobytes() for n, r in regimes.items()}


CHANGES: dict[str, Callable[[Path], object]] = {
    "add": lambda path: add(path, "new"),
    "remove": lambda path: remove_regime(path, "one"),
    "default": lambda path: set_default_regime(path, "full"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("regimes", few([0, 8], [0]))
def test_a_kill_between_any_two_writes(
    path: Path, monkeypatch: pytest.MonkeyPatch, change: str, regimes: int
) -> None:
    """Of any number of regimes: HDF5 keeps more than eight in another form."""
    for number in range(regimes):
        add(path, f"r{number}")
    whole, before = path.read_bytes(), state(path)
    CHANGES[change](path)
    after = state(path)
    assert after != before
    write, kills = inplace._pwrite, 0
    for kill in range(100):
        path.write_bytes(whole)
        left = kill

        def counted(descriptor: int, data: bytes, place: int) -> None:
            nonlocal left
            if not left:
                raise KilledError
            left -= 1
            write(descriptor, data, place)

        with monkeypatch.context() as patch:
            patch.setattr(inplace, "_pwrite", counted)
            try:
                CHANGES[change](path)
            except KilledError:
                kills += 1
        assert state(path) in (before, after)
        assert verify(path).ok
        if kills <= kill:
            break
        CHANGES["add" if change == "add" and state(path) == before else "default"](path)
        assert verify(path).ok
    assert kills >= 1 + (change == "add")
    assert [file.name for file in path.parent.iterdir()] == [path.name]


LOOP = """
import sys, itertools
from pathlib import Path
from tests.mtdata.store.test_inplace import add
from mtdata.store import remove_regime
path = Path(sys.argv[1])
print("ready", flush=True)
for number in itertools.count():
    add(path, "mine")
    remove_regime(path, "mine")
"""


@pytest.mark.slow
def test_kills_at_random_moments(path: Path) -> None:
    """A process adds and removes for ever; it is killed, and what it leaves is whole."""
    rng = random.Random(0)
    for _ in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(path)],
            stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(rng.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert set(state(path)[1]) - {"mine"} == {"full", "one"}
        assert verify(path).ok


@pytest.mark.slow
def test_readers_see_the_old_or_the_new(path: Path) -> None:
    """While regimes come and go, threads open the store, and go on reading what they opened."""
    done, failures = threading.Event(), list[BaseException]()
    image = open_store(path).split("train").read(0, []).image

    def read() -> None:
        try:
            with open_store(path) as kept:
                while not done.is_set():
                    assert set(state(path)[1]) >= {"full", "one"}
                    assert (kept.split("train").read(0, []).image == image).all()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(9):
        add(path, f"r{number}")
    for number in range(9):
        remove_regime(path, f"r{number}")
    done.set()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert verify(path).ok


def test_bytes_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A regime takes its labels and about a kilobyte: no matter how large the store is."""
    written, write = 0, inplace._pwrite

    def counted(descriptor: int, data: bytes, place: int) -> None:
        nonlocal written
        written += len(data)
        write(descriptor, data, place)

    monkeypatch.setattr(inplace, "_pwrite", counted)
    inode = path.stat().st_ino
    add(path, "mine")
    assert written < 3 * inplace.PAGE
    assert path.stat().st_ino == inode


def test_a_store_of_before_is_changed_in_place_too(tmp_path: Path) -> None:
    path = tmp_path / "rooms.h5"
    path.write_bytes(ROOMS.read_bytes())
    inode = path.stat().st_ino
    add(path, "mine")
    set_default_regime(path, "mine")
    remove_regime(path, "one")
    assert path.stat().st_ino == inode
    default, regimes = state(path)
    assert default == "mine"
    assert set(regimes) == {"full", "imbalanced", "mine", "random"}
    with h5py.File(path) as file:
        assert "mine" in file["train/regime"]
    assert verify(path).ok


def test_a_change_that_cannot_be_completed_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inplace._note(path, {0: path.read_bytes()[: inplace.PAGE]})
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(MtdataError, match="should be writable once"):
            open_store(path)
    assert open_store(path).default_regime == "one"
    assert not inplace.is_unfinished(path)


def test_notes_on_a_file_that_was_replaced_are_dropped(path: Path) -> None:
    inplace._note(path, {0: bytes(inplace.PAGE)})
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    assert open_store(path).default_regime == "one"
    assert verify(path).ok
