"""The source `nyu` on the official MATLAB file."""

import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from mtdata.building.build import build
from mtdata.errors import DataError, SampleError, SourceNotFoundError, UsageError
from mtdata.inspecting.verify import verify
from mtdata.sources.nyu.classes import OWN, TO_13, published_40
from mtdata.sources.nyu.frame import CAMERA, camera_of
from mtdata.sources.nyu.matfile import FILE
from mtdata.sources.nyu.source import Nyu
from mtdata.store import open_store
from mtdata.tasks.sample import Sample
from tests.trees.nyu import cut, write_nyu
from tests.trees.nyu_mat import (
    MAP_CLASS,
    arrays,
    depth_of,
    image_of,
    labels_of,
    raw_of,
    write_mat,
    write_splits,
)

ALL = ("semantic", "depth", "normals")
Damage = Callable[[Path], object]
KEPT = np.s_[44:471, 40:601]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_mat(tmp_path_factory.mktemp("mat") / "nyu")


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "parent" / "nyu"))


def test_the_layout_is_recognised(root: Path) -> None:
    source = Nyu(root)
    assert source.options == {
        "classes": 13, "normals": "computed", "depth": "filled", "crop": "default",
        "layout": "mat",
    }  # fmt: skip
    assert source.splits() == {"train": ("0001", "0003"), "test": ("0002",)}
    assert source.remarks() == ()
    assert source.box("train", "0001") == ((480, 640), (44, 40, 427, 561))
    # Somebody prepared folders beside the file: they are what is wanted, unless it is said.
    write_nyu(root)
    assert Nyu(root).options["layout"] == "folders"
    assert Nyu(root, layout="mat").options["layout"] == "mat"


@pytest.mark.parametrize("classes", [13, 40])
def test_a_frame_is_upright_cropped_and_mapped(made: Path, classes: int) -> None:
    source = Nyu(made, classes=classes)
    sample = source.read("train", "0003", ALL)
    np.testing.assert_array_equal(sample.image, image_of(3)[KEPT])
    raw = labels_of(3)[KEPT]
    np.testing.assert_array_equal(sample.valid["semantic"], raw != 0)
    for value in np.unique(raw[raw != 0]):
        forty = MAP_CLASS[value - 1]
        wanted = forty - 1 if classes == 40 else TO_13[forty - 1] - 1
        assert (sample.labels["semantic"][raw == value] == wanted).all()
    assert sample.labels["depth"].dtype == np.float32
    np.testing.assert_array_equal(sample.labels["depth"], depth_of(3)[KEPT])
    assert sample.valid["depth"].all()
    facing = np.broadcast_to((0.0, 0.0, 1.0), (427, 561, 3))
    np.testing.assert_allclose(sample.labels["normals"], facing, atol=1e-4)
    assert sample.camera == camera_of(427, 561)
    assert source.tasks(**source.options)[1].kind.storage()["dtype"] == "float32"


def test_raw_depth_has_holes(made: Path) -> None:
    sample = Nyu(made, depth="raw").read("train", "0001", ("depth", "normals"))
    np.testing.assert_array_equal(sample.valid["depth"], raw_of(1)[KEPT] > 0)
    assert not sample.valid["depth"].all()
    assert not sample.valid["normals"][~sample.valid["depth"]].any()


def test_the_crop_is_an_option(made: Path) -> None:
    whole = Nyu(made, crop="none")
    assert whole.box("train", "0001") == ((480, 640), (0, 0, 480, 640))
    sample = whole.read("train", "0001", ("depth",))
    np.testing.assert_array_equal(sample.image, image_of(1))
    assert sample.camera == CAMERA
    part = Nyu(made, crop=(10, 20, 100, 200)).read("train", "0001", ("semantic",))
    np.testing.assert_array_equal(part.image, image_of(1)[10:110, 20:220])
    assert part.camera == CAMERA.crop(20.0, 10.0)
    assert Nyu(made, crop="10, 20,100,200").options["crop"] == "10,20,100,200"


