"""What is wrong with a copy of Cityscapes is said in one paragraph, with a remedy."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtdata.errors import DataError, SampleError, SourceNotFoundError
from mtdata.sources.cityscapes.source import Cityscapes
from tests.asserts import assert_folder_refused
from tests.trees.cityscapes import (
    CAMERA,
    FOLDERS,
    SIZE,
    TRAIN,
    VAL,
    disparity_of,
    file,
    pack,
    put,
    write_cityscapes,
)
from tests.trees.nyu import cut

Damage = Callable[[Path], object]
FIRST, SECOND, THIRD = TRAIN


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_cityscapes(tmp_path / "cityscapes")


def _remove(root: Path, *folders: str) -> None:
    for folder in folders:
        shutil.rmtree(root / folder)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _move_out(path: Path, root: Path) -> None:
    """Leave a link to where it was moved."""
    target = root.parent / "outside" / path.name
    target.parent.mkdir(exist_ok=True)
    shutil.move(path, target)
    path.symlink_to(target)


def _camera(root: Path, part: str, name: str, value: object) -> None:
    changed = {**CAMERA, part: {**CAMERA[part], name: value}}
    file(root, "camera", FIRST).write_text(json.dumps(changed))


LAYOUT: dict[str, tuple[Damage, type[DataError], str]] = {
    "no images": (
        lambda r: _remove(r, "leftImg8bit"), SourceNotFoundError,
        "should hold leftImg8bit and .* found camera, disparity, gtFine",
    ),
    "no labels": (
        lambda r: _remove(r, "gtFine", "disparity"), SourceNotFoundError,
        "at least one of gtFine and disparity",
    ),
    "no image of train or val": (
        lambda r: _remove(r, "leftImg8bit/train", "leftImg8bit/val"), SourceNotFoundError,
        "such as train/aachen/aachen_000000_000019_leftImg8bit.png; found none",
    ),
    "label without image": (
        lambda r: file(r, "leftImg8bit", FIRST).unlink(), SampleError,
        f"{FIRST}.*this label has no image",
    ),
    "image without label": (
        lambda r: file(r, "gtFine", SECOND).unlink(), SampleError,
        f"{SECOND}_leftImg8bit.png: this image has no label of gtFine or disparity",
    ),
    "image of another split": (
        lambda r: file(r, "leftImg8bit", FIRST).rename(
            r / "leftImg8bit/val/munster" / f"{FIRST}_leftImg8bit.png"
        ),
        SampleError, "this label has no image",
    ),
    "two files": (
        lambda r: _copy(file(r, "gtFine", FIRST), file(r, "gtFine", FIRST, "val")), SampleError,
        "should be the only file of its name",
    ),
    "two cases": (
        lambda r: _copy(file(r, "gtFine", FIRST), file(r, "gtFine", FIRST.title())), SampleError,
        "in whatever case",
    ),
    "link of a file": (
        lambda r: _move_out(file(r, "gtFine", FIRST), r), SampleError, "outside of it",
    ),
    "link of a folder": (
        lambda r: _move_out(r / "gtFine" / "train", r), SampleError, "outside of it",
    ),
    "link of a zip file": (
        lambda r: _move_out(pack(r, "gtFine") / "gtFine_trainvaltest.zip", r), SampleError,
        "outside of it",
    ),
    "broken zip file": (
        lambda r: cut(pack(r, "gtFine") / "gtFine_trainvaltest.zip"), SampleError,
        "gtFine_trainvaltest.zip: should be a whole zip file",
    ),
}  # fmt: skip

IMAGE: dict[str, tuple[Damage, str]] = {
    "cut image": (lambda r: cut(file(r, "leftImg8bit", FIRST)), "leftImg8bit.png: .*truncated"),
    "cut label": (lambda r: cut(file(r, "gtFine", FIRST)), "labelIds.png: .*truncated"),
    "cut disparity": (lambda r: cut(file(r, "disparity", FIRST)), "disparity.png: .*truncated"),
    "id": (
        lambda r: put(file(r, "gtFine", FIRST), np.full(SIZE, 34, np.uint8)),
        r"ids should be 0\.\.33; found 34",
    ),
    "colours": (
        lambda r: put(file(r, "gtFine", FIRST), np.zeros((*SIZE, 3), np.uint8)), "found 3 of uint8",
    ),
    "8 bits": (
        lambda r: put(file(r, "disparity", FIRST), np.ones(SIZE, np.uint8)), "found 1 of uint8",
    ),
    "size": (
        lambda r: put(file(r, "gtFine", FIRST), np.ones((32, 63), np.uint8)), "found 32x63",
    ),
    "size of disparity": (
        lambda r: put(file(r, "disparity", FIRST), disparity_of((16, 32))), "32x64; found 16x32",
    ),
    "no JSON": (lambda r: cut(file(r, "camera", FIRST)), "camera.json: .*is no JSON"),
    "deep JSON": (
        lambda r: file(r, "camera", FIRST).write_text("[" * 100_000), "too deep in each other",
    ),
    "no object": (lambda r: file(r, "camera", FIRST).write_text("[1]"), "one of them is no number"),
    "no baseline": (
        lambda r: file(r, "camera", FIRST).write_text('{"intrinsic": {}}'), "is missing",
    ),
    "text": (lambda r: _camera(r, "intrinsic", "fx", "wide"), "one of them is no number"),
    "infinite": (lambda r: _camera(r, "intrinsic", "u0", float("inf")), "finite"),
    "behind": (lambda r: _camera(r, "extrinsic", "baseline", -0.2), "found .*baseline -0.2"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUT)
def test_a_wrong_folder_is_refused_before_any_work(root: Path, name: str) -> None:
    damage, error, text = LAYOUT[name]
    damage(root)
    assert_folder_refused(Cityscapes, root, error, text)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", IMAGE)
def test_a_wrong_file_is_named(root: Path, name: str, *, zipped: bool) -> None:
    damage, text = IMAGE[name]
    damage(root)
    source = Cityscapes(pack(root, *FOLDERS) if zipped else root, depth="m")
    with pytest.raises(SampleError, match=text) as caught:
        source.read("train", FIRST, ("semantic", "depth"))
    assert FIRST in str(caught.value)
    assert str(root) in str(caught.value)
    assert "\n" not in str(caught.value)
    source.read("train", SECOND, ("semantic", "depth"))


def test_a_label_that_nobody_asks_for_is_not_read(root: Path) -> None:
    cut(file(root, "gtFine", FIRST))
    assert set(Cityscapes(root).read("train", FIRST, ("depth",)).labels) == {"depth"}


def test_a_missing_root_says_what_to_download(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, text in (("nowhere", "nothing of that name"), ("file", "a file"), ("empty", "empty")):
        with pytest.raises(SourceNotFoundError, match=text) as caught:
            Cityscapes(tmp_path / name).splits()
        assert "leftImg8bit_trainvaltest.zip" in str(caught.value)


def test_without_val_there_is_no_such_split(root: Path) -> None:
    for folder in FOLDERS:
        shutil.rmtree(root / folder / "val")
    source = Cityscapes(root)
    assert source.roles() == {"train": "train"}
    assert source.remarks()[-1] == "no image of val is in this copy."


def test_cities_that_lack_all_images_or_all_labels_are_told(root: Path) -> None:
    shutil.rmtree(root / "leftImg8bit/train/bochum")
    for folder in ("gtFine", "disparity"):
        shutil.rmtree(root / folder / "val/munster")
    source = Cityscapes(root)
    assert source.splits() == {"train": TRAIN[:2], "val": VAL[:1]}
    assert source.remarks()[:2] == (
        "Left out: 1 image of val: no file of their cities has its label.",
        "Left out: 1 label of train: no file of their cities has its image.",
    )


def test_links_within_the_folder_are_followed(root: Path) -> None:
    path = file(root, "gtFine", FIRST)
    kept = root / "kept.png"
    shutil.move(path, kept)
    path.symlink_to(kept)
    assert "semantic" in Cityscapes(root).read("train", FIRST, ("semantic",)).labels
    (root.parent / "alias").symlink_to(root)
    assert Cityscapes(root.parent / "alias").splits()["train"] == TRAIN


def test_files_that_are_not_named_so_are_left_alone(root: Path) -> None:
    city = root / "leftImg8bit/train/aachen"
    (city / "Thumbs.db").touch()
    (city / "notes_leftImg8bit.png").touch()
    assert Cityscapes(root).splits()["train"] == TRAIN


def test_metres_are_no_label_without_a_camera(root: Path) -> None:
    file(root, "gtFine", FIRST).unlink()
    file(root, "camera", FIRST).unlink()
    assert Cityscapes(root).splits()["train"] == TRAIN
    with pytest.raises(SampleError, match="no label of gtFine or disparity with a camera"):
        Cityscapes(root, depth="m").splits()
