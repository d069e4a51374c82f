"""Verifying finds what is wrong and names the sample."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from mtdata.building.build import build
from mtdata.errors import StoreError
from mtdata.inspecting.verify import verify
from mtdata.store import open_store
from mtdata.store.codec import COMPRESSIONS, Compression
from tests.quick import few
from tests.stores.fakes import TASKS, FakeSource, fake_store


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_store(tmp_path_factory.mktemp("store"), images=(6, 2))


@pytest.fixture
def path(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(good, tmp_path / "copy.h5"))


def test_a_good_store_has_no_problems(good: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    report = verify(good, lambda *what: seen.append(what))
    assert (report.problems, report.samples, report.ok) == ((), 8, True)
    assert [done for done, _, _ in seen] == list(range(1, 9))


def test_padded_store_has_no_problems(tmp_path: Path) -> None:
    build(FakeSource(sizes=((10, 12), (12, 10), (11, 11))), tmp_path / "a.h5", size=None)
    assert verify(tmp_path / "a.h5").problems == ()


def chunks(path: Path) -> list[tuple[str, int, int, int]]:
    """Where every image and label lies: name, row, place in the file, length."""
    found: list[tuple[str, int, int, int]] = []

    def take(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and ("/label/" in name or name.endswith("/image")):
            for i in range(item.id.get_num_chunks()):
                info = item.id.get_chunk_info(i)
                found.append((name, info.chunk_offset[0], info.byte_offset, info.size))

    with h5py.File(path) as file:
        file.visititems(take)
    return found


EACH = [(COMPRESSIONS[0], True), *((name, False) for name in COMPRESSIONS)]


@pytest.mark.parametrize(("compression", "padded"), few(EACH, EACH[:1]))
def test_a_bit_flipped_in_any_chunk_is_found_and_named(
    tmp_path: Path, compression: Compression, padded: bool
) -> None:
    """Images and labels of all kinds."""
    path, sizes = tmp_path / "a.h5", ((10, 12), (12, 10))
    source = FakeSource(images=(2, 1), missing=0, sizes=sizes)
    build(source, path, size=None if padded else (12, 16), compression=compression)
    assert len(chunks(path)) == 3 * (1 + len(TASKS))
    rng = np.random.default_rng(0)
    whole = path.read_bytes()
    with h5py.File(path) as file:
        keys = {name: file[name]["key"].asstr()[()] for name in file}
    for name, row, place, length in chunks(path):
        bit = int(rng.integers(8 * length))
        broken = bytearray(whole)
        broken[place + bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        split, what = name.split("/")[0], name.split("/")[-1]
        (problem,) = verify(path).problems
        assert problem.where == f"{split}/{keys[split][row]}/{what}"
        # A bit of the head of a chunk is found before its checksum is looked at.
        known = ("does not match its checksum: a bit of it has changed", "its chunk becomes")
        assert any(words in problem.what for words in known)


def test_a_bit_flipped_in_any_table_is_found(tmp_path: Path) -> None:
    """Keys, digests, sizes, cameras, valid pixels and the like, each a chunk of its own."""
    path = fake_store(tmp_path, images=(2, 1), missing=0, regimes=())
    rng = np.random.default_rng(0)
    whole = path.read_bytes()
    for name in ("key", "digest", "valid_pixels", "source_size", "crop", "camera"):
        with h5py.File(path) as file:
            info = file[f"train/{name}"].id.get_chunk_info(0)
        broken = bytearray(whole)
        broken[info.byte_offset + int(rng.integers(info.size))] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        assert not verify(path).ok, name
        path.write_bytes(whole)


def _swap(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        array = file[name]
        array[0] = array[1]

    return change


def _set(name: str, place: object, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        array = file[name][()]
        array[place] = value
        file[name][...] = array

    return change


def _class_out_of_range(file: h5py.File) -> None:
    row = int(np.argmax(file["train/valid_pixels"][:, 0]))
    stored = file["train/label/semantic"][row]
    stored[stored != 255] = 200
    file["train/label/semantic"][row] = stored


def _data_where_none_is(file: h5py.File) -> None:
    row = int(np.argmin(file["train/valid_pixels"][:, 1]))
    file["train/label/depth"][row] = 7


def _shown_but_absent(file: h5py.File) -> None:
    regime, valid = file["train/regime/one"], file["train/valid_pixels"][()]
    regime[...] = regime[()] | (valid == 0)


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (_swap("train/image"), "train/0001/image", "does not match its digest"),
        (_class_out_of_range, "/semantic", "class ids should be 0..4; found 200..200"),
        (_data_where_none_is, "/depth", "no valid pixels are noted"),
        (_set("train/valid_pixels", (0, 3), 1), "train/0001/saliency", "1 are noted"),
        (_set("test/digest", (0, 0), 9), "test/té0/image", "does not match its digest"),
        (_set("test/digest", (0, 0), 9), "/", "content_digest"),
        (_set("train/key", 1, b"0001"), "train/key", "twice"),
        (_shown_but_absent, "train/regime/one", "which has no such label"),
        (lambda f: f["train/label/depth"].attrs.__setitem__("scale", 2.0), "depth", "scale"),
        (lambda f: f["train/label/depth"].attrs.__delitem__("void"), "depth", "void"),
        (lambda f: f.__delitem__("train/label/depth"), "train/depth", "cannot be read"),
        (lambda f: f.attrs.__setitem__("default_regime", "x"), "/", "default_regime 'x'"),
    ],
    ids=[
        "image",
        "class",
        "absent",
        "valid pixels",
        "digest",
        "content digest",
        "keys",
        "regime",
        "attribute",
        "no attribute",
        "no label",
        "default",
    ],
)
def test_what_is_wrong_is_named(
    path: Path, change: Callable[[h5py.File], None], where: str, what: str
) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
    found = verify(path).problems
    assert any(where in problem.where and what in problem.what for problem in found), found


def test_arrays_of_another_form(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        image = file["test/image"][()]
        del file["test/image"]
        file["test/image"] = image.astype(np.int16)
    assert "image should be chunks" in verify(path).problems[0].what


@pytest.mark.parametrize("dtype", [np.int16, np.complex64])
def test_types_that_do_not_fit(path: Path, dtype: type) -> None:
    """Opening and verifying refuse them by the same comparison."""
    with h5py.File(path, "r+") as file:
        image = file["test/image"][()]
        del file["test/image"]
        file["test"].create_dataset(
            "image", data=image.astype(dtype), chunks=(1, *image.shape[1:]), fletcher32=True
        )
    found = [problem.what for problem in verify(path).problems if problem.where == "test/image"]
    assert f"should be uint8 {list(image.shape)}; found {np.dtype(dtype)}" in found[0]
    with pytest.raises(StoreError, match="image should be uint8"):
        open_store(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_no_store(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(StoreError, match="cut off"):
        verify(path)


def test_flips_anywhere_never_crash(path: Path) -> None:
    """Whatever byte changes: problems, or one error of the right kind, or the same samples."""
    rng = np.random.default_rng(1)
    whole, samples = path.read_bytes(), _samples(path)
    outcomes = {"refused": 0, "found": 0, "harmless": 0}
    for place in rng.integers(0, len(whole), 30):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(broken)
        try:
            report = verify(path)
        except StoreError:
            outcomes["refused"] += 1
            continue
        outcomes["found" if report.problems else "harmless"] += 1
        if report.ok:
            assert _samples(path) == samples
    # Most of a file is chunks, and each of them has a checksum.
    assert outcomes["found"] > 10, outcomes


def _samples(path: Path) -> dict[str, bytes]:
    """All that is read from a store, decoded."""
    with open_store(path) as store:
        names = [task.name for task in store.tasks]
        read = {
            f"{split.name}/{key}": split.read(index, names)
            for split in store.splits.values()
            for index, key in enumerate(split.keys)
        }
    return {
        name: sample.image.tobytes()
        + b"".join(label.tobytes() for label in sample.labels.values())
        + b"".join(valid.tobytes() for valid in sample.valid.values())
        for name, sample in read.items()
    }


def test_broken_tables_are_a_problem_and_no_error(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["train/valid_pixels"]
    report = verify(path)
    assert not report.ok
    assert "split train cannot be read" in report.problems[0].what


def test_a_missing_label_is_not_called_a_changed_bit(path: Path) -> None:
    with open_store(path) as store:
        name = store.tasks[0].name
    with h5py.File(path, "r+") as file:
        del file[f"train/label/{name}"]
    told = " ".join(problem.what for problem in verify(path).problems)
    assert "missing" in told
    assert "a bit of it has changed" not in told
