"""Reading a store: what comes back, what is not touched, and what is refused."""

import json
import os
import pickle
import shutil
from multiprocessing import get_context
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401
import numpy as np
import pytest

import mtdata
from mtdata.building.build import build
from mtdata.errors import StoreError, UnknownNameError
from mtdata.store import Split, Store, open_store
from mtdata.store.format import plain
from tests.stores.fakes import TASKS, FakeSource, fake_store


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_store(tmp_path_factory.mktemp("store"), images=(6, 3))


def test_contract_of_the_file(path: Path) -> None:
    with h5py.File(path) as file:
        attributes = {name: plain(value) for name, value in file.attrs.items()}
        assert attributes["format"] == "mtdata"
        assert attributes["format_version"] == 1
        assert attributes["dataset"] == "fake"
        assert attributes["default_regime"] == "one"
        assert [task["name"] for task in json.loads(attributes["tasks"])] == [
            task.name for task in TASKS
        ]
        assert json.loads(attributes["options"])["size"] == [12, 16]
        assert len(attributes["content_digest"]) == len(attributes["source_digest"]) == 64
        for name, n in (("train", 6), ("test", 3)):
            group = file[name]
            assert plain(group.attrs["role"]) == name
            assert (group["image"].dtype, group["image"].shape) == (np.uint8, (n, 12, 16, 3))
            assert (group["source_size"].dtype, group["source_size"].shape) == (np.int32, (n, 2))
            assert (group["crop"].dtype, group["crop"].shape) == (np.int32, (n, 4))
            assert (group["camera"].dtype, group["camera"].shape) == (np.float64, (n, 4))
            assert (group["valid_pixels"].dtype, group["valid_pixels"].shape) == (np.int32, (n, 5))
            assert (group["digest"].dtype, group["digest"].shape) == (np.uint8, (n, 6, 32))
            assert "size" not in group
        assert list(file["train/key"].asstr()[()]) == [f"{i:04d}" for i in range(1, 7)]
        assert list(file["test/key"].asstr()[()]) == ["té0", "té1", "té2"]
        regime = file["train/regime/one"]
        assert (regime.dtype, regime.shape) == (np.bool_, (6, 5))
        assert regime.attrs["counts"].tolist() == regime[()].sum(0).tolist()
        assert {"kind", "parameters", "seed", "origin", "sha256"} <= set(regime.attrs)
        semantic = file["train/label/semantic"]
        assert (plain(semantic.attrs["kind"]), semantic.attrs["void"]) == ("classes", 255)
        assert plain(semantic.attrs["classes"]) == ["bed", "floor", "sofa", "table", "wall"]
        assert semantic.attrs["palette"].shape == (5, 3)
        depth = file["train/label/depth"]
        assert (depth.attrs["scale"], depth.attrs["offset"]) == (0.001, 0)
        assert plain(depth.attrs["units"]) == "metres"


def test_one_sample_is_one_chunk_with_a_checksum(path: Path) -> None:
    with h5py.File(path) as file:
        for task in TASKS:
            label = file[f"train/label/{task.name}"]
            assert label.chunks == (1, *label.shape[1:])
            assert label.fletcher32


def test_read_gives_what_the_source_has(tmp_path: Path) -> None:
    source = FakeSource(sizes=((12, 16),))
    store = open_store(fake_store(tmp_path, sizes=((12, 16),)))
    names = [task.name for task in TASKS]
    for split in store.splits.values():
        assert split.keys == source.splits()[split.name]
        for index, key in enumerate(split.keys):
            wanted, found = source.read(split.name, key, names), split.read(index, names)
            assert (found.key, found.camera) == (key, wanted.camera)
            np.testing.assert_array_equal(found.image, wanted.image)
            assert set(found.labels) == set(wanted.labels)
            for name, label in wanted.labels.items():
                np.testing.assert_array_equal(found.valid[name], wanted.valid[name])
                np.testing.assert_allclose(
                    found.labels[name], label, atol=1e-4 if name == "normals" else 0
                )


def test_read_gives_only_what_is_asked_for(path: Path) -> None:
    split = open_store(path).split("train")
    shown = np.argwhere(split.visible())[:, 0]
    for index in shown:
        assert set(split.read(int(index), ["depth"]).labels) <= {"depth"}
    assert split.read(0, []).labels == {}


def test_chunks_that_are_not_asked_for_are_not_read(path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(path, tmp_path / "copy.h5"))
    before = open_store(path).split("train")
    spoil(copy, {"semantic", "normals", "saliency", "disparity"})
    split = open_store(copy).split("train")
    for index in range(len(split)):
        wanted, found = before.read(index, ["depth"]), split.read(index, ["depth"])
        np.testing.assert_array_equal(found.image, wanted.image)
        for name, label in wanted.labels.items():
            np.testing.assert_array_equal(found.labels[name], label)
    row = int(np.argmax(split.visible()[:, 0]))
    with pytest.raises(StoreError, match=f"label `semantic` of train/{split.keys[row]}"):
        split.read(row, ["semantic"])


def spoil(path: Path, tasks: set[str]) -> None:
    """Overwrite every chunk of these labels with garbage of the same length."""
    places = []
    with h5py.File(path) as file:
        for task in tasks:
            chunks = file[f"train/label/{task}"].id
            places += [chunks.get_chunk_info(i) for i in range(chunks.get_num_chunks())]
    with path.open("r+b") as raw:
        for place in places:
            raw.seek(place.byte_offset)
            raw.write(b"\xa5" * place.size)


