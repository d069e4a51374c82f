"""What is wrong with a folder of PASCAL is said in one paragraph, with a remedy."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mtdata.errors import DataError, SampleError, SourceNotFoundError
from mtdata.sources.pascal.source import Pascal
from tests.asserts import assert_folder_refused
from tests.trees.nyu import cut
from tests.trees.pascal import TRAIN, VAL, write_anno, write_label_map, write_pascal

Damage = Callable[[Path], object]
KEY, SIZE = TRAIN[0], (45, 60)
ALL = tuple(task.name for task in Pascal.tasks())


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pascal(tmp_path_factory.mktemp("original"))


@pytest.fixture
def home(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / original.name))


def _list(home: Path, *keys: str, split: str = "train") -> None:
    (home / f"ImageSets/Context/{split}.txt").write_text("\n".join(keys) + "\n")


def _empty_lists(home: Path) -> None:
    _list(home)
    _list(home, split="val")


def _other_case(home: Path) -> None:
    _list(home, "A", *TRAIN)
    (home / "JPEGImages/a.jpg").touch()


def _no_labels(home: Path) -> None:
    for folder in ("human_parts", "normals_distill", "pascal-context", "sal_distill", "semseg"):
        shutil.rmtree(home / folder)


def _link_out(path: Path) -> None:
    outside = path.parents[2] / "elsewhere.jpg"
    os.replace(path, outside)
    path.symlink_to(outside)


def _save(path: Path, array: Any) -> None:
    Image.fromarray(array).save(path)


LAYOUT: dict[str, tuple[Damage, type[DataError], str]] = {
    "no images": (
        lambda h: shutil.rmtree(h / "JPEGImages"), SourceNotFoundError, "no JPEGImages/ is there",
    ),
    "no lists": (
        lambda h: shutil.rmtree(h / "ImageSets"), SourceNotFoundError, "no ImageSets/Context/ is",
    ),
    "empty lists": (_empty_lists, SourceNotFoundError, "found neither"),
    "no labels": (_no_labels, SourceNotFoundError, "labels in one of semseg/VOC12/"),
    "twice": (lambda h: _list(h, KEY, KEY), SampleError, f"found {KEY} twice"),
    "case in a list": (lambda h: _list(h, "a_b", "A_b"), SampleError, "differ in case only"),
    "both splits": (lambda h: _list(h, KEY, VAL[0]), SampleError, f"{VAL[0]} is in train.txt and"),
    "two words": (lambda h: _list(h, f"{KEY} 1"), SampleError, "one image on each line.* 1'"),
    "a path": (lambda h: _list(h, "../secret"), SampleError, "one image on each line.*secret"),
    "binary": (
        lambda h: (h / "ImageSets/Context/val.txt").write_bytes(b"\xff\xfe\x00"),
        SampleError, "val.txt: should be a text in UTF-8",
    ),
    "two files": (
        lambda h: shutil.copy(h / f"JPEGImages/{KEY}.jpg", h / f"JPEGImages/{KEY}.JPEG"),
        SampleError, f"one file; {KEY}.JPEG, {KEY}.jpg are all of {KEY}",
    ),
    "case of a file": (_other_case, SampleError, "spelt as in the list, A; it differs in case"),
    "link": (
        lambda h: _link_out(h / f"JPEGImages/{KEY}.jpg"), SampleError, "outside of it",
    ),
}  # fmt: skip

FRAME: dict[str, tuple[Damage, str]] = {
    "cut JPEG": (lambda h: cut(h / f"JPEGImages/{KEY}.jpg"), f"{KEY}.jpg: .*truncated"),
    "cut palette PNG": (lambda h: cut(h / f"semseg/VOC12/{KEY}.png"), f"VOC12/{KEY}.png: .*trunc"),
    "cut PNG": (lambda h: cut(h / f"normals_distill/{KEY}.png"), f"distill/{KEY}.png: .*truncated"),
    "cut mat": (lambda h: cut(h / f"human_parts/{KEY}.mat"), f"parts/{KEY}.mat: .*whole MATLAB"),
    "cut map": (
        lambda h: cut(h / f"pascal-context/trainval/{KEY}.mat"), f"val/{KEY}.mat: .*whole MATLAB",
    ),
    "empty mat": (
        lambda h: (h / f"human_parts/{KEY}.mat").write_bytes(b""), f"parts/{KEY}.mat: .*MATLAB",
    ),
    "no map": (
        lambda h: savemat(h / f"pascal-context/trainval/{KEY}.mat", {"a": 1}), "hold `LabelMap`",
    ),
    "no anno": (lambda h: savemat(h / f"human_parts/{KEY}.mat", {"a": 1}), "hold `anno`"),
    "other anno": (lambda h: savemat(h / f"human_parts/{KEY}.mat", {"anno": 1}), "be walked"),
    "other map": (lambda h: write_label_map(h, KEY, np.ones(SIZE)), "whole numbers.*float64"),
    "negative map": (
        lambda h: write_label_map(h, KEY, np.full(SIZE, -1, np.int16)), "int16 below 0",
    ),
    "size of map": (
        lambda h: write_label_map(h, KEY, np.ones((45, 59), np.uint16)), "45x60; found 45x59",
    ),
    "size of semantic": (
        lambda h: _save(h / f"semseg/VOC12/{KEY}.png", np.zeros((44, 60), np.uint8)),
        "45x60; found 44x60",
    ),
    "size of saliency": (
        lambda h: _save(h / f"sal_distill/{KEY}.png", np.zeros((60, 45), np.uint8)),
        "45x60; found 60x45",
    ),
    "size of normals": (
        lambda h: _save(h / f"normals_distill/{KEY}.png", np.zeros((50, 60, 3), np.uint8)),
        "45x60; found 50x60",
    ),
    "size of a mask": (
        lambda h: write_anno(h, KEY, [(15, np.ones(SIZE), {"head": np.ones((44, 60))})]),
        "45x60; the one of head is 44x60",
    ),
    "unknown part": (
        lambda h: write_anno(h, KEY, [(15, np.ones(SIZE), {"tail": np.ones(SIZE)})]),
        "parts of a person should be head.*found 'tail'",
    ),
    "range": (
        lambda h: _save(h / f"semseg/VOC12/{KEY}.png", np.full(SIZE, 21, np.uint8)),
        r"0\.\.20, or 255 for void; found 21",
    ),
    "16 bits": (
        lambda h: _save(h / f"semseg/VOC12/{KEY}.png", np.full(SIZE, 256, np.uint16)),
        r"0\.\.20, or 255 for void; found 256",
    ),
    "colours": (
        lambda h: _save(h / f"semseg/VOC12/{KEY}.png", np.zeros((*SIZE, 3), np.uint8)),
        "found 3 of uint8",
    ),
    "grey normals": (
        lambda h: _save(h / f"normals_distill/{KEY}.png", np.zeros(SIZE, np.uint8)), "3 channel",
    ),
    "normals not unit": (
        lambda h: _save(h / f"normals_distill/{KEY}.png", np.full((*SIZE, 3), 170, np.uint8)),
        r"unit length to 0\.1; more than half of them have not, found 0\.58\.\.0\.58",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUT)
def test_a_wrong_folder_is_refused_before_any_work(home: Path, name: str) -> None:
    damage, error, text = LAYOUT[name]
    damage(home)
    assert_folder_refused(Pascal, home, error, text)


@pytest.mark.parametrize("name", FRAME)
def test_a_wrong_file_is_named(home: Path, name: str) -> None:
    damage, text = FRAME[name]
    damage(home)
    source = Pascal(home)
    source.splits()
    with pytest.raises(SampleError, match=text) as caught:
        source.read("train", KEY, ALL)
    assert caught.value.remedy
    assert KEY in str(caught.value)
    assert "\n" not in str(caught.value)
    source.read("train", TRAIN[1], ALL)


def test_a_newer_matlab_file_says_so(home: Path) -> None:
    import h5py

    path = home / f"pascal-context/trainval/{KEY}.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["LabelMap"] = np.ones(SIZE, np.uint16)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with pytest.raises(SampleError, match=r"v7\.3"):
        Pascal(home).read("train", KEY, ("edges",))


def test_a_label_that_nobody_asks_for_is_not_read(home: Path) -> None:
    cut(home / f"semseg/VOC12/{KEY}.png")
    cut(home / f"human_parts/{KEY}.mat")
    cut(home / f"pascal-context/trainval/{KEY}.mat")
    assert set(Pascal(home).read("train", KEY, ("saliency",)).labels) == {"saliency"}


def test_a_missing_root_says_what_to_download(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, text in (("nowhere", "nothing of that name"), ("file", "a file"), ("empty", "empty")):
        with pytest.raises(SourceNotFoundError, match=text) as caught:
            Pascal(tmp_path / name).splits()
        assert "PASCAL_MT.tgz" in str(caught.value)
