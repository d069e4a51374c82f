"""The `.npy` trees that MTAN distributes."""

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mtdata.building.build import build
from mtdata.errors import DataError, SampleError, SourceNotFoundError, UsageError
from mtdata.sources.cityscapes.source import Cityscapes
from mtdata.sources.files.npyfile import read_npy
from mtdata.sources.nyu.source import Nyu
from mtdata.store import open_store
from mtdata.tasks.kinds import Depth
from tests.trees.mtan import SIZE, TRAIN, write_cityscapes_mtan, write_nyu_mtan

ALL = ("semantic", "depth", "normals")
Damage = Callable[[Path], object]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_nyu_mtan(tmp_path / "nyuv2")


def _load(root: Path, name: str, index: int) -> np.ndarray:
    return np.asarray(np.load(root / "train" / name / f"{index}.npy"))


def test_the_layout_is_recognised_and_keys_are_in_the_order_of_numbers(root: Path) -> None:
    source = Nyu(root)
    assert source.options == {"classes": 13, "normals": "given", "layout": "mtan"}
    splits = source.splits()
    # 10.npy comes after 9.npy: the rows of released label assignments are these numbers.
    assert splits["train"] == tuple(f"{i:04d}" for i in range(TRAIN))
    assert splits["test"] == ("0000", "0001")
    assert source.locate("test", "0001", "depth") == root / "val" / "depth" / "1.npy"
    assert source.box("train", "0000") is None


def test_labels_are_what_the_arrays_hold(root: Path) -> None:
    sample = Nyu(root).read("train", "0010", ALL)
    label, depth = _load(root, "label", 10), _load(root, "depth", 10)[..., 0]
    normal = _load(root, "normal", 10)
    np.testing.assert_array_equal(sample.image, np.rint(_load(root, "image", 10) * 255))
    np.testing.assert_array_equal(sample.valid["semantic"], label != -1)
    np.testing.assert_array_equal(sample.labels["semantic"][label != -1], label[label != -1])
    np.testing.assert_array_equal(sample.labels["depth"], depth)
    np.testing.assert_array_equal(sample.valid["depth"], depth != 0)
    np.testing.assert_array_equal(sample.valid["normals"], (normal != 0).any(-1))
    np.testing.assert_allclose(sample.labels["normals"], normal, atol=1e-6)
    assert sample.camera is None
    assert sample.labels["depth"].dtype == np.float32


def test_normals_that_add_up_to_zero_are_no_void(root: Path) -> None:
    normal = np.zeros((*SIZE, 3), np.float32)
    normal[..., 0], normal[..., 1] = np.sqrt(0.5), -np.sqrt(0.5)
    np.save(root / "train" / "normal" / "0.npy", normal)
    assert Nyu(root).read("train", "0000", ("normals",)).valid["normals"].all()


def test_depth_becomes_a_store_without_loss(root: Path, tmp_path: Path) -> None:
    summary = build(Nyu(root), tmp_path / "nyu.h5", size=None)
    split = open_store(summary.path).split("train")
    found = split.read(3, ALL)
    np.testing.assert_array_equal(found.labels["depth"], _load(root, "depth", 3)[..., 0])
    assert found.camera is None
    assert summary.splits["test"].labels == {"semantic": 2, "depth": 2, "normals": 2}


def test_other_types_of_the_same_values(root: Path) -> None:
    source = Nyu(root)
    before = source.read("train", "0001", ALL)
    folder = root / "train"
    np.save(folder / "label" / "1.npy", _load(root, "label", 1).astype(np.int64)[..., None])
    np.save(folder / "depth" / "1.npy", np.asfortranarray(_load(root, "depth", 1)[..., 0]))
    image = np.rint(_load(root, "image", 1) * 255).astype(np.uint8)
    np.save(folder / "image" / "1.npy", image)
    after = source.read("train", "0001", ALL)
    np.testing.assert_array_equal(before.image, after.image)
    after.image[:] = 0  # what was read may be changed
    for task in ALL:
        np.testing.assert_array_equal(before.labels[task], after.labels[task])
        np.testing.assert_array_equal(before.valid[task], after.valid[task])


