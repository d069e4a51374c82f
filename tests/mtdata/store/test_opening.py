"""Files that are no store, and stores that do not keep the format: one paragraph each."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from mtdata.errors import StoreError
from mtdata.store import open_store
from tests.stores.fakes import fake_store


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_store(tmp_path_factory.mktemp("store"), images=(6, 3))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p, good: None, "no such file"),
        (lambda p, good: p.mkdir(), "it is a folder"),
        (lambda p, good: p.write_bytes(b""), "it is no HDF5"),
        (lambda p, good: p.write_text("not a store"), "it is no HDF5"),
        (lambda p, good: p.write_bytes(good[:-1]), "cut off"),
        (lambda p, good: p.write_bytes(good[: len(good) // 2]), "cut off"),
        (lambda p, good: p.write_bytes(good[:60]), "cut off"),
    ],
    ids=["missing", "folder", "empty", "text", "one byte short", "half", "60 bytes"],
)
def test_files_that_are_no_store(
    path: Path, tmp_path: Path, make: Callable[[Path, bytes], object], said: str
) -> None:
    bad = tmp_path / "bad.h5"
    make(bad, path.read_bytes())
    with pytest.raises(StoreError, match=said) as caught:
        open_store(bad)
    assert caught.value.exit_code == 3
    assert str(bad) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_names_the_store_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "rooms"
    folder.mkdir()
    for name in ("rooms-test-00000.h5", "rooms.h5", "a.h5"):
        with pytest.raises(StoreError, match=r"it is a folder\. Give "):
            open_store(folder)
        (folder / name).touch()
    with pytest.raises(StoreError) as caught:
        open_store(folder)
    assert str(caught.value).endswith(f"Give {folder / 'rooms.h5'}.")  # its index, not a shard


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.attrs.__delitem__("format"), "is an HDF5 file with format=None"),
        (lambda f: f.attrs.__setitem__("format", "other"), "format='other'"),
        (lambda f: f.attrs.__setitem__("format_version", 4), "reads up to 3"),
        (lambda f: f.attrs.__setitem__("format_version", 0), "format_version is 0"),
        (lambda f: f.attrs.__setitem__("tasks", "{"), "description cannot be read"),
        (lambda f: f.attrs.__setitem__("tasks", '[{"name":"x","kind":"y"}]'), "kind of label"),
        (lambda f: f.attrs.__delitem__("content_digest"), "description cannot be read"),
        (lambda f: f.__delitem__("train/image"), "split train cannot be read"),
        (lambda f: f.__delitem__("test/valid_pixels"), "split test cannot be read"),
        (lambda f: f["train"].attrs.__setitem__("role", "all"), "role should be train, val, test"),
        (lambda f: f.__delitem__("train/crop"), "split train cannot be read"),
        (lambda f: [f.__delitem__(name) for name in ("train", "test")], "it has no split"),
    ],
    ids=[
        "foreign",
        "other format",
        "newer",
        "version 0",
        "tasks no JSON",
        "unknown kind",
        "no digest",
        "no image",
        "no valid_pixels",
        "unknown role",
        "no crop",
        "no split",
    ],
)
def test_stores_that_do_not_keep_the_format(
    path: Path, tmp_path: Path, change: Callable[[h5py.File], object], said: str
) -> None:
    bad = Path(shutil.copy(path, tmp_path / "bad.h5"))
    with h5py.File(bad, "r+") as file:
        change(file)
    with pytest.raises(StoreError, match=said) as caught:
        open_store(bad)
    assert "\n" not in str(caught.value)
    # Nothing stays open: the file may be replaced and read at once.
    shutil.copy(path, bad)
    assert len(open_store(bad).split("train")) == 6
