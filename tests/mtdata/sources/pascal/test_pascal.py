"""The source `pascal` on made-up images in its true layout."""

import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.morphology import thin

from mtdata.errors import SourceNotFoundError, UsageError
from mtdata.sources.pascal.classes import PART_IDS, SHARED_WITH_NYU
from mtdata.sources.pascal.layout import OFFICIAL
from mtdata.sources.pascal.source import Pascal
from mtdata.tasks.facts import PASCAL21
from tests.trees.pascal import (
    BODY,
    PEOPLE,
    TRAIN,
    VAL,
    scene_of,
    write_anno,
    write_ids,
    write_label_map,
    write_pascal,
)

ALL = ("semantic", "normals", "parts", "saliency", "edges")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pascal(tmp_path_factory.mktemp("original"))


@pytest.fixture
def home(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / original.name))


def _split_of(key: str) -> str:
    return "train" if key in TRAIN else "val"


def test_splits_are_the_lists_and_val_is_for_testing(home: Path) -> None:
    for root in (home, home.parent):  # the folder itself, or the one it was unpacked in
        source = Pascal(root)
        assert source.splits() == {"train": tuple(sorted(TRAIN)), "val": tuple(sorted(VAL))}
        assert source.roles() == {"train": "train", "val": "test"}
    assert [task.name for task in Pascal.tasks()] == list(ALL)
    assert [task.channels for task in Pascal.tasks()] == [21, 3, 7, 1, 1]


@pytest.mark.parametrize("key", [*TRAIN, *VAL])
def test_labels_are_what_was_drawn(home: Path, key: str) -> None:
    sample, scene = Pascal(home).read(_split_of(key), key, ALL), scene_of(key)
    assert sample.image.shape == (*scene.size, 3)
    semantic = scene.semantic()  # from a PNG with a palette, or a grey one
    np.testing.assert_array_equal(sample.valid["semantic"], semantic != 255)
    np.testing.assert_array_equal(sample.labels["semantic"], np.where(semantic == 255, 0, semantic))
    np.testing.assert_array_equal(sample.labels["saliency"], scene.saliency() == 128)
    assert ("parts" in sample.labels) == (key in PEOPLE)
    if scene.person:
        np.testing.assert_array_equal(sample.labels["parts"], scene.parts_label())
    for name in sample.labels.keys() - {"semantic", "normals"}:
        assert sample.valid[name].all()


def test_normals_are_unit_and_only_where_their_class_has_any(home: Path) -> None:
    key = TRAIN[0]
    sample, scene = Pascal(home).read("train", key, ("normals",)), scene_of(key)
    valid, found = sample.valid["normals"], sample.labels["normals"]
    np.testing.assert_array_equal(valid, np.isin(scene.label_map(), list(SHARED_WITH_NYU)))
    assert 0 < valid.sum() < valid.size
    np.testing.assert_allclose(np.linalg.norm(found[valid], axis=-1), 1, atol=1e-6)
    cosine = (found * scene.normals()).sum(-1)[valid]
    assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max() < 0.5
    assert not found[~valid].any()


def test_classes_that_nobody_knows_have_no_normals(home: Path) -> None:
    label = np.full(scene_of(TRAIN[0]).size, 2**32 - 1, np.uint32)
    label[:9] = 0
    label[9] = max(SHARED_WITH_NYU)
    write_label_map(home, TRAIN[0], label)
    valid = Pascal(home).read("train", TRAIN[0], ("normals",)).valid["normals"]
    assert valid[9].all()
    assert valid.sum() == valid[9].sum()


@pytest.mark.parametrize("grey", [0, 127, 128])
def test_grey_and_black_are_no_normals(home: Path, grey: int) -> None:
    path = home / f"normals_distill/{TRAIN[0]}.png"
    picture = np.array(Image.open(path))
    picture[-3:] = grey
    Image.fromarray(picture).save(path)
    valid = Pascal(home).read("train", TRAIN[0], ("normals",)).valid["normals"]
    assert not valid[-3:].any()
    assert valid[-4].all()