def test_rounding_is_told_where_it_loses(root: Path) -> None:
    assert len(Nyu(root).remarks()) == 1  # these are whole 255ths
    image = np.full((*SIZE, 3), 0.25, np.float32)  # 63.75
    np.save(root / "train" / "image" / "0.npy", image)
    assert "0.25 of 255 off" in Nyu(root).remarks()[1]
    assert (Nyu(root).read("train", "0000", ()).image == 64).all()


def test_a_missing_file_is_a_missing_label(root: Path) -> None:
    (root / "train" / "label" / "2.npy").unlink()
    assert set(Nyu(root).read("train", "0002", ALL).labels) == {"depth", "normals"}
    shutil.rmtree(root / "val")
    assert set(Nyu(root).splits()) == {"train"}


def test_fingerprint_and_pickling(root: Path) -> None:
    source = pickle.loads(pickle.dumps(Nyu(root)))
    first = source.fingerprint("train", "0001")
    assert len(first) == 32
    assert first != source.fingerprint("train", "0002")
    np.save(root / "train" / "depth" / "1.npy", np.ones(SIZE, np.float32))
    assert source.fingerprint("train", "0001") != first


@pytest.mark.parametrize("classes", [7, 19])
def test_cityscapes(tmp_path: Path, classes: int) -> None:
    root = write_cityscapes_mtan(tmp_path / "cityscapes2")
    source = Cityscapes(root, classes=classes)
    assert source.options == {"classes": classes, "depth": "disparity", "layout": "mtan"}
    assert set(source.splits()) == {"train", "val"}
    assert source.roles() == {"train": "train", "val": "test"}
    sample = source.read("val", "0001", ALL[:2])
    label = np.load(root / "val" / f"label_{classes}" / "1.npy")
    depth = np.load(root / "val" / "depth" / "1.npy")[..., 0]
    np.testing.assert_array_equal(sample.valid["semantic"], label >= 0)
    np.testing.assert_array_equal(sample.labels["semantic"], np.maximum(label, 0))
    np.testing.assert_array_equal(sample.labels["depth"], depth)
    np.testing.assert_array_equal(sample.valid["depth"], depth > 0)
    depth_kind = source.tasks(**source.options)[1].kind
    assert isinstance(depth_kind, Depth)
    assert depth_kind.inverse
    assert depth_kind.dtype == "float32"
    summary = build(source, tmp_path / "cityscapes.h5", size=None, limit=2)
    assert summary.splits["train"].labels == {"semantic": 2, "depth": 2}


def test_cityscapes_as_libmtl_names_it(tmp_path: Path) -> None:
    root = write_cityscapes_mtan(tmp_path / "cityscapes2")
    for folder in ("train", "val"):
        shutil.rmtree(root / folder / "label_19")
        (root / folder / "label_7").rename(root / folder / "label")
    assert set(Cityscapes(root).read("train", "0000", ALL[:2]).labels) == {"semantic", "depth"}
    other = Cityscapes(root, classes=19)
    assert set(other.read("train", "0000", ALL[:2]).labels) == {"depth"}
    assert "no file of `semantic`, in label_19/" in other.remarks()[0]
    with pytest.raises(UsageError, match="`depth` should be disparity"):
        Cityscapes(root, depth="m")
    with pytest.raises(UsageError, match="official or mtan"):
        Cityscapes(root, layout="mat")


