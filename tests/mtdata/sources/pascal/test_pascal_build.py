"""Stores of `pascal`: images of several sizes, padded to one; labels that not every image has."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from cli.mtdata import mtdata
from cli.shared.common import run
from mtdata.building.build import RegimeSpec, build
from mtdata.errors import SampleError
from mtdata.inspecting.verify import verify
from mtdata.sources.pascal.source import Pascal
from mtdata.store import open_store
from tests.trees.pascal import PEOPLE, SIZES, TRAIN, VAL, Scene, write_pascal, write_scenes

ALL = tuple(task.name for task in Pascal.tasks())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pascal(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def path(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("store") / "pascal.h5"
    build(Pascal(home), out, regimes=[RegimeSpec("one")])
    return out


def test_images_are_padded_and_their_sizes_are_kept(home: Path, path: Path) -> None:
    source = Pascal(home)
    with open_store(path) as store:
        assert [task.name for task in store.tasks] == list(ALL)
        assert {name: split.role for name, split in store.splits.items()} == {
            "train": "train",
            "val": "test",
        }
        for name, split in store.splits.items():
            assert split.size == (512, 512)
            assert {tuple(size) for size in split.sizes.tolist()} <= set(SIZES)
            for index, key in enumerate(split.keys):
                wanted, found = source.read(name, key, ALL), split.read(index, ALL)
                h, w = wanted.image.shape[:2]
                assert split.sizes[index].tolist() == [h, w]
                assert split.source_sizes[index].tolist() == [h, w]
                np.testing.assert_array_equal(found.image[:h, :w], wanted.image)
                assert found.image.sum(dtype=int) == wanted.image.sum(dtype=int)
                assert found.labels.keys() == wanted.labels.keys()
                for task, label in wanted.labels.items():
                    valid = found.valid[task]
                    np.testing.assert_array_equal(valid[:h, :w], wanted.valid[task])
                    assert valid.sum() == wanted.valid[task].sum()
                    np.testing.assert_allclose(found.labels[task][:h, :w], label, atol=1e-4)


def test_padding_is_void_in_the_file_and_verifies(path: Path) -> None:
    assert verify(path).problems == ()
    with h5py.File(path) as file:
        size = file["train/size"][0]
        for task, void in (("semantic", 255), ("saliency", 255), ("normals", -32768)):
            padding = file[f"train/label/{task}"][0][size[0] :]
            assert (padding == void).all()
        assert not file["train/image"][0][:, size[1] :].any()


@pytest.mark.parametrize("size", [(513, 300), (300, 513)])
def test_an_image_beyond_512_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    home = write_scenes(tmp_path, [Scene(TRAIN[0], size)], TRAIN[:1], ())
    with pytest.raises(SampleError, match=f"{TRAIN[0]}.jpg: should be at most 512x512.*--size"):
        build(Pascal(home), tmp_path / "a.h5")
    build(Pascal(home), tmp_path / "b.h5", size=(64, 48))
    with open_store(tmp_path / "b.h5") as store:
        assert store.split("train").size == (64, 48)


def test_regimes_give_parts_only_to_people(path: Path) -> None:
    with open_store(path) as store:
        split = store.split("train")
        parts = split.visible("one")[:, ALL.index("parts")]
        assert {key for key, shown in zip(split.keys, parts, strict=True) if shown} <= set(PEOPLE)
        assert (split.visible("one").sum(1) == 1).all()


def test_images_without_a_visible_label_are_counted(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["build", "--dataset", "pascal", "--source", str(home), "--tasks", "parts"]
    arguments += ["--out", str(tmp_path / "parts.h5"), "--jobs", "1", "--json"]
    assert run(mtdata, arguments) == 0
    told = capsys.readouterr()
    splits = json.loads(told.out)["splits"]
    assert splits["train"] == {"images": 7, "labels": {"parts": 3}, "partly": 0, "unlabelled": 4}
    assert splits["val"] == {"images": 2, "labels": {"parts": 1}, "partly": 0, "unlabelled": 1}
    assert "Note: train has 7 of the 4998 official images" in told.err
    with open_store(tmp_path / "parts.h5") as store:
        assert store.split("train").keys == tuple(sorted(TRAIN))
        assert store.split("val").keys == tuple(sorted(VAL))


def test_the_edges_of_each_split_can_be_chosen(home: Path, path: Path, tmp_path: Path) -> None:
    out = tmp_path / "b.h5"
    arguments = ["build", "--dataset", "pascal", "--source", str(home), "--tasks", "edges"]
    arguments += ["--edges", "boundaries", "--out", str(out), "--jobs", "1"]
    assert run(mtdata, arguments) == 0
    with open_store(path) as both, open_store(out) as store:
        same = {
            name: all(
                np.array_equal(
                    split.read(index, ["edges"]).labels["edges"],
                    store.split(name).read(index, ["edges"]).labels["edges"],
                )
                for index in range(len(split))
            )
            for name, split in both.splits.items()
        }
    assert same == {"train": False, "val": True}


def test_the_data_sets_that_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(mtdata, ["datasets", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)["pascal"]
    assert known["size"] is None
    assert known["padded_size"] == [512, 512]
    assert run(mtdata, ["datasets"]) == 0
    assert "native, padded to 512x512" in capsys.readouterr().out