def _laplacian(label: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """By its definition: four times the pixel less its neighbours, mirrored about the edge."""
    h, w = label.shape
    found = np.zeros((h, w), bool)
    for i in range(h):
        for j in range(w):
            around = ((abs(i - 1), j), (h - 1 - abs(h - 2 - i), j), (i, abs(j - 1)),
                      (i, w - 1 - abs(w - 2 - j)))  # fmt: skip
            found[i, j] = sum(int(label[place]) for place in around) != 4 * int(label[i, j])
    return found


def _boundaries(label: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """As `seg2bmap`: another class to the right, below, or both; none beyond the edge."""
    h, w = label.shape
    found = np.zeros((h, w), bool)
    for i in range(h):
        for j in range(w):
            for k, m in ((i, j + 1), (i + 1, j), (i + 1, j + 1)):
                if k < h and m < w and label[k, m] != label[i, j]:
                    found[i, j] = True
    return found


@pytest.mark.parametrize("seed", range(4))
def test_edges_to_learn_from_and_edges_to_score_against(home: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(1, 460, (7, 9)).astype(np.uint16)
    written = {}
    for key in (TRAIN[0], VAL[0]):
        h, w = scene_of(key).size
        written[key] = np.asarray(cv2.resize(coarse, (w, h), interpolation=0), np.uint16)
        write_label_map(home, key, written[key])
    for option, splits in (("split", "lb"), ("target", "ll"), ("boundaries", "bb")):
        source = Pascal(home, edges=option)
        for key, which in zip((TRAIN[0], VAL[0]), splits, strict=True):
            rule = _laplacian if which == "l" else _boundaries
            found = source.read(_split_of(key), key, ("edges",)).labels["edges"]
            np.testing.assert_array_equal(found, thin(rule(written[key])))
            assert found.any()


def test_the_edges_to_learn_from_lose_differences_that_cancel(home: Path) -> None:
    label = np.full((45, 60), 10, np.uint16)
    label[:, 20], label[:, 21:] = 20, 30  # a ramp: 10 + 30 = 2 * 20
    write_label_map(home, TRAIN[0], label)
    target = Pascal(home).read("train", TRAIN[0], ("edges",)).labels["edges"]
    assert not target[:, 20].any()
    source = Pascal(home, edges="boundaries")
    assert source.read("train", TRAIN[0], ("edges",)).labels["edges"][:, 19:21].any()


def test_parts_of_all_people_and_of_nobody_else(home: Path) -> None:
    key = TRAIN[0]
    h, w = scene_of(key).size
    masks = [np.zeros((h, w), np.uint8) for _ in range(4)]
    masks[0][:5], masks[1][10:20], masks[2][15:30], masks[3][30:] = 1, 1, 1, 1
    whole = np.ones((h, w), np.uint8)
    things = [
        (8, whole, {"head": masks[0]}),  # a cat has a head too
        (15, whole, {"lhand": masks[1]}),
        (15, whole, {}),  # a person whose parts nobody has drawn
        (15, whole, {"neck": masks[2], "llleg": masks[3]}),
    ]
    write_anno(home, key, things)
    label = Pascal(home).read("train", key, ("parts",)).labels["parts"]
    expected = np.zeros((h, w), np.uint8)
    expected[10:15], expected[15:30], expected[30:] = 4, 2, 6
    np.testing.assert_array_equal(label, expected)


@pytest.mark.parametrize("masks", [{}, {"head": np.zeros((45, 60), np.uint8)}])
def test_a_person_without_a_pixel_of_a_part_is_no_label(
    home: Path, masks: dict[str, NDArray[np.uint8]]
) -> None:
    write_anno(home, TRAIN[0], [(15, np.ones((45, 60), np.uint8), masks)])
    assert "parts" not in Pascal(home).read("train", TRAIN[0], ALL).labels


def test_no_object_at_all_is_no_label(home: Path) -> None:
    write_anno(home, TRAIN[0], [])
    assert "parts" not in Pascal(home).read("train", TRAIN[0], ALL).labels


def test_a_missing_file_is_a_missing_label(home: Path) -> None:
    key = TRAIN[0]
    (home / f"pascal-context/trainval/{key}.mat").unlink()
    source = Pascal(home)
    # Nothing says where normals are valid without the class map.
    assert source.read("train", key, ALL).labels.keys() == {"semantic", "parts", "saliency"}
    assert any("1 image with normals lack" in text for text in source.remarks())
    (home / f"semseg/VOC12/{key}.png").unlink()
    (home / f"human_parts/{key}.mat").unlink()
    assert Pascal(home).read("train", key, ALL).labels.keys() == {"saliency"}


def test_voc_comes_before_context(home: Path) -> None:
    key = TRAIN[0]
    other = np.full(scene_of(key).size, 20, np.uint8)
    write_ids(home / f"semseg/pascal-context/{key}.png", other, palette=True)
    source = Pascal(home)
    assert not (source.read("train", key, ("semantic",)).labels["semantic"] == 20).any()
    assert source.locate("train", key, "semantic") == home / f"semseg/VOC12/{key}.png"
    (home / f"semseg/VOC12/{key}.png").unlink()
    assert (Pascal(home).read("train", key, ("semantic",)).labels["semantic"] == 20).all()


def test_what_is_not_there_is_told(home: Path) -> None:
    (home / f"JPEGImages/{TRAIN[1]}.jpg").unlink()
    shutil.rmtree(home / "sal_distill")
    source = Pascal(home)
    assert source.splits()["train"] == tuple(sorted({*TRAIN} - {TRAIN[1]}))
    told = source.remarks()
    assert "1 of the 7 images that ImageSets/Context/train.txt names are not in this" in told[0]
    assert "train has 6 of the 4998 official images" in told[0]
    assert told[1].startswith("val has 2 of the 5105 official images")
    assert told[2] == "No file in sal_distill: no image has saliency."
    assert len(told) == 3


def test_nothing_is_told_of_the_whole_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(OFFICIAL, "train", len(TRAIN))
    monkeypatch.setitem(OFFICIAL, "val", len(VAL))
    assert Pascal(home).remarks() == ()


def test_one_list_will_do_and_other_files_are_left_alone(home: Path) -> None:
    (home / "ImageSets/Context/train.txt").unlink()
    (home / "JPEGImages/Thumbs.db").write_bytes(b"")
    (home / "JPEGImages/2012_000001.jpg").write_bytes(b"in no list")
    assert Pascal(home).splits() == {"train": (), "val": tuple(sorted(VAL))}


def test_survives_pickling(home: Path) -> None:
    source = pickle.loads(pickle.dumps(Pascal(home, edges="target")))
    assert source.edges == "target"
    assert source.read("val", VAL[0], ALL).key == VAL[0]


def test_fingerprint_follows_contents_and_options(home: Path) -> None:
    key = TRAIN[0]
    first = Pascal(home).fingerprint("train", key)
    assert len(first) == 32
    assert Pascal(home).fingerprint("train", key) == first
    assert Pascal(home).fingerprint("train", TRAIN[1]) != first
    assert Pascal(home, edges="target").fingerprint("train", key) != first
    # The same bytes in the other folder are the same label, but another state of the source.
    shutil.move(home / f"semseg/VOC12/{key}.png", home / f"semseg/pascal-context/{key}.png")
    assert Pascal(home).fingerprint("train", key) != first


def test_options_are_checked(home: Path) -> None:
    with pytest.raises(UsageError, match="split, target, boundaries"):
        Pascal(home, edges="all")
    with pytest.raises(UsageError, match="no option of the data set `pascal`"):
        Pascal(home, classes=3)
    with pytest.raises(SourceNotFoundError, match="should be given a folder"):
        Pascal(None)


def test_facts() -> None:
    # The colours of PASCAL VOC: the bits of an id, in threes, from the highest bit of a channel on.
    for index, colour in enumerate(PASCAL21.palette):
        for channel, value in enumerate(colour):
            bits = [index >> (3 * place + channel) & 1 for place in range(3)]
            assert value == sum(bit << (7 - place) for place, bit in enumerate(bits))
    assert PASCAL21.names[15] == "person"
    assert len(SHARED_WITH_NYU) == 170
    assert {name for name, _, _ in BODY} <= PART_IDS.keys()
    assert sorted(set(PART_IDS.values())) == [1, 2, 3, 4, 5, 6]
    assert len(PART_IDS) == 24


@pytest.mark.real
def test_the_shared_classes_are_those_of_nyu(shared: Path) -> None:
    import h5py

    with h5py.File(shared / "data/nyuv2_mat/nyu_depth_v2_labeled.mat") as file:
        references = file["names"][()].ravel()
        nyu = {bytes(file[name][()].ravel().astype(np.uint8)).decode() for name in references}
    assert len(nyu) == 894
    assert set(SHARED_WITH_NYU.values()) - nyu == {"tvmonitor"}
    assert not {"unknown", "sky", "grass", "road"} & set(SHARED_WITH_NYU.values())
