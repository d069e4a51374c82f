"""What is wrong with a folder of NYU Depth v2 is said in one paragraph, with a remedy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from mtdata.errors import DataError, SampleError, SourceNotFoundError
from mtdata.sources.nyu.source import Nyu
from tests.asserts import assert_folder_refused
from tests.trees.nyu import cut, write_normals, write_nyu

Damage = Callable[[Path], object]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_nyu(tmp_path / "nyu")


def _remove(root: Path, *patterns: str) -> None:
    for pattern in patterns:
        for path in root.glob(pattern):
            path.unlink()


def _remove_folders(root: Path, *names: str) -> None:
    for name in names:
        shutil.rmtree(root / name)


def _write(root: Path, name: str, array: np.ndarray) -> None:
    assert cv2.imwrite(str(root / name), array)


def _one_split(root: Path, train: list[int], test: list[int]) -> None:
    columns = {"trainNdxs": np.array(train)[:, None], "testNdxs": np.array(test)[:, None]}
    savemat(root / "splits.mat", columns)


LAYOUT: dict[str, tuple[Damage, type[DataError], str]] = {
    "no splits": (lambda r: _remove(r, "splits.mat"), SourceNotFoundError, "no splits.mat"),
    "no rgb": (lambda r: _remove_folders(r, "rgb"), SourceNotFoundError, "no rgb"),
    "empty rgb": (lambda r: _remove(r, "rgb/*"), SourceNotFoundError, "found none"),
    "other classes": (
        lambda r: _remove_folders(r, "semantic13"), SourceNotFoundError, "--classes 40",
    ),
    "no labels": (
        lambda r: _remove_folders(r, "depth", "semantic13", "semantic40"),
        SourceNotFoundError, "in one of semantic13/, depth/",
    ),
    "broken splits": (
        lambda r: (r / "splits.mat").write_bytes(b"hello"), SampleError, "splits.mat again",
    ),
    "other matrix": (
        lambda r: savemat(r / "splits.mat", {"a": 1}), SampleError, "trainNdxs",
    ),
    "both splits": (lambda r: _one_split(r, [1, 2], [2, 3]), SampleError, "frame 2 is in both"),
    "label without image": (
        lambda r: _remove(r, "rgb/0004.jpg"), SampleError, "rgb/0004.jpg is missing",
    ),
    "image without label": (
        lambda r: _remove(r, "*/0004.png"),
        SampleError, "no label in any of semantic13, depth",
    ),
}  # fmt: skip

FRAME: dict[str, tuple[Damage, str]] = {
    "cut JPEG": (lambda r: cut(r / "rgb/0004.jpg"), "rgb/0004.jpg: .*truncated"),
    "cut PNG": (lambda r: cut(r / "depth/0004.png"), "depth/0004.png: .*truncated"),
    "cut label": (lambda r: cut(r / "semantic13/0004.png"), "semantic13/0004.png: .*truncated"),
    "empty": (lambda r: (r / "rgb/0004.jpg").write_bytes(b""), "the file is empty"),
    "text": (lambda r: (r / "rgb/0004.jpg").write_text("hello"), "should be a JPEG, PNG"),
    "range": (
        lambda r: _write(r, "semantic13/0004.png", np.full((40, 56), 13, np.uint8)),
        r"0\.\.12, or 255 for void; found 13",
    ),
    "size": (
        lambda r: _write(r, "semantic13/0004.png", np.zeros((40, 55), np.uint8)),
        "40x56; found 40x55",
    ),
    "depth size": (
        lambda r: _write(r, "depth/0004.png", np.ones((41, 56), np.uint16)), "found 41x56",
    ),
    "colours": (
        lambda r: _write(r, "semantic13/0004.png", np.zeros((40, 56, 3), np.uint8)),
        "1 channel.* found 3",
    ),
    "8 bits": (
        lambda r: _write(r, "depth/0004.png", np.ones((40, 56), np.uint8)), "found 1 of uint8",
    ),
    "whole frame": (
        lambda r: _write(r, "rgb/0004.jpg", np.zeros((480, 640, 3), np.uint8)), "rows 44..470",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUT)
def test_a_wrong_folder_is_refused_before_any_work(root: Path, name: str) -> None:
    damage, error, text = LAYOUT[name]
    damage(root)
    assert_folder_refused(Nyu, root, error, text)


@pytest.mark.parametrize("name", FRAME)
def test_a_wrong_file_is_named(root: Path, name: str) -> None:
    damage, text = FRAME[name]
    damage(root)
    source = Nyu(root)
    source.splits()
    with pytest.raises(SampleError, match=text) as caught:
        source.read("train", "0004", ("semantic", "depth", "normals"))
    assert caught.value.remedy
    assert "0004" in str(caught.value)
    source.read("train", "0005", ("semantic", "depth", "normals"))


def test_a_label_that_nobody_asks_for_is_not_read(root: Path) -> None:
    cut(root / "semantic13" / "0004.png")
    assert set(Nyu(root).read("train", "0004", ("depth",)).labels) == {"depth"}


def test_a_missing_root_says_what_to_download(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, text in (("nowhere", "nothing of that name"), ("file", "a file"), ("empty", "empty")):
        with pytest.raises(SourceNotFoundError, match=text) as caught:
            Nyu(tmp_path / name).splits()
        assert "cs.nyu.edu" in str(caught.value)


def test_given_normals_have_to_be_there_and_unit(root: Path) -> None:
    with pytest.raises(SourceNotFoundError, match="--normals computed"):
        Nyu(root, normals="given").splits()
    write_normals(root, 8)
    _write(root, "normals/0001.png", np.full((40, 56, 3), 140, np.uint8))
    with pytest.raises(SampleError, match="unit length"):
        Nyu(root, normals="given").read("train", "0001", ("normals",))