def test_visible_is_valid_and_shown(path: Path) -> None:
    split = open_store(path).split("train")
    assert (split.visible() == (split.valid_pixels > 0)).all()
    one = split.visible("one")
    assert (one.sum(1) == 1).all()
    assert not (one & (split.valid_pixels == 0)).any()
    assert split.regimes["one"].counts == dict(
        zip([t.name for t in TASKS], one.sum(0).tolist(), strict=True)
    )
    assert split.regimes["one"].images_with == {0: 0, 1: 6, 2: 0, 3: 0, 4: 0, 5: 0}
    with pytest.raises(UnknownNameError, match="There is no regime `two` of split train"):
        split.visible("two")


def test_a_split_without_a_regime_shows_every_label(path: Path) -> None:
    splits = open_store(path).splits
    assert [splits["train"].regime_or_full(name) for name in ("one", None)] == ["one", "full"]
    assert splits["test"].regime_or_full("one") == "full"


def test_unknown_names(path: Path) -> None:
    store = open_store(path)
    with pytest.raises(UnknownNameError, match="Did you mean `depth`"):
        store.task("deepth")
    with pytest.raises(UnknownNameError, match="split"):
        store.split("val")
    with pytest.raises(UnknownNameError, match="image"):
        store.split("train").index("9999")
    with pytest.raises(UnknownNameError, match="task"):
        store.split("train").read(0, ["parts"])
    with pytest.raises(UnknownNameError, match=r"There is no regime `on`\. Did you mean `one`"):
        store.check_regime("on")
    assert store.task("depth") == TASKS[1]
    assert store.split("train").index("0002") == 1


def test_camera_is_scaled(path: Path) -> None:
    split = open_store(path).split("train")
    known = [split.camera(i) for i in range(len(split))]
    assert any(camera is not None for camera in known)
    for camera in known:
        if camera is not None:
            assert (camera.fx, camera.fy, camera.cx, camera.cy) == (10, 10.5, 8, 6)


def test_pickle_drops_the_handle(path: Path) -> None:
    store = open_store(path)
    store.split("train").read(0, [])
    copy = pickle.loads(pickle.dumps(store))
    assert copy._handle._file is None
    assert copy.split("train").keys == store.split("train").keys
    np.testing.assert_array_equal(
        copy.split("train").read(1, []).image, store.split("train").read(1, []).image
    )


def _read_elsewhere(split: Split) -> tuple[int, int, bytes]:
    """The process, the one that opened the file that it reads, and an image."""
    image = split.read(2, ["depth"]).image.tobytes()
    return os.getpid(), split.handle._pid, image


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_other_processes_open_for_themselves(path: Path, method: str) -> None:
    split = open_store(path).split("train")
    here, opened_here, image = _read_elsewhere(split)
    assert here == opened_here == os.getpid()
    with get_context(method).Pool(1) as pool:
        ((there, opened_there, same),) = pool.map(_read_elsewhere, [split])
    assert there == opened_there != here
    assert same == image
    assert _read_elsewhere(split) == (here, here, image)


def test_forked_process_does_not_use_the_inherited_handle(path: Path) -> None:
    store = open_store(path)
    handle = store._handle
    inherited = handle.file
    child = os.fork()
    if child == 0:
        os._exit(0 if handle.file is not inherited else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert handle.file is inherited


def test_replaced_file_with_other_data_is_refused(path: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(path, tmp_path / "copy.h5"))
    split = open_store(copy).split("train")
    (tmp_path / "other").mkdir()
    fake_store(tmp_path / "other", seed=7).replace(copy)
    split.handle.close()
    with pytest.raises(StoreError, match="other data than when it was opened first"):
        split.read(0, [])


def test_close_and_read_again(path: Path) -> None:
    with open_store(path) as store:
        pass
    assert store._handle._file is None
    assert store.split("train").read(0, []).key == "0001"


def test_open_store_is_reached_from_the_package(path: Path) -> None:
    assert isinstance(mtdata.open_store(path), Store)
    with pytest.raises(AttributeError, match="no attribute"):
        mtdata.nothing  # noqa: B018


def test_dataset_shows_what_the_default_regime_shows(path: Path) -> None:
    store = open_store(path)
    train, test = store.dataset("train"), store.dataset("test", ["depth"])
    np.testing.assert_array_equal(train.labelled, store.split("train").visible("one"))
    np.testing.assert_array_equal(test.labelled, store.split("test").visible()[:, 1:2])
    assert len(train[0].labels) == 1


def test_what_is_padded_is_read_at_its_true_size(tmp_path: Path) -> None:
    build(FakeSource(sizes=((10, 12), (12, 10), (11, 11))), tmp_path / "a.h5", size=None)
    split = open_store(tmp_path / "a.h5").split("train")
    assert split.padded
    for index, (height, width) in enumerate(split.sizes.tolist()):
        sample = split.read(index, ["depth"])
        np.testing.assert_array_equal(
            split.read_true(index, None), sample.image[:height, :width], strict=True
        )
        if "depth" in sample.labels:
            assert split.read_true(index, "depth").shape == (height, width)
