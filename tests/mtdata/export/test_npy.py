"""MTAN's tree: what the released code would read of it, value by value."""

import csv
from pathlib import Path

import numpy as np
import pytest

from mtdata.building.build import RegimeSpec
from mtdata.errors import DataError
from mtdata.export import export
from mtdata.export.npy import folders_of
from mtdata.export.view import make_view
from mtdata.regimes.importing.npy import read_npy
from mtdata.regimes.importing.pth import read_pth
from mtdata.sources.mtan.source import MtanTree
from mtdata.store import open_store
from mtdata.tasks.facts import SEMANTIC13
from mtdata.tasks.kinds import Depth, Normals
from tests.stores.changed import changed_store
from tests.stores.fakes import TASKS
from tests.stores.store_files import editing
from tests.trees.nyu import nyu_store

FOLDERS = {"train": "train", "test": "val"}
NAMES = {"semantic": "label", "depth": "depth", "normals": "normal", "saliency": "saliency",
         "disparity": "disparity"}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    return changed_store(folder / "a.h5", regimes=[RegimeSpec("one")], sizes=((24, 32), (20, 30)))


@pytest.fixture(scope="module")
def nyu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nyu_store(tmp_path_factory.mktemp("nyu"))


def test_every_pixel(store: Path, tmp_path: Path) -> None:
    export(store, "npy", tmp_path / "tree")
    with open_store(store) as opened:
        for split in opened.splits.values():
            for index in range(len(split)):
                folder = tmp_path / "tree" / FOLDERS[split.name]
                height, width = map(int, split.sizes[index])
                sample = split.read(index, list(NAMES))
                arrays = {n: np.load(folder / f / f"{index}.npy") for n, f in NAMES.items()}
                image = np.load(folder / "image" / f"{index}.npy")
                assert image.dtype == np.float32
                assert np.array_equal(np.rint(image * 255), sample.image[:height, :width])
                shape = {"depth": (1,), "normals": (3,), "disparity": (1,)}
                for name, array in arrays.items():
                    assert array.shape == (height, width, *shape.get(name, ()))
                    wanted = _slowly(sample.labels.get(name), sample.valid.get(name), array, name)
                    assert np.array_equal(array, wanted)


def _slowly(label: object, valid: object, array: np.ndarray, name: str) -> np.ndarray:
    """What protocol 1.1 says of each pixel."""
    wanted = np.empty_like(array)
    for row in range(array.shape[0]):
        for column in range(array.shape[1]):
            seen = isinstance(valid, np.ndarray) and valid[row, column]
            void = -1 if name in ("semantic", "saliency") else 0
            assert isinstance(label, np.ndarray) or not seen
            wanted[row, column] = label[row, column] if seen else void  # type: ignore[index]
    return wanted


def test_numbers_and_keys(store: Path, tmp_path: Path) -> None:
    export(store, "npy", tmp_path / "tree")
    with (tmp_path / "tree" / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    with open_store(store) as opened:
        wanted = [
            (FOLDERS[name], str(number), name, key)
            for name, split in opened.splits.items()
            for number, key in enumerate(split.keys)
        ]
    assert rows == wanted


def test_our_own_reader_reads_it(nyu: Path, tmp_path: Path) -> None:
    export(nyu, "npy", tmp_path / "tree")
    labels = {
        "semantic": ("label", SEMANTIC13),
        "depth": ("depth", Depth()),
        "normals": ("normal", Normals()),
    }
    tree = MtanTree(tmp_path / "tree", labels, splits=FOLDERS, options={})
    with open_store(nyu) as opened:
        for name, keys in tree.splits().items():
            split = opened.split(name)
            for index, key in enumerate(keys):
                sample = split.read(index, list(labels))
                read = tree.read(name, key, list(labels))
                assert np.array_equal(read.image, sample.image)
                for task in labels:
                    valid = sample.valid.get(task, np.zeros(split.size, bool))
                    assert np.array_equal(read.valid[task], valid)
                    if task in sample.labels:
                        label = sample.labels[task]
                        np.testing.assert_allclose(read.labels[task], label, atol=1e-6)


def test_the_assignment_of_three_tasks(nyu: Path, tmp_path: Path) -> None:
    import torch

    summary = export(nyu, "npy", tmp_path / "tree", regime="one")
    path = tmp_path / "tree" / "train_one.pth"
    with open_store(nyu) as opened:
        shown = opened.split("train").visible("one")
    found = torch.load(path, weights_only=True)["labels_weights"]
    assert found.dtype == torch.float32
    assert np.array_equal(found.numpy(), shown)
    assert np.array_equal(read_pth(path).labels, shown)
    assert read_pth(path).tasks == ("semantic", "depth", "normals")
    assert any("train_one.pth" in note for note in summary.notes)
    # The labels themselves are all there, hidden or not.
    assert np.load(tmp_path / "tree" / "train" / "depth" / "0.npy").any()


def test_the_assignment_of_other_tasks(store: Path, tmp_path: Path) -> None:
    export(store, "npy", tmp_path / "tree", regime="one", tasks=["semantic", "saliency"])
    path = tmp_path / "tree" / "train_one.npy"
    table = np.load(path, allow_pickle=True).item()
    with open_store(store) as opened:
        train = opened.split("train")
        keys, shown = np.array(train.keys), train.visible("one")
    assert table["semseg"] == list(keys[shown[:, 0]])
    assert table["sal"] == list(keys[shown[:, 3]])
    assert set(read_npy(path).tasks) == {"semseg", "sal"}


def test_what_is_absent_is_told(store: Path, tmp_path: Path) -> None:
    notes = export(store, "npy", tmp_path / "tree").notes
    with open_store(store) as opened:
        absent = sum(int((s.valid_pixels == 0).sum()) for s in opened.splits.values())
    assert notes[0].startswith(f"{absent} labels")
    assert "disparity" in notes[1]


def test_two_splits_of_one_role_keep_their_names(tmp_path: Path) -> None:
    keys = {"train": ("a",), "more": ("b",), "test": ("c",)}
    with open_store(changed_store(tmp_path / "a.h5", keys=keys)) as opened:
        view = make_view(opened, None, None)
        assert folders_of(view) == {"train": "train", "more": "more", "test": "val"}


def test_cityscapes_says_how_many_classes(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cityscapes.h5"
    path.write_bytes(store.read_bytes())
    with editing(path) as file:
        file.attrs["dataset"] = "cityscapes"
    summary = export(path, "npy", tmp_path / "tree", tasks=["semantic", "depth"])
    assert (tmp_path / "tree" / "val" / "label_5" / "0.npy").is_file()
    assert "redistribution" in summary.licences["cityscapes"]


def test_folders_of_two_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtdata.export.npy.FOLDERS", {"semantic": "label", "depth": "label"})
    path = changed_store(tmp_path / "a.h5", tasks=[task.name for task in TASKS[:2]])
    with pytest.raises(DataError, match="folder `label`"):
        export(path, "npy", tmp_path / "tree")