class Bomb:
    """Unpickling it would leave a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


def test_nothing_is_unpickled(root: Path, tmp_path: Path) -> None:
    path = root / "train" / "depth" / "0.npy"
    bomb = Bomb(tmp_path / "went-off")
    objects = np.empty(SIZE, object)
    objects[:] = bomb
    np.save(path, objects, allow_pickle=True)
    with pytest.raises(SampleError, match="Python objects, which are never loaded"):
        Nyu(root).read("train", "0000", ("depth",))
    path.write_bytes(pickle.dumps(bomb))
    with pytest.raises(SampleError, match=r"should be a \.npy file"):
        Nyu(root).read("train", "0000", ("depth",))
    assert not bomb.path.exists()


def test_a_head_that_claims_too_much_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "0.npy"
    claim = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6, 10**6)}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, claim)
    with pytest.raises(SampleError, match=rf"should hold {8 * 10**18} bytes.*found 0"):
        read_npy(path)


HEADS = (b"{'descr': '<f8', ", b"{}", b"(1, 2)", b"__import__('os')", b"\xff" * 8)


@pytest.mark.parametrize("head", HEADS)
def test_a_broken_head_is_refused(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "0.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    with pytest.raises(SampleError, match="its head cannot be read"):
        read_npy(path)


def _save(name: str, array: np.ndarray) -> Damage:
    return lambda root: np.save(root / "train" / name / "0.npy", array)


def _change(name: str, value: float) -> Damage:
    def damage(root: Path) -> None:
        array = _load(root, name, 0).astype(np.float32)
        array[5, 5] = value
        np.save(root / "train" / name / "0.npy", array)

    return damage


def _cut(root: Path) -> None:
    path = root / "train" / "depth" / "0.npy"
    path.write_bytes(path.read_bytes()[:-100])


def _link(root: Path) -> None:
    path = root / "train" / "depth" / "0.npy"
    path.rename(root.parent / "outside.npy")
    path.symlink_to(root.parent / "outside.npy")


def _remove(root: Path, *patterns: str) -> None:
    for pattern in patterns:
        for path in root.glob(pattern):
            path.unlink()


FAULTS: dict[str, tuple[Damage, type[DataError], str]] = {
    "cut": (_cut, SampleError, r"should hold 6144 bytes of float32 \[32, 48, 1\]; found 6044"),
    "text": (lambda r: (r / "train/label/0.npy").write_text("1"), SampleError, "should be a .npy"),
    "structured": (_save("depth", np.zeros(SIZE, "f4,f4")), SampleError, "hold numbers"),
    "NaN": (_change("depth", np.nan), SampleError, "finite, and 0 where void; found nan"),
    "infinite": (_change("depth", np.inf), SampleError, "found inf"),
    "negative": (_change("depth", -0.5), SampleError, "found -0.5"),
    "not unit": (_change("normal", 0.9), SampleError, "unit length"),
    "NaN normal": (_change("normal", np.nan), SampleError, "unit length"),
    "class": (_change("label", 13), SampleError, r"0\.\.12, or -1 for void; found 13"),
    "half a class": (_change("label", 2.5), SampleError, "found 2.5"),
    "below void": (_change("label", -2), SampleError, "found -2"),
    "NaN class": (_change("label", np.nan), SampleError, "found nan"),
    "bright": (_change("image", 255), SampleError, r"lie in \[0, 1\]; found 0\.\.255"),
    "NaN image": (_change("image", np.nan), SampleError, r"lie in \[0, 1\]"),
    "grey": (_save("image", np.zeros(SIZE)), SampleError, r"width, 3\]; found \[32, 48\]"),
    "16 bits": (_save("image", np.zeros((*SIZE, 3), np.uint16)), SampleError, "found uint16"),
    "channels": (_save("depth", np.ones((*SIZE, 3))), SampleError, r"found \[32, 48, 3\]"),
    "normals": (_save("normal", np.ones((3, *SIZE))), SampleError, r"found float64 \[3, 32, 48\]"),
    "size": (_save("label", np.zeros((32, 47))), SampleError, "32x48; found 32x47"),
    "no image": (
        lambda r: (r / "train/image/3.npy").unlink(), SampleError, "train/image/3.npy is missing",
    ),
    "no label": (
        lambda r: _remove(r, "train/label/3.npy", "train/depth/3.npy", "train/normal/3.npy"),
        SampleError, "no label in any of label, depth, normal",
    ),
    "one number twice": (
        lambda r: shutil.copy(r / "train/image/1.npy", r / "train/image/01.npy"),
        SampleError, "second file of number 1",
    ),
    "link": (_link, SampleError, "link to"),
    "nothing": (
        lambda r: _remove(r, "train/image/*", "val/image/*"),
        SourceNotFoundError, "train/image/0.npy and so on; found no such file",
    ),
}  # fmt: skip


def _read_first(source: Nyu) -> None:
    source.splits()
    source.read("train", "0000", ALL)


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_said_in_one_paragraph(root: Path, name: str) -> None:
    damage, error, text = FAULTS[name]
    damage(root)
    with pytest.raises(error, match=text) as caught:
        _read_first(Nyu(root))
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"classes": 40}, "should be 13"),
        ({"normals": "computed"}, "camera of these frames"),
        ({"depth": "raw"}, "left out for the layout `mtan`"),
        ({"crop": "none"}, "left out for the layout `mtan`"),
    ],
)
def test_options_that_mean_nothing_here(root: Path, options: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        Nyu(root, **options)
