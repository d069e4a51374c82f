"""FiftyOne's own form: its files hold what the store holds, and its importer takes them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mtdata import open_store
from mtdata.building.build import RegimeSpec, build
from mtdata.errors import DataError
from mtdata.export import export
from mtdata.sources import SOURCES
from mtdata.store import Store
from tests.paths import ROOT
from tests.stores.changed import changed_store
from tests.trees.nyu import nyu_store

PYTHON = os.environ.get("FIFTYONE_PYTHON", sys.executable)
"""A Python that has fiftyone and mongomock: it pins many packages, and may need its own place."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fiftyone") / "a.h5"
    source = SOURCES["rooms"](None, images=(8, 2), size=(32, 48))
    build(source, path, jobs=1, regimes=[RegimeSpec("one")])
    return path


@pytest.fixture(scope="module")
def folder(store: Path) -> Path:
    export(store, "fiftyone", store.parent / "files", regime="one")
    return store.parent / "files"


def samples(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "samples.json").read_text("utf-8"))[
        "samples"
    ]
    return found


def pixels(folder: Path, path: str) -> NDArray[Any]:
    found = cv2.imread(str(folder / path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found[..., ::-1] if found.ndim == 3 else found


def decoded(kind: str, label: dict[str, Any], folder: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    """A label and its mask from what is written, as the docs tell it."""
    found = pixels(folder, label["map_path" if kind == "depth" else "mask_path"])
    if kind == "depth":
        return label["offset"] + label["scale"] * found, found > 0
    if kind == "normals":
        return found / 127.5 - 1, np.asarray((found > 0).any(-1))
    return (found.astype(int) - 1, found > 0) if kind == "classes" else (found, found != 2)


def assert_held(folder: Path, opened: Store) -> None:
    """Every label that is there is that of the store, at its true size."""
    kinds = {task.name: task.kind.name for task in opened.tasks}
    for sample in samples(folder):
        (split_name,) = sample["tags"]
        split = opened.split(split_name)
        index = split.keys.index(sample["key"])
        height, width = split.sizes[index]
        read = split.read(index, sample["labelled"])
        image = pixels(folder, sample["filepath"])
        assert np.array_equal(image, read.image[:height, :width])
        assert sample["metadata"]["width"] == width
        for name in sample["labelled"]:
            label, valid = decoded(kinds[name], sample[name], folder)
            expected = read.labels[name][:height, :width]
            mask = read.valid[name][:height, :width]
            assert np.array_equal(valid, mask), name
            close = {"normals": 0.0041, "depth": 1e-3}.get(kinds[name], 0)
            assert np.abs(label[mask] - expected[mask]).max(initial=0) <= close, name


def test_labels_are_those_of_the_store(store: Path, folder: Path) -> None:
    with open_store(store) as opened:
        assert_held(folder, opened)


def test_depth_that_is_kept_as_floats_fits_into_steps(tmp_path: Path) -> None:
    path = changed_store(tmp_path / "a.h5")
    export(path, "fiftyone", tmp_path / "files")
    with open_store(path) as opened:
        assert_held(tmp_path / "files", opened)


def test_steps_of_a_file_stay_as_they_are(tmp_path: Path) -> None:
    export(nyu_store(tmp_path), "fiftyone", tmp_path / "files", tasks=["depth"])
    with open_store(tmp_path / "nyu.h5") as opened:
        assert_held(tmp_path / "files", opened)


def test_hidden_is_told_from_missing(store: Path, folder: Path) -> None:
    with open_store(store) as opened:
        split = opened.split("train")
        names = [task.name for task in opened.tasks]
        shown = split.visible("one")
        train = [sample for sample in samples(folder) if sample["tags"] == ["train"]]
        for sample, has, seen in zip(train, split.labelled, shown, strict=True):
            assert sample["labelled"] == [n for n, yes in zip(names, seen, strict=True) if yes]
            assert sample["hidden"] == [n for n, yes in zip(names, has & ~seen, strict=True) if yes]
            files = {path.parts[-3] for path in folder.glob(f"fields/*/train/{sample['key']}.png")}
            assert files == set(sample["labelled"])


def test_the_same_store_gives_the_same_bytes(store: Path, folder: Path, tmp_path: Path) -> None:
    export(store, "fiftyone", tmp_path / "again", regime="one")
    for name in ("samples.json", "metadata.json"):
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    every = [sample["_id"]["$oid"] for sample in samples(folder)]
    assert len(set(every)) == len(every)
    assert all(re.fullmatch("[0-9a-f]{24}", one) for one in every)


def test_a_task_with_the_name_of_a_field_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtdata.export.fiftyone.TAKEN", ("depth",))
    path = changed_store(tmp_path / "a.h5")
    with pytest.raises(DataError, match=r"`depth` should be the name of a field.*--tasks"):
        export(path, "fiftyone", tmp_path / "files")
    assert not (tmp_path / "files").exists()


def test_fiftyone_imports_it(store: Path, folder: Path) -> None:
    there = subprocess.run([PYTHON, "-c", "import mongomock, importlib.util as u; "
                            "raise SystemExit(u.find_spec('fiftyone') is None)"],
                           capture_output=True, check=False)  # fmt: skip
    if there.returncode:
        pytest.skip("no fiftyone and mongomock: set FIFTYONE_PYTHON to a Python that has them")
    reader = ROOT / "tests" / "processes" / "fiftyone_import.py"
    done = subprocess.run(
        [PYTHON, str(reader), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={n: v for n, v in os.environ.items() if n != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.rpartition("FOUND ")[2])
    written = samples(folder)
    assert [s["key"] for s in found["samples"]] == [s["key"] for s in written]
    for told, sample in zip(found["samples"], written, strict=True):
        assert told["there"]
        assert told["tags"] == sample["tags"]
        assert (told["labelled"], told["hidden"]) == (sample["labelled"], sample["hidden"])
        assert list(told["labels"]) == sample["labelled"]
        for name, (kind, *shape) in told["labels"].items():
            assert kind == ("Heatmap" if name == "depth" else "Segmentation")
            assert shape[:2] == told["size"]
    with open_store(store) as opened:
        names = next(t.kind.names for t in opened.tasks if t.name == "semantic")  # type: ignore[attr-defined]
        assert found["info"]["content_digest"] == opened.content_digest
    assert found["targets"]["semantic"] == [[i, n] for i, n in enumerate(names, start=1)]
