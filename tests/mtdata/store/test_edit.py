"""Adding and removing regimes changes nothing else, and nothing at all where it fails."""

import errno
import fcntl
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from mtdata.atomic import swapping
from mtdata.errors import DataError, MtdataError, UnknownNameError, UsageError
from mtdata.inspecting.verify import verify
from mtdata.regimes.drawing import draw
from mtdata.regimes.table import RegimeTable
from mtdata.store import Store, add_regime, edit, open_store, remove_regime
from tests.stores.fakes import fake_store

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return fake_store(tmp_path, images=(8, 3))


def table(store: Store, kind: str = "random", seed: int = 3) -> RegimeTable:
    split = store.split("train")
    names = [task.name for task in split.tasks]
    return draw(kind, split.keys, names, split.valid_pixels > 0, seed=seed)


def test_a_name_that_reads_like_a_file_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match=r"without \.csv"):
        add_regime(path, "x.csv", table(open_store(path)))


def everything(path: Path) -> dict[str, bytes]:
    """All arrays but regimes, as bytes of the file."""
    found = {}

    def take(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and "/regime/" not in name:
            found[name] = np.ascontiguousarray(item[()]).tobytes()

    with h5py.File(path) as file:
        file.visititems(take)
        found |= {name: str(value).encode() for name, value in file.attrs.items()}
    return found


def test_add_keeps_everything_else(path: Path) -> None:
    before, drawn = everything(path), table(open_store(path))
    add_regime(path, "mine", drawn)
    store = open_store(path)
    info = store.split("train").regimes["mine"]
    np.testing.assert_array_equal(info.labels, drawn.labels)
    assert (info.kind, info.seed, info.origin) == ("random", 3, "drawn")
    assert info.parameters == dict(drawn.parameters)
    assert store.regimes == ("full", "mine", "one")
    assert store.default_regime == "one"
    assert everything(path) == before
    assert verify(path).ok
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_add_then_remove_is_identity(path: Path) -> None:
    before = everything(path)
    add_regime(path, "mine", table(open_store(path)))
    remove_regime(path, "mine")
    assert everything(path) == before
    assert open_store(path).regimes == ("full", "one")


def test_removing_the_default_makes_full_the_default(path: Path) -> None:
    remove_regime(path, "one")
    store = open_store(path)
    assert (store.default_regime, store.regimes) == ("full", ("full",))
    assert verify(path).ok


def test_add_takes_keys_and_tasks_in_any_order(path: Path) -> None:
    drawn = table(open_store(path))
    order = np.arange(len(drawn.keys))[::-1]
    turned = RegimeTable(
        "file",
        tuple(drawn.keys[i] for i in order),
        drawn.tasks[::-1],
        drawn.labels[order][:, ::-1],
        origin="here.csv",
    )
    add_regime(path, "turned", turned)
    info = open_store(path).split("train").regimes["turned"]
    np.testing.assert_array_equal(info.labels, drawn.labels)
    assert (info.seed, info.origin) == (None, "here.csv")


def test_open_store_keeps_reading_while_a_regime_is_added(path: Path) -> None:
    split = open_store(path).split("train")
    before = split.read(0, [])
    add_regime(path, "mine", table(open_store(path)))
    np.testing.assert_array_equal(split.read(0, []).image, before.image)
    split.handle.close()
    np.testing.assert_array_equal(split.read(0, []).image, before.image)


@pytest.mark.parametrize("name", ["", "full", "a/b", ".", "../x"])
def test_names_that_cannot_be(path: Path, name: str) -> None:
    drawn = table(open_store(path))
    with pytest.raises(UsageError, match="`name` should be a word"):
        add_regime(path, name, drawn)


def test_name_that_is_taken(path: Path) -> None:
    drawn = table(open_store(path))
    with pytest.raises(UsageError, match="has a regime `one` already"):
        add_regime(path, "one", drawn)


def test_remove_what_is_not_there(path: Path) -> None:
    with pytest.raises(UnknownNameError, match="regime"):
        remove_regime(path, "onne")
    with pytest.raises(UsageError, match="cannot be removed"):
        remove_regime(path, "full")


def test_table_of_other_keys(path: Path) -> None:
    labels = np.ones((1, 1), np.bool_)
    with pytest.raises(DataError, match="found 'zzz'"):
        add_regime(path, "mine", RegimeTable("file", ("zzz",), ("depth",), labels))


def test_table_that_shows_what_is_not_there(path: Path) -> None:
    split = open_store(path).split("train")
    row, column = np.argwhere(split.valid_pixels == 0)[0]
    key, task = split.keys[row], split.tasks[column].name
    labels = np.ones((1, 1), np.bool_)
    with pytest.raises(DataError, match=f"shows {task} of {key}"):
        add_regime(path, "mine", RegimeTable("file", (key,), (task,), labels))


def test_test_splits_take_a_regime_only_by_name(path: Path) -> None:
    split = open_store(path).split("test")
    labels = split.valid_pixels > 0
    tasks = tuple(task.name for task in split.tasks)
    add_regime(path, "odd", RegimeTable("file", split.keys, tasks, labels), split="test")
    assert "odd" in open_store(path).split("test").regimes


def test_failure_leaves_the_store_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, drawn = path.read_bytes(), table(open_store(path))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(edit, "write_regime", fail)
    with pytest.raises(MtdataError, match="is full") as caught:
        add_regime(path, "mine", drawn)
    # What other commands have is no advice here.
    assert "--" not in str(caught.value)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_link_stays_a_link(path: Path) -> None:
    link = path.with_name("link.h5")
    link.symlink_to(path.name)
    with open_store(link) as store:
        add_regime(link, "mine", table(store))
    assert link.is_symlink()
    with open_store(path) as store:
        assert "mine" in store.split("train").regimes


def test_changes_wait_for_one_another(path: Path) -> None:
    with open_store(path) as store:
        drawn = [table(store, seed=seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: add_regime(path, f"mine-{i}", drawn[i]), range(4)))
    with open_store(path) as store:
        assert {f"mine-{i}" for i in range(4)} <= set(store.split("train").regimes)
    assert verify(path).ok


ADD = """
import sys
from cli.mtdata import mtdata
from cli.shared.common import run
print("ready", flush=True)
sys.stdin.readline()
sys.exit(run(mtdata, ["regime", "add", sys.argv[1], "--kind", "random", "--name", "mine"]))
"""


def test_adding_one_regime_twice_at_once(path: Path) -> None:
    """Two processes: one adds it, the other says that the name is taken."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", ADD, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate()[1] for process in started]
    codes = [process.returncode for process in started]
    assert sorted(codes) == [0, UsageError.exit_code]
    assert "has a regime `mine` already" in " ".join(told[codes.index(2)].split())
    assert verify(path).ok
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_lock_that_fails_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    before, drawn = path.read_bytes(), table(open_store(path))

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(MtdataError, match="should be on a file system that can lock files"):
        add_regime(path, "mine", drawn)
    assert path.read_bytes() == before


def test_writers_whose_lock_does_not_hold_write_no_file_together(path: Path) -> None:
    """Where a file system only pretends to lock: the slower fails, the other's file is whole."""

    def write_both() -> None:
        with swapping(path) as first:
            first.write_bytes(b"one")
            with swapping(path) as second:
                assert second != first
                second.write_bytes(b"two")

    with pytest.raises(MtdataError, match="no such file"):
        write_both()
    assert path.read_bytes() == b"two"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
