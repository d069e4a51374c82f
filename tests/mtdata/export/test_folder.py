"""Exports that the source `folder` reads: a store built from one holds the same data."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from mtdata.building.build import RegimeSpec, build
from mtdata.errors import DataError, UnknownNameError, UsageError
from mtdata.export import export
from mtdata.inspecting.diff import diff
from mtdata.regimes.table import read_table
from mtdata.sources.folder.source import Folder
from mtdata.sources.rooms.source import Rooms
from mtdata.store import open_store
from tests.asserts import labels_of_training, note_reads, shown_labels
from tests.stores.added import added_store
from tests.stores.changed import changed_store
from tests.stores.fakes import TASKS

NAMES = [task.name for task in TASKS]


def _again(folder: Path) -> Path:
    out = folder.with_suffix(".h5")
    build(Folder(folder), out, size=None)
    return out


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    regimes = [RegimeSpec("one"), RegimeSpec("random")]
    return changed_store(tmp_path_factory.mktemp("store") / "a.h5", regimes=regimes)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"missing": 10, "compression": "gzip"},
        {"sizes": ((24, 32), (20, 30))},
        {"tasks": ["normals", "disparity"], "missing": 0},
        {"keys": {"train_a": ("0001", "0002"), "training": ("0001",), "test": ("té0",)}},
    ],
)
def test_a_round_trip(options: dict[str, Any], tmp_path: Path) -> None:
    path = changed_store(tmp_path / "a.h5", **options)
    export(path, "folder", tmp_path / "files")
    found = diff(path, _again(tmp_path / "files"))
    assert found.same_content
    assert found.changed_tasks == {}


def test_rooms_round_trip(tmp_path: Path) -> None:
    build(Rooms(None, images=(6, 2), size=(32, 48)), tmp_path / "rooms.h5")
    summary = export(tmp_path / "rooms.h5", "folder", tmp_path / "files")
    assert diff(tmp_path / "rooms.h5", _again(tmp_path / "files")).same_content
    assert summary.licences == {}


def test_only_what_a_regime_shows(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = note_reads(monkeypatch)
    summary = export(store, "folder", tmp_path / "files", regime="one")
    with open_store(store) as opened:
        shown, wanted = opened.split("train").visible("one"), shown_labels(opened, "one")
    assert labels_of_training(read) == wanted
    assert sum(summary.splits["train"].labels.values()) == len(wanted)
    with open_store(_again(tmp_path / "files")) as again:
        assert np.array_equal(again.split("train").valid_pixels > 0, shown)
        assert (again.split("test").valid_pixels > 0).sum() > 3
    assert [path.name for path in (tmp_path / "files" / "regimes").iterdir()] == ["train-one.csv"]


def test_regimes_are_written(store: Path, tmp_path: Path) -> None:
    export(store, "folder", tmp_path / "files")
    with open_store(store) as opened:
        train = opened.split("train")
        for name in ("one", "random"):
            path = tmp_path / "files" / "regimes" / f"train-{name}.csv"
            found = read_table(path, train.keys, NAMES)
            assert np.array_equal(found.labels, train.visible(name))


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def test_samples_are_listed(store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    export(store, "folder", folder)
    rows = {(row["split"], row["key"]): row for row in _rows(folder / "samples.csv")}
    with open_store(store) as opened:
        for split in opened.splits.values():
            for index, key in enumerate(split.keys):
                row = rows.pop((split.name, key))
                assert (folder / row["image"]).is_file()
                labels = [bool(row[name]) for name in NAMES]
                assert labels == list(split.valid_pixels[index] > 0)
                assert all((folder / row[name]).is_file() for name in NAMES if row[name])
                camera = split.camera(index)
                assert row["fx"] == ("" if camera is None else str(camera.fx))
                assert int(row["source_height"]) == 24
    assert not rows


def test_tasks_without_labels_are_left_out(tmp_path: Path) -> None:
    keys = {"train": ("0001", "0002", "0003", "0004"), "test": ("té0",)}
    path = changed_store(
        tmp_path / "a.h5", keys=keys, tasks=["semantic", "saliency"], missing=10, seed=3
    )
    with open_store(path) as store:
        bare = [split.valid_pixels.sum(axis=1) == 0 for split in store.splits.values()]
    notes = export(path, "folder", tmp_path / "files").notes
    number = int(sum(map(np.count_nonzero, bare)))
    assert number
    assert any(note.startswith(f"Without a label: {number} images") for note in notes)
    content = yaml.safe_load((tmp_path / "files" / "tasks.yaml").read_text())
    assert content["unlabelled"] == "keep"
    summary = build(Folder(tmp_path / "files"), tmp_path / "b.h5", size=None)
    assert sum(split.unlabelled for split in summary.splits.values()) == number


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"train": ("a/b",), "test": ("c",)}, "'a/b'.*as npy"),
        ({"train": (".a",), "test": ("c",)}, "no dot"),
        ({"train": ("A", "a"), "test": ("c",)}, "capital letters"),
    ],
)
def test_what_a_folder_cannot_hold(
    keys: dict[str, tuple[str, ...]], text: str, tmp_path: Path
) -> None:
    path = changed_store(tmp_path / "a.h5", keys=keys)
    with pytest.raises(DataError, match=text):
        export(path, "folder", tmp_path / "files")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    export(path, "npy", tmp_path / "arrays")


def test_names_that_are_none(store: Path, tmp_path: Path) -> None:
    for options, what in (
        ({"tasks": ["colour"]}, "task"),
        ({"regime": "two"}, "regime"),
    ):
        with pytest.raises(UnknownNameError, match=f"no {what} "):
            export(store, "folder", tmp_path / "files", **options)
    with pytest.raises(UnknownNameError, match="export form"):
        export(store, "zip", tmp_path / "files")


def test_filled_labels_of_a_run_that_may_have_seen_more(tmp_path: Path) -> None:
    """As training refuses them: of files, nothing tells them from labels of the source."""
    path = added_store(tmp_path, images=(8, 1))
    with pytest.raises(UsageError, match="may have seen others"):
        export(path, "folder", tmp_path / "files", regime="full+filled")
    assert not (tmp_path / "files").exists()
    with pytest.raises(UsageError, match="may have seen others"):
        export(path, "npy", tmp_path / "files", regime="full+filled")
    export(path, "folder", tmp_path / "other", regime="full+filled", tasks=["disparity"])
    assert not any("not of the source" in text for text in Folder(tmp_path / "other").remarks())
    for regime, anyway in (("one+filled", False), ("full+filled", True)):
        folder = tmp_path / regime
        export(path, "folder", folder, regime=regime, filled_anyway=anyway)
        assert json.loads((folder / "export.json").read_text())["filled_anyway"] == anyway


def test_a_folder_tells_labels_that_its_source_never_had(tmp_path: Path) -> None:
    path = added_store(tmp_path, images=(8, 1))
    export(path, "folder", tmp_path / "files", regime="one+derived")
    told = Folder(tmp_path / "files").remarks()
    assert any("of disparity (derived)" in text and "export.json" in text for text in told)
    (tmp_path / "files" / "export.json").write_text("[1]")  # one of theirs
    assert not any("export.json" in text for text in Folder(tmp_path / "files").remarks())