@pytest.mark.parametrize("size", [(480, 640), (427, 561)])
def test_normals_are_given_whole_or_cropped(root: Path, size: tuple[int, int]) -> None:
    (root / "normals").mkdir()
    (root / "normals_mask").mkdir()
    vector = np.zeros((*size, 3), np.float32)
    vector[..., 1] = 1
    vector[-1] = 0
    np.save(root / "normals" / "0001.npy", vector)
    cv2.imwrite(str(root / "normals" / "0002.png"), np.full((*size, 3), (255, 128, 128), np.uint8))
    mask = np.full(size, 255, np.uint8)
    mask[200:300, 300:400] = 0
    cv2.imwrite(str(root / "normals_mask" / "0002.png"), mask)
    source = Nyu(root, normals="given")
    sample = source.read("train", "0001", ALL)
    assert sample.labels["normals"].shape == (427, 561, 3)
    assert (sample.labels["normals"][:380, :, 1] == 1).all()
    assert sample.valid["normals"].all() == (size == (480, 640))  # the void row is cut off there
    masked = source.read("test", "0002", ("normals",))
    assert not masked.valid["normals"].all()
    assert (~masked.valid["normals"]).sum() == 100 * 100
    assert masked.labels["normals"][0, 0, 2] > 0.999
    assert set(source.read("train", "0003", ALL).labels) == {"semantic", "depth"}
    assert str(source.locate("train", "0001", "normals")).endswith("0001.npy")
    before = source.fingerprint("test", "0002")
    cv2.imwrite(str(root / "normals_mask" / "0002.png"), mask // 2)
    assert source.fingerprint("test", "0002") != before


def test_normals_of_another_size_are_refused(root: Path) -> None:
    (root / "normals").mkdir()
    np.save(root / "normals" / "0001.npy", np.ones((288, 384, 3)) / np.sqrt(3))
    with pytest.raises(SampleError, match="480x640, or of the part that is kept, 427x561"):
        Nyu(root, normals="given").read("train", "0001", ("normals",))


def test_survives_pickling_while_open(made: Path) -> None:
    source = Nyu(made)
    first = source.read("train", "0001", ALL)
    again = pickle.loads(pickle.dumps(source)).read("train", "0001", ALL)
    np.testing.assert_array_equal(first.image, again.image)
    assert len(pickle.dumps(source)) < 10_000  # no frame travels


def test_what_is_read_may_be_changed(made: Path) -> None:
    source = Nyu(made, crop="none")
    sample = source.read("train", "0001", ("depth",))
    sample.image[:] = 0
    sample.labels["depth"][:] = 0
    again = source.read("train", "0001", ("depth",))
    assert again.image.any()
    assert again.labels["depth"].all()


def test_fingerprint_follows_contents_options_and_mapping(root: Path) -> None:
    first = Nyu(root).fingerprint("train", "0001")
    assert len(first) == 32
    assert Nyu(root).fingerprint("train", "0001") == first
    others = [Nyu(root, classes=40), Nyu(root, depth="raw"), Nyu(root, crop="none")]
    assert len({first, *(other.fingerprint("train", "0001") for other in others)}) == 4
    savemat(root / "classMapping40.mat", {"mapClass": np.ones((1, 894), np.uint8)})
    second = Nyu(root).fingerprint("train", "0001")
    assert second != first
    labels = arrays()["labels"]
    labels[0, 300, 200] += 1
    (write_mat(root.parent / "other", {"labels": labels}) / FILE).replace(root / FILE)
    assert Nyu(root).fingerprint("train", "0001") != second
    assert Nyu(root).fingerprint("train", "0003") != first


def test_the_mapping_may_lie_beside_the_folder(root: Path) -> None:
    beside = root.parent / "nyuv2-meta-data"
    beside.mkdir()
    wanted = Nyu(root).read("train", "0001", ("semantic",))
    (root / "classMapping40.mat").rename(beside / "classMapping40.mat")
    source = Nyu(root)
    assert str(beside / "classMapping40.mat") in source.remarks()[0]
    found = source.read("train", "0001", ("semantic",))
    np.testing.assert_array_equal(found.labels["semantic"], wanted.labels["semantic"])


@pytest.mark.parametrize("classes", [13, 40])
def test_classes_need_no_file(root: Path, classes: int, tmp_path: Path) -> None:
    (root / "classMapping40.mat").unlink()
    source = Nyu(root, classes=classes)
    assert not any("classes" in remark for remark in source.remarks())
    label = source.read("train", "0001", ("semantic",)).labels["semantic"]
    raw = arrays()["labels"][0].T[KEPT]
    to_40 = np.concatenate([[0], published_40()])
    wanted = to_40[raw] if classes == 40 else np.array([0, *TO_13])[to_40[raw]]
    np.testing.assert_array_equal(label[raw > 0] + 1, wanted[raw > 0])
    assert build(source, tmp_path / "a.h5", tasks=["semantic"]).splits["train"].images


def test_the_table_of_40_says_what_the_paper_says() -> None:
    table = published_40()
    assert np.bincount(table)[1:].tolist() == [1] * 37 + [68, 82, 707]
    # Names of the official file: wall, floor, cabinet, bed, chair; bottle is a prop.
    assert table[np.array([21, 11, 3, 157, 5, 2]) - 1].tolist() == [1, 2, 3, 4, 5, 40]


def test_frames_of_no_split_are_told(root: Path) -> None:
    write_splits(root, (1,), (2,))
    assert "1 of the 3 frames" in Nyu(root).remarks()[0]


def test_it_becomes_a_store(made: Path, tmp_path: Path) -> None:
    source = Nyu(made)
    summary = build(source, tmp_path / "nyu.h5", size=(288, 384))
    assert summary.splits["train"].labels == {"semantic": 2, "depth": 2, "normals": 2}
    store = open_store(summary.path)
    split = store.split("train")
    assert split.size == (288, 384)
    sample = split.read(0, ALL)
    assert sample.camera is not None
    assert sample.camera == camera_of(288, 384)
    assert (sample.labels["depth"] == np.float32(2.1)).all()
    assert verify(summary.path).ok


def _without(name: str) -> Damage:
    return lambda root: write_mat(root, {name: None})


def _with(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Damage:
    return lambda root: write_mat(root, {name: change(arrays()[name])})


def _set(name: str, value: float) -> Damage:
    return _with(name, lambda array: np.where(_first_pixel(array), array.dtype.type(value), array))


def _first_pixel(array: np.ndarray) -> np.ndarray:
    """One pixel of the first frame, inside the crop."""
    chosen = np.zeros(array.shape, np.bool_)
    chosen[0, 300, 200] = True
    return chosen


def _link_out(root: Path) -> None:
    outside = root.parent / "elsewhere.mat"
    (root / FILE).rename(outside)
    (root / FILE).symlink_to(outside)


FAULTS: dict[str, tuple[Damage, type[DataError], str]] = {
    "truncated": (lambda r: cut(r / FILE), SampleError, "whole MATLAB 7.3 file.*truncated"),
    "not HDF5": (lambda r: (r / FILE).write_bytes(b"MATLAB 5.0"), SampleError, "MATLAB 7.3"),
    "no labels": (_without("labels"), SampleError, "`labels`; found depths, images, rawDepths"),
    "no images": (_without("images"), SampleError, "should hold `images`"),
    "axes in order": (
        _with("images", lambda a: a.transpose(0, 3, 2, 1)), SampleError,
        r"`images` should be unsigned integers \[3, 3, 640, 480\]; found uint8 \[3, 480, 640, 3\]",
    ),
    "fewer depths": (_with("depths", lambda a: a[:2]), SampleError, r"\[2, 640, 480\]"),
    "float labels": (
        _with("labels", lambda a: a.astype(np.float32)), SampleError, "found float32",
    ),
    "unknown id": (_set("labels", 895), SampleError, r"0\.\.894; found 895 in frame 1"),
    "NaN": (_set("depths", np.nan), SampleError, "finite metres; found nan in frame 1"),
    "infinite": (_set("depths", np.inf), SampleError, "found inf"),
    "negative": (_set("depths", -1), SampleError, "found -1 in frame 1"),
    "split beyond": (
        lambda r: write_splits(r, (1, 4), (2,)), SampleError, r"1\.\.3.*found 4",
    ),
    "split from 0": (lambda r: write_splits(r, (0, 1), (2,)), SampleError, "found 0"),
    "both splits": (lambda r: write_splits(r, (1, 2), (2,)), SampleError, "in both"),
    "no splits": (lambda r: (r / "splits.mat").unlink(), SourceNotFoundError, "splits.mat beside"),
    "other mapping": (
        lambda r: savemat(r / "classMapping40.mat", {"mapClass": np.zeros((1, 9))}),
        SampleError, "894 classes of",
    ),
    "broken mapping": (
        lambda r: (r / "classMapping40.mat").write_bytes(b"hello"), SampleError, "mapClass",
    ),
    "link": (_link_out, SampleError, "link to"),
}  # fmt: skip


def _read_first(source: Nyu) -> None:
    source.splits()
    source.read("train", "0001", ALL)


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_said_in_one_paragraph(root: Path, name: str) -> None:
    damage, error, text = FAULTS[name]
    damage(root)
    with pytest.raises(error, match=text) as caught:
        _read_first(Nyu(root))
    assert caught.value.exit_code == 3
    assert str(root.parent) in str(caught.value)


def test_a_damaged_frame_leaves_the_others(root: Path) -> None:
    with h5py.File(root / FILE, "r") as file:
        chunk = file["depths"].id.get_chunk_info(0)
    with (root / FILE).open("r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * 16)
    source = Nyu(root)
    with pytest.raises(SampleError, match="`depths` of frame 1 cannot be read"):
        source.read("train", "0001", ALL)
    source.read("train", "0003", ALL)


OPTIONS = (
    ({"depth": "measured"}, "filled or raw"),
    ({"crop": "some"}, "inside the frame"),
    ({"crop": "0,0,481,640"}, "inside the frame"),
    ({"crop": (0, 0, 0, 10)}, "inside the frame"),
    ({"layout": "zip"}, "folders, mat or mtan"),
)


@pytest.mark.parametrize(("options", "text"), OPTIONS)
def test_options_are_checked(made: Path, options: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Nyu(made, **options)


def test_options_that_mean_nothing_for_prepared_folders(tmp_path: Path) -> None:
    root = write_nyu(tmp_path / "nyu")
    with pytest.raises(UsageError, match="`depth` should be left out for the layout `folders`"):
        Nyu(root, depth="raw")
    # There the crop tells how they were cropped: the camera follows.
    assert Nyu(root, crop="none").read("train", "0001", ()).camera == camera_of(
        40, 56, (0, 0, 480, 640)
    )


def test_two_files_for_one_frame(tmp_path: Path) -> None:
    root = write_nyu(tmp_path / "nyu")
    shutil.copy(root / "rgb" / "0001.jpg", root / "rgb" / "0001.png")
    with pytest.raises(SampleError, match="second file of frame 0001"):
        Nyu(root).splits()


MEASURE = """
import resource, sys
from pathlib import Path
from mtdata.sources.nyu.matfile import MatFile

mat = MatFile(Path(sys.argv[1]), ("images", "depths"))
for index in range(1, mat.frames + 1):
    mat.frame("images", index), mat.frame("depths", index)
    if index in (2, mat.frames):
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    frames = 100
    shapes = {"images": ((3,), np.uint8), "depths": ((), np.float32)}
    with h5py.File(tmp_path / FILE, "w") as file:
        for name, (channels, dtype) in shapes.items():
            shape = (frames, *channels, 640, 480)
            # What is never written takes no room on the disk; in memory it does.
            file.create_dataset(name, shape, dtype, chunks=(1, *shape[1:]), compression="gzip")
    # The peak of this process is that of all tests before.
    run = [sys.executable, "-c", MEASURE, str(tmp_path / FILE)]
    after_two, after_all = map(int, subprocess.check_output(run, text=True).split())
    assert after_all - after_two < 20_000, f"kB, for {frames * 2.1:.0f} MB of frames"


@pytest.mark.real
def test_real_frames_equal_the_prepared_ones(shared: Path) -> None:
    data = shared / "data"
    for classes in (13, 40):
        mat = Nyu(data / "nyuv2_mat", classes=classes)
        folders = Nyu(data / "nyuv2", classes=classes)
        assert sum(map(len, mat.splits().values())) == 12
        for split, keys in mat.splits().items():
            for key in keys:
                assert key in folders.splits()[split]
                _compare(mat.read(split, key, ALL[:2]), folders.read(split, key, ALL[:2]))


def _compare(found: Sample, wanted: Sample) -> None:
    """Semantic pixel for pixel, by the rule that the folders were resized with; depth to 2 cm."""
    small = {
        name: cv2.resize(array, (384, 288), interpolation=cv2.INTER_NEAREST)
        for name, array in (
            ("semantic", np.where(found.valid["semantic"], found.labels["semantic"], 255)),
            ("depth", found.labels["depth"]),
        )
    }
    semantic = np.where(wanted.valid["semantic"], wanted.labels["semantic"], 255)
    np.testing.assert_array_equal(small["semantic"], semantic)
    np.testing.assert_allclose(small["depth"], wanted.labels["depth"], atol=0.021)
    image = cv2.resize(found.image, (384, 288), interpolation=cv2.INTER_AREA)
    assert np.abs(image.astype(int) - wanted.image).mean() < 2


@pytest.mark.real
def test_the_table_of_13_is_the_published_one(shared: Path) -> None:
    content = loadmat(shared / "data" / "nyuv2" / "class13Mapping.mat")
    assert tuple(content["classMapping13"]["labels13"][0, 0].ravel()) == TO_13


@pytest.mark.real
def test_the_table_of_40_is_the_published_one(shared: Path) -> None:
    content = loadmat(shared / "data" / "nyuv2" / "classMapping40.mat")
    np.testing.assert_array_equal(published_40(), content["mapClass"].ravel())
    names = [str(name[0]) for name in content["allClassName"].ravel()]
    classes = [str(name[0]) for name in content["className"].ravel()]
    for number, raw in enumerate(OWN):
        assert names[raw - 1] == classes[number]
