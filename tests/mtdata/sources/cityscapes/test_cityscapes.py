"""The source `cityscapes` on made-up images in its true layout."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from mtdata.building.build import build
from mtdata.errors import SampleError, SourceNotFoundError, UsageError
from mtdata.sources.cityscapes.frame import DEPTHS, FRAME, decode_camera
from mtdata.sources.cityscapes.ids import IDS, table
from mtdata.sources.cityscapes.source import Cityscapes
from mtdata.store import open_store
from mtdata.tasks.sample import Camera
from tests.trees.cityscapes import (
    FOLDERS,
    SIZE,
    TRAIN,
    VAL,
    disparity_of,
    file,
    ids_of,
    pack,
    write_cityscapes,
)

ALL = ("semantic", "depth")
VOID = 255
# Training id and category of each official id, 0 to 33, copied out by hand.
PUBLISHED = {
    19: [255] * 7 + [0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    + [15, 255, 255, 16, 17, 18],
    7: [255] * 7 + [0] * 4 + [1] * 6 + [2] * 4 + [3] * 2 + [4] + [5] * 2 + [6] * 8,
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_cityscapes(tmp_path / "cityscapes")


@pytest.mark.parametrize("classes", [7, 19])
def test_the_table_of_ids(classes: int) -> None:
    assert table(classes).tolist() == PUBLISHED[classes]
    assert len(IDS) == 34
    assert Cityscapes.tasks(classes=classes)[0].channels == classes


def test_splits_are_sorted_and_without_the_test_split(root: Path) -> None:
    source = Cityscapes(root)
    assert source.splits() == {"train": TRAIN, "val": VAL}
    assert source.roles() == {"train": "train", "val": "test"}
    assert [note.split(" are ")[0] for note in source.remarks()] == [
        "2972 of the 2975 official images of train",
        "498 of the 500 official images of val",
    ]


@pytest.mark.parametrize("classes", [7, 19])
def test_semantic_labels(root: Path, classes: int) -> None:
    sample = Cityscapes(root, classes=classes).read("train", TRAIN[0], ALL)
    expected = np.array(PUBLISHED[classes])[ids_of()]
    assert (sample.valid["semantic"] == (expected != VOID)).all()
    assert (sample.labels["semantic"] == np.where(expected == VOID, 0, expected)).all()


@pytest.mark.parametrize("unit", ["disparity", "px", "m"])
def test_depth_in_every_unit(root: Path, unit: str) -> None:
    sample = Cityscapes(root, depth=unit).read("train", TRAIN[0], ALL)
    label, valid = sample.labels["depth"], sample.valid["depth"]
    assert label.dtype == np.float32
    for place, p in np.ndenumerate(disparity_of()):
        pixels = (int(p) - 1) / 256
        expected = {
            "disparity": p / 65535,
            "px": pixels,
            "m": 0.209313 * 2262.52 / pixels if pixels else 0.0,
        }[unit]
        assert valid[place] == (p > (1 if unit == "m" else 0))
        if valid[place]:
            assert label[place] == np.float32(expected)
    if unit == "disparity":
        assert f"{label.max():.4f}" == "0.4922"


@pytest.mark.parametrize("unit", ["disparity", "px"])
def test_integers_of_the_source_stay_integers(unit: str) -> None:
    stored = np.arange(65536, dtype=np.uint16)[None]
    assert (DEPTHS[unit].encode(*DEPTHS[unit].decode(stored)) == stored).all()


def test_an_image_keeps_what_it_has(root: Path) -> None:
    source = Cityscapes(root)
    assert set(source.read("train", TRAIN[0], ALL).labels) == {"semantic", "depth"}
    assert set(source.read("train", TRAIN[1], ALL).labels) == {"semantic"}
    assert set(source.read("train", TRAIN[2], ALL).labels) == {"depth"}
    assert set(source.read("val", VAL[0], ("depth",)).labels) == {"depth"}


def test_the_camera_is_that_of_the_image(root: Path) -> None:
    source = Cityscapes(root)
    official = Camera(2262.52, 2265.30, 1096.98, 513.137)
    scaled = official.scale(SIZE[1] / FRAME[1], SIZE[0] / FRAME[0])
    assert source.read("train", TRAIN[0], ()).camera == scaled
    assert source.read("train", TRAIN[1], ()).camera is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1, column 2 is no JSON"),
        ("9" * 5000, "too many digits"),
        ('{"intrinsic": {"fx": 1}}', "'fy' is missing"),
        ("[]", "one of them is no number"),
        ('{"intrinsic": {"fx": 1' + "0" * 400 + "}}", "one of them is no number"),
    ],
)
def test_a_camera_that_is_none_is_told_in_our_words(text: str, said: str) -> None:
    with pytest.raises(SampleError, match=said) as caught:
        decode_camera(text.encode(), Path("a_camera.json"))
    assert "Error" not in str(caught.value)


def test_metres_need_a_camera(root: Path) -> None:
    file(root, "camera", TRAIN[0]).unlink()
    source = Cityscapes(root, depth="m")
    assert set(source.read("train", TRAIN[0], ALL).labels) == {"semantic"}
    assert "1 image with a disparity but no camera" in source.remarks()[-1]
    assert set(Cityscapes(root).read("train", TRAIN[0], ALL).labels) == {"semantic", "depth"}


@pytest.mark.parametrize("zipped", [FOLDERS, ("leftImg8bit", "camera"), ("gtFine", "disparity")])
def test_zip_files_hold_the_same(root: Path, zipped: tuple[str, ...]) -> None:
    source = Cityscapes(root)
    keys = [(split, key) for split, keys in source.splits().items() for key in keys]
    before = [source.fingerprint(*at) for at in keys]
    samples = [source.read(*at, ALL) for at in keys]
    source = pickle.loads(pickle.dumps(Cityscapes(pack(root, *zipped))))
    assert [source.fingerprint(*at) for at in keys] == before
    again = pickle.loads(pickle.dumps(source))
    for at, sample in zip(keys, samples, strict=True):
        found = again.read(*at, ALL)
        assert (found.image == sample.image).all()
        assert found.labels.keys() == sample.labels.keys()
        assert found.camera == sample.camera
    where = source.locate("train", TRAIN[0], None)
    assert (f"{zipped[0]}_trainvaltest.zip" in str(where)) == ("leftImg8bit" in zipped)


def test_a_folder_goes_before_the_zip_file_beside_it(root: Path) -> None:
    (root / "gtFine_trainvaltest.zip").write_bytes(b"whatever")
    source = Cityscapes(root)
    assert source.splits()["train"] == TRAIN
    assert source.remarks()[0] == "gtFine/ is read, and not gtFine_trainvaltest.zip beside it."


def test_a_build_is_the_same_from_folders_and_zip_files(root: Path, tmp_path: Path) -> None:
    stores = []
    for name in ("folders", "zips"):
        out = tmp_path / f"{name}.h5"
        build(Cityscapes(root), out, size=(16, 32), jobs=2 if name == "zips" else 1)
        stores.append(open_store(out))
        pack(root, *FOLDERS) if name == "folders" else None
    first, second = stores
    assert first.content_digest == second.content_digest
    assert first.source_digest == second.source_digest
    split = first.split("train")
    assert (split.valid_pixels > 0).tolist() == [[True, True], [True, False], [False, True]]
    depth = split.read(2, ["depth"]).labels["depth"]
    # Nearest neighbour, and the disparity is that of the full size.
    picked = disparity_of()[1::2, 1::2]
    assert (depth == (picked.astype(np.float64) / 65535).astype(np.float32)).all()
    for store in stores:
        store.close()


def test_fingerprint_follows_contents_and_options(root: Path) -> None:
    first = Cityscapes(root).fingerprint("train", TRAIN[0])
    assert len(first) == 32
    assert Cityscapes(root).fingerprint("train", TRAIN[0]) == first
    assert Cityscapes(root, classes=19).fingerprint("train", TRAIN[0]) != first
    assert Cityscapes(root, depth="px").fingerprint("train", TRAIN[0]) != first
    for folder in FOLDERS:
        path = file(root, folder, TRAIN[0])
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        assert Cityscapes(root).fingerprint("train", TRAIN[0]) != first
        path.write_bytes(content)


def test_says_where_things_are_from(root: Path) -> None:
    source = Cityscapes(root)
    assert source.locate("train", TRAIN[0], None) == file(root, "leftImg8bit", TRAIN[0])
    assert source.locate("train", TRAIN[0], "semantic") == file(root, "gtFine", TRAIN[0])
    assert source.locate("train", TRAIN[0], "depth") == file(root, "disparity", TRAIN[0])
    assert source.locate("train", TRAIN[1], "depth") == file(root, "leftImg8bit", TRAIN[1])


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="7 or 19"):
        Cityscapes.tasks(classes=13)
    with pytest.raises(UsageError, match="disparity, px or m"):
        Cityscapes.tasks(depth="feet")
    with pytest.raises(UsageError, match="`normals` is no option of the data set `cityscapes`"):
        Cityscapes.tasks(normals="given")
    with pytest.raises(SourceNotFoundError, match="should be given a folder"):
        Cityscapes(None)


@pytest.mark.real
def test_real_images(shared: Path) -> None:
    source = Cityscapes(shared / "data" / "cityscapes", classes=19, depth="m")
    assert list(source.splits()) == ["train"]
    assert len(source.splits()["train"]) == 5
    assert "no image of val is in this copy." in source.remarks()
    sample = source.read("train", "aachen_000001_000019", ALL)
    assert sample.image.shape == (*FRAME, 3)
    assert sample.camera is not None
    depth, valid = sample.labels["depth"], sample.valid["depth"]
    road = valid & sample.valid["semantic"] & (sample.labels["semantic"] == 0)
    rows = np.nonzero(road)[0]
    # The camera stands 1.22 m above the road and looks down by 0.038: every pixel of it agrees.
    drop = (rows + 0.5 - sample.camera.cy) / sample.camera.fy
    height = depth[road] * (drop * np.cos(0.038) + np.sin(0.038))
    assert abs(np.median(height) - 1.22) < 0.1
    assert set(source.read("train", "cologne_000088_000019", ALL).labels) == {"depth"}
    assert set(source.read("train", "aachen_000000_000019", ALL).labels) == {"semantic"}
