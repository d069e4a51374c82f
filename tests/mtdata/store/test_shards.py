"""Stores in shards: read as the one store they are, or one clear error that names a file."""

import os
import pickle
import random
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cli.mtdata import mtdata as command
from cli.shared.common import run
from mtdata.errors import StoreError
from mtdata.inspecting.verify import verify
from mtdata.merging.shard import shard
from mtdata.regimes.table import RegimeTable
from mtdata.store import Store, add_regime, open_store, remove_regime, set_default_regime
from mtdata.store import format as layout
from mtdata.store import shards as module
from mtdata.store.shards import Shard, make_virtual, shards_table
from mtdata.store.tables import write_table
from tests.stores.fakes import TASKS, fake_store
from tests.stores.store_files import reseal, same_samples

LIMIT = 60
"""Seconds: who waits for a pipe waits for ever, and a machine may be busy."""
NAMES = ("fake-train-00000.h5", "fake-train-00001.h5", "fake-train-00002.h5")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_store(tmp_path_factory.mktemp("store"), images=(7, 2))


@pytest.fixture(scope="module")
def made(whole: Path) -> Path:
    return shard(whole, images=3).path.parent


@pytest.fixture
def index(made: Path, tmp_path: Path) -> Path:
    """An index to do harm to, and its shards."""
    return Path(shutil.copytree(made, tmp_path / "shards")) / "fake.h5"


def test_every_sample_is_that_of_the_store(whole: Path, made: Path) -> None:
    with open_store(whole) as one, open_store(made / "fake.h5") as many:
        assert many.content_digest == one.content_digest
        same_samples(one, many)
        again: Store = pickle.loads(pickle.dumps(many))
        same_samples(one, again)
        again.close()


def test_few_files_are_open_at_a_time(made: Path, whole: Path, monkeypatch: Any) -> None:
    """Several threads read while shards are closed for others."""
    monkeypatch.setattr(module, "_most", lambda: 1)
    order = random.Random(0).choices(range(7), k=60)
    with open_store(whole) as one, open_store(made / "fake.h5") as many:
        images = [one.splits["train"].read_stored(index, None) for index in range(7)]
        split = many.splits["train"]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda index: split.read_stored(index, None), order))
        assert split.shards is not None
        assert len(split.shards._opened) == 1
    for index, image in zip(order, found, strict=True):
        np.testing.assert_array_equal(image, images[index])


def _read_all(index: Path) -> None:
    with open_store(index) as store:
        for row in range(7):
            store.splits["train"].read_stored(row, None)


def _swap(folder: Path) -> None:
    first, second = (folder / name for name in NAMES[:2])
    first.rename(folder / "x")
    second.rename(first)
    (folder / "x").rename(second)


def _cut(folder: Path) -> None:
    os.truncate(folder / NAMES[1], (folder / NAMES[1]).stat().st_size - 1)


def _foreign(folder: Path) -> None:
    """Of the same form and as long, but of other images."""
    other = fake_store(folder / "..", images=(3, 1), salt="other", regimes=())
    data = other.read_bytes()
    short = (folder / NAMES[1]).stat().st_size - len(data)
    (folder / NAMES[1]).write_bytes(data + bytes(max(0, short)))


def _link(folder: Path) -> None:
    (folder / NAMES[1]).rename(folder / "elsewhere.h5")
    (folder / NAMES[1]).symlink_to("elsewhere.h5")


def _pipe(folder: Path) -> None:
    (folder / NAMES[1]).unlink()
    os.mkfifo(folder / NAMES[1])


