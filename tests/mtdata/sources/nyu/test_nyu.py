"""The source `nyu` on made-up frames in its true layout."""

import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from mtdata.errors import SourceNotFoundError, UsageError
from mtdata.sources.nyu.frame import camera_of
from mtdata.sources.nyu.source import Nyu
from tests.trees.nyu import SIZE, depth_of, semantic_of, write_normals, write_nyu

ALL = ("semantic", "depth", "normals")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_nyu(tmp_path / "nyu")


def test_splits_are_the_official_ones_and_sorted(root: Path) -> None:
    source = Nyu(root)
    assert source.splits() == {
        "train": ("0001", "0002", "0004", "0005", "0007"),
        "test": ("0003", "0006", "0008"),
    }
    assert source.roles() == {"train": "train", "test": "test"}
    assert source.remarks() == ()


@pytest.mark.parametrize("classes", [13, 40])
def test_labels_are_what_the_files_hold(root: Path, classes: int) -> None:
    source = Nyu(root, classes=classes)
    sample = source.read("train", "0004", ALL)
    stored = semantic_of(4, classes)
    assert (sample.valid["semantic"] == (stored != 255)).all()
    assert (sample.labels["semantic"] == np.where(stored == 255, 0, stored)).all()
    assert sample.labels["depth"].dtype == np.float32
    assert (sample.labels["depth"] == (depth_of(4) * 0.001).astype(np.float32)).all()
    assert sample.image.shape == (*SIZE, 3)
    assert sample.camera == camera_of(*SIZE)
    assert source.tasks(classes=classes)[0].channels == classes


def test_red_is_first(root: Path) -> None:
    red = np.zeros((*SIZE, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes blue first
    cv2.imwrite(str(root / "rgb" / "0001.jpg"), red)
    image = Nyu(root).read("train", "0001", ()).image
    assert image[..., 0].min() > 200
    assert image[..., 2].max() < 50


def test_normals_come_from_depth(root: Path) -> None:
    sample = Nyu(root).read("train", "0001", ("normals",))
    normals = sample.labels["normals"]
    assert sample.valid["normals"].all()
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-6)
    # A millimetre is a coarse step at this size: the two planes to a degree, away from their edge.
    assert (normals[:10, ..., 2] > np.cos(np.deg2rad(1))).all()
    assert (normals[-1:, ..., 1] > np.cos(np.deg2rad(1))).all()


@pytest.mark.parametrize("bits", [8, 16])
def test_normals_are_given(root: Path, bits: int) -> None:
    expected = write_normals(root, bits)
    sample = Nyu(root, normals="given").read("train", "0001", ("normals",))
    assert not sample.valid["normals"][0, 0]
    assert sample.valid["normals"].sum() == expected[..., 0].size - 1
    cosine = (sample.labels["normals"] * expected).sum(-1)[sample.valid["normals"]]
    assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max() < (0.5 if bits == 8 else 0.05)


def test_a_missing_file_is_a_missing_label(root: Path) -> None:
    (root / "semantic13" / "0001.png").unlink()
    (root / "depth" / "0002.png").unlink()
    source = Nyu(root)
    assert set(source.read("train", "0001", ALL).labels) == {"depth", "normals"}
    assert set(source.read("train", "0002", ALL).labels) == {"semantic"}
    assert set(source.read("train", "0004", ("depth",)).labels) == {"depth"}


def test_frames_that_are_not_there_are_told(root: Path) -> None:
    for folder in ("rgb", "depth", "semantic13", "semantic40"):
        for path in (root / folder).glob("0001.*"):
            path.unlink()
    source = Nyu(root)
    assert source.splits()["train"] == ("0002", "0004", "0005", "0007")
    assert len(source.remarks()) == 1
    assert "1 of the 5 official frames of train" in source.remarks()[0]


def test_files_that_are_no_frames_are_left_alone(root: Path) -> None:
    (root / "rgb" / "Thumbs.db").write_bytes(b"")
    (root / "rgb" / "notes.jpg").write_bytes(b"")
    assert len(Nyu(root).splits()["train"]) == 5


def test_survives_pickling(root: Path) -> None:
    source = pickle.loads(pickle.dumps(Nyu(root, classes=40)))
    assert source.options["classes"] == 40
    assert source.read("test", "0003", ALL).key == "0003"


def test_fingerprint_follows_contents_and_options(root: Path) -> None:
    first = Nyu(root).fingerprint("train", "0001")
    assert len(first) == 32
    assert Nyu(root).fingerprint("train", "0001") == first
    assert Nyu(root).fingerprint("train", "0002") != first
    assert Nyu(root, classes=40).fingerprint("train", "0001") != first
    shutil.copy(root / "depth" / "0002.png", root / "depth" / "0001.png")
    assert Nyu(root).fingerprint("train", "0001") != first


def test_says_where_things_are_from(root: Path) -> None:
    source = Nyu(root)
    assert source.box("train", "0001") == ((480, 640), (44, 40, 427, 561))
    assert source.locate("train", "0001", None) == root / "rgb" / "0001.jpg"
    assert source.locate("train", "0001", "semantic") == root / "semantic13" / "0001.png"
    assert source.locate("train", "0001", "normals") == root / "depth" / "0001.png"


def test_the_camera_of_a_stored_frame() -> None:
    # The centre of the first kept pixel is pixel (45, 41) of the toolbox, which counts from 1.
    camera = camera_of(427, 561)
    ray = (0.5 - camera.cx) / camera.fx, (0.5 - camera.cy) / camera.fy
    expected = (41 - 325.582449) / 518.857901, (45 - 253.736166) / 519.469611
    np.testing.assert_allclose(ray, expected, rtol=1e-12)


def test_options_are_checked(root: Path) -> None:
    with pytest.raises(UsageError, match="13 or 40"):
        Nyu(root, classes=12)
    with pytest.raises(UsageError, match="computed or given"):
        Nyu(root, normals="guessed")
    with pytest.raises(UsageError, match="`images` is no option of the data set `nyu`"):
        Nyu.tasks(images=3)
    with pytest.raises(SourceNotFoundError, match="should be given a folder"):
        Nyu(None)


@pytest.mark.real
def test_real_frames(shared: Path) -> None:
    source = Nyu(shared / "data" / "nyuv2")
    splits = source.splits()
    assert (len(splits["train"]), len(splits["test"])) == (795, 654)
    floors = []
    for key in splits["train"][::53]:
        sample = source.read("train", key, ALL)
        normals, semantic = sample.labels["normals"], sample.labels["semantic"]
        assert sample.valid["normals"].all()
        np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=1e-5)
        assert 0.3 < sample.labels["depth"].min() < sample.labels["depth"].max() < 10.1
        floor = sample.valid["semantic"] & (semantic == 4)
        if floor.sum() > 2000:
            up = np.median(normals[floor], axis=0)
            floors.append(up[1])
            walls = sample.valid["semantic"] & (semantic == 11)
            if walls.sum() > 2000:
                # The floor is perpendicular to most of what is called wall.
                angle = np.abs(normals[walls] @ (up / np.linalg.norm(up)))
                assert np.median(angle) < np.sin(np.deg2rad(20))
    assert len(floors) > 3
    assert min(floors) > 0.8
