"""Labels that were added: read as written, refused where they are not, unseen by old programs."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mtdata.errors import StoreError
from mtdata.inspecting.verify import verify
from mtdata.store import format as layout
from mtdata.store import open_store
from tests.stores.added import added_store
from tests.stores.fakes import fake_store
from tests.stores.store_files import reseal

Change = Callable[[h5py.File], object]
FILLED, DERIVED = "train/filled/depth", "train/derived/disparity"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return added_store(tmp_path_factory.mktemp("added"), images=(6, 1))


def test_they_change_nothing_of_the_source(good: Path, tmp_path: Path) -> None:
    plain = fake_store(tmp_path, missing=0, images=(6, 1))
    with open_store(plain) as before, open_store(good) as after:
        assert (before.format_version, after.format_version) == (1, 2)
        assert before.content_digest == after.content_digest
        for name, split in before.splits.items():
            other = after.splits[name]
            assert split.regimes == other.regimes
            for regime in split.regimes:
                assert np.array_equal(split.visible(regime), other.visible(regime))
            for index in range(len(split)):
                names = [task.name for task in before.tasks]
                one, two = split.fetch(index, names), other.fetch(index, names)
                assert one.labels.keys() == two.labels.keys()
                assert all(one.labels[n].tobytes() == two.labels[n].tobytes() for n in names)
    assert verify(good).ok


def test_a_program_of_before_refuses_them_by_their_version(
    good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "SHARDED_VERSION", 1)
    with pytest.raises(StoreError, match="format version 2; this program reads up to 1"):
        open_store(good)


def _attribute(place: str, name: str, value: Any) -> Change:
    return lambda file: layout.put(file[place].attrs, {name: value})


def _about(place: str, **values: Any) -> Change:
    def change(file: h5py.File) -> None:
        said = json.loads(layout.plain(file[place].attrs["about"]))
        layout.put(file[place].attrs, {"about": json.dumps({**said, **values})})

    return change


def _instead(place: str, **options: Any) -> Change:
    def change(file: h5py.File) -> None:
        del file[place]
        file.create_dataset(place, **options)

    return change


def _linked(file: h5py.File) -> None:
    del file[f"{FILLED}/label"]
    file[f"{FILLED}/label"] = h5py.ExternalLink("trap", "/x")


HOSTILE: dict[str, Change] = {
    "version of before": lambda file: file.attrs.modify("format_version", 1),
    "external link": _linked,
    "another origin": lambda file: file.move("train/filled", "train/guessed"),
    "another task": lambda file: file.move(FILLED, "train/filled/parts"),
    "more in it": lambda file: file[FILLED].create_group("more"),
    "an array for a group": _instead(DERIVED, data=np.ones(3), chunks=(3,), fletcher32=True),
    "no confidence": lambda file: file.__delitem__(f"{FILLED}/confidence"),
    "confidence of derived": lambda file: file.copy(
        f"{FILLED}/confidence", file[DERIVED], "confidence"
    ),
    "other rows": _instead(
        f"{FILLED}/valid_pixels", data=np.ones(3, np.int32), chunks=(3,), fletcher32=True
    ),
    "absurd confidence": _instead(
        f"{FILLED}/confidence", shape=(6, 60_000, 60_000), dtype="u1", chunks=(1, 60_000, 60_000),
        compression="gzip", fletcher32=True,
    ),
    "confidence of another size": _instead(
        f"{FILLED}/confidence", shape=(6, 12, 15), dtype="u1", chunks=(1, 12, 15), fletcher32=True
    ),
    "another type": _attribute(f"{FILLED}/label", "scale", 0.5),
    "about that is no JSON": _attribute(FILLED, "about", "{"),
    "about that is a list": _attribute(FILLED, "about", "[]"),
    "about without a run": _about(FILLED, run=None),
    "a parent that is none": _about(DERIVED, parent="../x"),
    "a parent that is itself": _about(DERIVED, parent="disparity"),
    "no digest": lambda file: file[FILLED].attrs.__delitem__("sha256"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_form_of_them_is_refused(good: Path, tmp_path: Path, name: str) -> None:
    """Whoever makes such a store can make its digests match too."""
    path = Path(shutil.copy(good, tmp_path / "bad.h5"))
    with h5py.File(path, "r+", libver=layout.LIBRARY) as file:
        HOSTILE[name](file)
        if name != "no digest" and not name.startswith("absurd"):
            with suppress(TypeError, KeyError, AttributeError, OSError):
                reseal(file)
    with pytest.raises(StoreError) as caught:
        open_store(path)
    assert "\n" not in str(caught.value)
    assert not verify(path).ok


@pytest.mark.parametrize("part", ["label", "confidence"])
def test_a_bit_that_flips_is_found_and_the_rest_is_read(
    good: Path, tmp_path: Path, part: str
) -> None:
    path = Path(shutil.copy(good, tmp_path / "bad.h5"))
    with h5py.File(path) as file:
        chunk = file[f"{FILLED}/{part}"].id.get_chunk_info(1)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 4
    path.write_bytes(data)
    with open_store(path) as store:
        split = store.splits["train"]
        added = split.added["filled", "depth"]
        assert split.read_added(added, 0, part).any()
        with pytest.raises(StoreError, match=f"{part} `filled/depth` of train/0002 does not match"):
            split.read_added(added, 1, part)
    (problem,) = verify(path).problems
    assert problem.where == "train/0002/filled/depth"


def test_another_table_behind_their_digest_is_found(good: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(good, tmp_path / "bad.h5"))
    with h5py.File(path, "r+", libver=layout.LIBRARY) as file:
        file[f"{FILLED}/most"][0] = 1
    with open_store(path) as store, pytest.raises(StoreError, match="does not match its digest"):
        store.dataset("train", regime="one+filled:0.5")
    assert f"{FILLED}/most" in {problem.where for problem in verify(path).problems}


def test_a_program_that_runs_refuses_others_in_their_place(good: Path, tmp_path: Path) -> None:
    from mtdata.merging.adding import add_labels
    from tests.stores.added import filled

    path = Path(shutil.copy(good, tmp_path / "a.h5"))
    with open_store(path) as store:
        dataset = store.dataset("train", regime="one+filled")
        dataset.read(0)
        store.close()
        add_labels(path, lambda opened: filled(opened, seed=1), overwrite=True)
        assert dataset.added is not None
        index = int(np.flatnonzero((dataset.added.codes > 1).any(1))[0])
        with pytest.raises(StoreError, match="are other labels than when it was opened"):
            dataset.read(index)
        # Labels of the source are what they were.
        store.dataset("train", regime="one").read(0)