def _folder(folder: Path) -> None:
    (folder / NAMES[1]).unlink()
    (folder / NAMES[1]).mkdir()


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda folder: (folder / NAMES[1]).unlink(), "there is no such file"),
    "exchanged": (_swap, "it is another store|or is another"),
    "cut": (_cut, "it was cut off"),
    "foreign": (_foreign, "it is another store|or is another"),
    "link": (_link, "it is a link"),
    "pipe": (_pipe, "it is no plain file"),
    "folder": (_folder, "it is no plain file"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_named(index: Path, name: str) -> None:
    change, why = WRONG[name]
    change(index.parent)
    since = time.monotonic()
    with pytest.raises(StoreError, match=why) as caught:
        _read_all(index)
    assert any(name in str(caught.value) for name in NAMES[:2])
    assert "\n" not in str(caught.value)
    report = verify(index)
    told = [problem for problem in report.problems if any(n in problem.where for n in NAMES)]
    assert told
    assert report.samples < 9
    assert time.monotonic() - since < LIMIT


@pytest.mark.parametrize("task", [None, *(task.name for task in TASKS)])
def test_a_file_that_goes_while_it_is_used_is_never_fill_values(
    index: Path, task: str | None
) -> None:
    with open_store(index) as store:
        split = store.splits["train"]
        split.read_stored(0, None)
        for name in NAMES[1:]:
            (index.parent / name).unlink()
        for row in range(3, 7):
            with pytest.raises(StoreError, match="there is no such file"):
                split.read_stored(row, task)
        split.read_stored(0, None)


def test_a_bit_of_a_shard_that_changed_is_seen(index: Path) -> None:
    path = index.parent / NAMES[1]
    with h5py.File(path) as file:
        chunk = file["train/image"].id.get_chunk_info(1)
    with path.open("r+b") as raw:
        raw.seek(chunk.byte_offset + chunk.size // 2)
        byte = raw.read(1)
        raw.seek(-1, 1)
        raw.write(bytes([byte[0] ^ 4]))
    with open_store(index) as store:
        store.splits["train"].read_stored(3, None)
        with pytest.raises(StoreError, match=f"{NAMES[1]} is broken: the image of train/0005"):
            store.splits["train"].read_stored(4, None)
    assert [problem.where for problem in verify(index).problems] == ["train/0005/image"]


def test_a_regime_that_a_shard_gets_of_its_own_does_no_harm(index: Path) -> None:
    path = index.parent / NAMES[1]
    with open_store(path) as store:
        split = store.splits["train"]
        names = tuple(task.name for task in store.tasks)
        table = RegimeTable("own", tuple(split.keys), names, split.labelled)
    add_regime(path, "own", table)
    assert verify(index).ok
    with open_store(index) as store:
        assert "own" not in store.regimes


def test_regimes_lie_in_the_index(index: Path, whole: Path) -> None:
    before = {path.name: path.read_bytes() for path in index.parent.glob("fake-*.h5")}
    assert run(command, ["regime", "add", str(index), "--kind", "random", "--seed", "3"]) == 0
    assert run(command, ["regime", "default", str(index), "random"]) == 0
    with open_store(index) as store:
        assert store.default_regime == "random"
        assert store.splits["train"].regimes["random"].labels.any()
        assert len(store.dataset("train")[0].labels) >= 1
    assert verify(index).ok
    set_default_regime(index, "one")
    remove_regime(index, "random")
    assert {path.name: path.read_bytes() for path in index.parent.glob("fake-*.h5")} == before
    with open_store(whole) as one, open_store(index) as many:
        same_samples(one, many)


def _shards(file: h5py.File) -> list[Shard]:
    return list(module.from_table(file["train/shard"][()], 7))


def _renamed(name: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        shards = _shards(file)
        shards[1] = Shard(name, shards[1].images, shards[1].bytes, shards[1].seal)
        _rewrite(file, shards)

    return change


def _rewrite(file: h5py.File, shards: list[Shard], *, arrays: bool = True) -> None:
    """Another table, and arrays that say the same."""
    del file["train/shard"]
    write_table(file["train"], "shard", shards_table(shards))
    for place in ("image", *(f"label/{task.name}" for task in TASKS)) if arrays else ():
        old = file["train"][place]
        attributes = {name: layout.plain(value) for name, value in old.attrs.items()}
        shape, dtype = old.shape[1:], old.dtype
        del file["train"][place]
        new = make_virtual(file["train"], place, shape, dtype, shards, fill=0)
        layout.put(new.attrs, attributes)


def _other_arrays(file: h5py.File) -> None:
    """Arrays that lie elsewhere than the table says."""
    shards = _shards(file)
    elsewhere = [Shard("/etc/x.h5", s.images, s.bytes, s.seal) for s in shards]
    _rewrite(file, elsewhere)
    _rewrite(file, shards, arrays=False)


def _turned(file: h5py.File) -> None:
    _rewrite(file, _shards(file)[::-1])


def _claims(**values: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        shards = _shards(file)
        told = [asdict(shard) for shard in shards]
        told[1] |= values
        table = np.array([layout.canonical(each).encode() for each in told])
        del file["train/shard"]
        write_table(file["train"], "shard", table)

    return change


def _plain_image(file: h5py.File) -> None:
    shape = file["train/image"].shape
    del file["train/image"]
    file["train"].create_dataset("image", shape, np.uint8, chunks=(1, *shape[1:]), fletcher32=True)


def _older(file: h5py.File) -> None:
    file.attrs["format_version"] = 2


HARM: dict[str, Callable[[h5py.File], object]] = {
    "a path upwards": _renamed("../trap"),
    "a path from the root": _renamed("/etc/passwd"),
    "a path through a folder": _renamed("sub/trap"),
    "a hidden name": _renamed(".trap"),
    "the index itself": _renamed("fake.h5"),
    "a file twice": _renamed(NAMES[0]),
    "arrays elsewhere": _other_arrays,
    "another order": _turned,
    "no images": _claims(images=0),
    "more images": _claims(images=4),
    "true images": _claims(images=True),
    "text as a length": _claims(bytes="x"),
    "a name that is none": _claims(file=7),
    "images in the index": _plain_image,
    "an older version": _older,
    "another seal": _claims(seal="0" * 64),
}


@pytest.mark.parametrize("name", HARM)
def test_an_index_that_does_harm_is_refused(
    index: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever makes it can make its digests match too; nothing outside the folder is opened."""
    for trap in ("../trap", "sub/trap", ".trap"):
        (index.parent / trap).parent.mkdir(exist_ok=True)
        os.mkfifo(index.parent / trap)  # who opens it waits for ever
    with h5py.File(index, "r+", libver=layout.LIBRARY) as file:
        HARM[name](file)
        reseal(file)
    since = time.monotonic()
    with pytest.raises(StoreError) as caught:
        _read_all(index)
    assert "\n" not in str(caught.value)
    assert not verify(index).ok
    assert run(command, ["stats", str(index)]) == 3
    assert time.monotonic() - since < LIMIT
    assert "Traceback" not in capsys.readouterr().err


def test_bits_of_an_index_that_changed_are_seen_or_mean_nothing(index: Path, whole: Path) -> None:
    good, rng = index.read_bytes(), random.Random(1)
    with h5py.File(index) as file:
        tables = [file["train/key"].id.get_chunk_info(0).byte_offset]
    heap = good.index(b"GCOL")
    places = [rng.randrange(heap, heap + 1500) for _ in range(20)]
    places += [rng.randrange(len(good)) for _ in range(20)] + tables
    exact = 0
    with open_store(whole) as one:
        for place in places:
            bad = bytearray(good)
            bad[place] ^= 1 << rng.randrange(8)
            index.write_bytes(bad)
            since = time.monotonic()
            with suppress(StoreError), open_store(index) as many:
                same_samples(one, many)
                exact += 1
            assert time.monotonic() - since < LIMIT
    assert exact < len(places)


def test_programs_of_before_refuse_it_by_its_number(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "SHARDED_VERSION", layout.ADDED_VERSION)
    with pytest.raises(StoreError, match="format version 3"):
        open_store(index)


def test_other_programs_read_it_by_its_virtual_arrays(index: Path, whole: Path) -> None:
    with h5py.File(index) as many, h5py.File(whole) as one:
        for place in ("train/image", "test/image", "train/label/depth"):
            np.testing.assert_array_equal(many[place][()], one[place][()])


def test_a_link_to_an_index_finds_the_shards(made: Path, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "link.h5").symlink_to(made / "fake.h5")
    with open_store(whole) as one, open_store(tmp_path / "link.h5") as many:
        same_samples(one, many)
