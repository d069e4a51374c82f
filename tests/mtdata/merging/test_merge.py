"""Joining stores: the parts of a store make that store again, and what contradicts is refused."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mtdata.building.build import RegimeSpec
from mtdata.errors import DataError, StoreError, UnknownNameError, UsageError
from mtdata.inspecting.diff import diff
from mtdata.inspecting.verify import verify
from mtdata.merging.merge import merge
from mtdata.store import open_store
from mtdata.store.format import plain, put
from mtdata.tasks.sample import Camera, Sample
from tests.stores.changed import changed_store, relabel, repaint
from tests.stores.fakes import TASKS, Interrupted, stop_after
from tests.stores.store_files import editing

GROUPS = (["semantic", "depth"], ["depth", "normals"], ["saliency", "disparity"])
AT = (slice(2, 4), slice(5, 8))


def _digest(path: Path) -> str:
    with open_store(path) as store:
        return store.content_digest


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return changed_store(tmp_path_factory.mktemp("whole") / "whole.h5")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("parts")
    return [changed_store(folder / f"{i}.h5", tasks=group) for i, group in enumerate(GROUPS)]


def test_the_tasks_of_a_store_make_it_again(whole: Path, parts: list[Path], tmp_path: Path) -> None:
    for number, order in enumerate(permutations(parts)):
        out = tmp_path / f"{number}.h5"
        summary = merge(order, out)
        assert summary.content_digest == _digest(whole)
        assert summary.tasks == tuple(task.name for task in TASKS)
        assert summary.recoded == 0
        assert verify(out).ok
    assert diff(whole, tmp_path / "0.h5").same
    assert summary.splits["train"].partly > 0


def test_grouping_does_not_matter(whole: Path, parts: list[Path], tmp_path: Path) -> None:
    merge(parts[:2], tmp_path / "ab.h5")
    out = merge([tmp_path / "ab.h5", parts[2]], tmp_path / "abc.h5")
    assert out.content_digest == _digest(whole)


def test_other_images_and_other_sizes(tmp_path: Path) -> None:
    sizes: dict[str, Any] = {"sizes": ((24, 32), (20, 30), (22, 28))}
    keys = [
        {"train": ("0001", "0004"), "test": ("té0",)},
        {"train": ("0002", "0003", "0004"), "test": ("té0", "té1")},
    ]
    every = {"train": ("0001", "0002", "0003", "0004"), "test": ("té0", "té1")}
    inputs = [changed_store(tmp_path / f"{i}.h5", keys=k, **sizes) for i, k in enumerate(keys)]
    whole = changed_store(tmp_path / "whole.h5", keys=every, **sizes)
    summary = merge(inputs, tmp_path / "out.h5")
    assert summary.content_digest == _digest(whole)
    assert verify(tmp_path / "out.h5").ok
    assert diff(whole, tmp_path / "out.h5").same


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_another_compression(
    compression: str, whole: Path, parts: list[Path], tmp_path: Path
) -> None:
    changed = changed_store(tmp_path / "2.h5", tasks=GROUPS[2], compression=compression)
    first = merge([*parts[:2], changed], tmp_path / "first.h5")
    assert first.copied
    assert first.recoded
    last = merge([changed, *parts[:2]], tmp_path / "last.h5")
    wanted = merge(parts, tmp_path / "wanted.h5", compression=compression)
    assert not wanted.copied
    digests = {first.content_digest, last.content_digest, wanted.content_digest}
    assert digests == {_digest(whole)}
    with h5py.File(tmp_path / "last.h5") as a, h5py.File(tmp_path / "wanted.h5") as b:
        assert a["train/image"].compression == b["train/image"].compression
    assert verify(tmp_path / "last.h5").ok


@pytest.mark.parametrize("prefer", [None, "first", "last"])
def test_labels_that_contradict(prefer: Any, whole: Path, tmp_path: Path) -> None:
    changed = changed_store(tmp_path / "b.h5", relabel("0003", "depth", AT, 1.5), tasks=["depth"])
    out = tmp_path / "out.h5"
    if prefer is None:
        with pytest.raises(DataError, match=r"train/0003/depth.*--prefer"):
            merge([whole, changed], out)
        assert not out.exists()
        return
    summary = merge([whole, changed], out, prefer=prefer)
    assert summary.settled == 1
    assert verify(out).ok
    cells = diff(whole, out).changed_splits["train"].cells
    assert [cell.key for cell in cells] == ([] if prefer == "first" else ["0003"])


def test_cameras_that_contradict(whole: Path, tmp_path: Path) -> None:
    def move(split: str, sample: Sample) -> Sample:
        return replace(sample, camera=Camera(1.0, 2.0, 3.0, 4.0)) if sample.camera else sample

    def forget(split: str, sample: Sample) -> Sample:
        return replace(sample, camera=None)

    moved = changed_store(tmp_path / "moved.h5", move, tasks=["depth"])
    with pytest.raises(DataError, match="/camera"):
        merge([whole, moved], tmp_path / "out.h5")
    bare = changed_store(tmp_path / "bare.h5", forget, tasks=["depth"])
    merge([bare, whole], tmp_path / "out.h5")
    with open_store(tmp_path / "out.h5") as out, open_store(whole) as wanted:
        found, told = (s.split("train").cameras for s in (out, wanted))
    assert np.array_equal(found, told, equal_nan=True)
    assert not np.isnan(found).all()


def test_crops(parts: list[Path], tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.h5" for n in range(3)]
    for path, top in zip(paths, (0, 45, 46), strict=True):
        path.write_bytes(parts[0 if path == paths[0] else 1].read_bytes())
        if top:
            with editing(path) as file:
                file["train/source_size"][...] = (480, 640)
                file["train/crop"][...] = (top, 41, 426, 560)
    for order in (paths[:2], paths[1::-1]):
        merge(order, tmp_path / "out.h5", overwrite=True)
        with open_store(tmp_path / "out.h5") as out:
            assert (out.split("train").crops == (45, 41, 426, 560)).all()
            assert (out.split("train").source_sizes == (480, 640)).all()
            assert (out.split("test").source_sizes == (24, 32)).all()
    with pytest.raises(DataError, match="train/0001/crop"):
        merge(paths, tmp_path / "out.h5", overwrite=True)


def test_images_that_differ(whole: Path, tmp_path: Path) -> None:
    other = changed_store(tmp_path / "b.h5", repaint("0002"))
    small = changed_store(tmp_path / "c.h5", sizes=((12, 16),))
    for prefer in (None, "first"):
        with pytest.raises(DataError, match=r"train/0002 .*24x32"):
            merge([whole, other], tmp_path / "out.h5", prefer=prefer)
    with pytest.raises(DataError, match=r"test/té0.* and 1 more|train/0001.*12x16"):
        merge([whole, small], tmp_path / "out.h5")


def test_tasks_that_differ(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "b.h5"
    path.write_bytes(whole.read_bytes())
    with editing(path) as file:
        put(file.attrs, {"tasks": plain(file.attrs["tasks"]).replace("sofa", "couch")})
        for split in file.values():
            attributes = split["label/semantic"].attrs
            names = [name.replace("sofa", "couch") for name in plain(attributes["classes"])]
            put(attributes, {"classes": names})
    with pytest.raises(DataError, match=r"`semantic`.*names"):
        merge([whole, path], tmp_path / "out.h5")


def test_roles_and_splits_that_contradict(whole: Path, tmp_path: Path) -> None:
    role = changed_store(tmp_path / "role.h5", test="none")
    with pytest.raises(DataError, match=r"split test should have one role"):
        merge([whole, role], tmp_path / "out.h5")
    leak = changed_store(tmp_path / "leak.h5", keys={"train": ("0001",), "test": ("0002",)})
    with pytest.raises(DataError, match=r"one split.*0002"):
        merge([whole, leak], tmp_path / "out.h5")


def test_splits_that_are_numbered_each(tmp_path: Path) -> None:
    def same(split: str, sample: Sample) -> Sample:
        image = np.full_like(sample.image, 7)
        return replace(sample, image=image) if sample.key == "2" else sample

    a = changed_store(tmp_path / "a.h5", keys={"train": ("0", "1"), "test": ("0",)})
    b = changed_store(tmp_path / "b.h5", keys={"train": ("0",), "test": ("0", "1")})
    assert merge([a, b], tmp_path / "out.h5").splits["test"].images == 2
    c = changed_store(tmp_path / "c.h5", same, keys={"train": ("0", "2"), "test": ("0",)})
    d = changed_store(tmp_path / "d.h5", same, keys={"train": ("0",), "test": ("0", "2")})
    with pytest.raises(DataError, match=r"one split.*: 2\."):
        merge([c, d], tmp_path / "out2.h5")


def test_regimes(tmp_path: Path) -> None:
    one, random = RegimeSpec("one"), RegimeSpec("random")
    a = changed_store(tmp_path / "a.h5", regimes=[one, random])
    b = changed_store(tmp_path / "b.h5", regimes=[one], seed=1)
    c = changed_store(tmp_path / "c.h5", regimes=[one], compression="none")
    kept = merge([a, c], tmp_path / "ac.h5")
    assert (kept.kept, kept.dropped, kept.default_regime) == (("one", "random"), (), "one")
    with open_store(tmp_path / "ac.h5") as out, open_store(a) as store:
        for name in ("one", "random"):
            shown, before = (s.split("train").regimes[name].labels for s in (out, store))
            assert np.array_equal(shown, before)
    left = merge([a, b], tmp_path / "ab.h5")
    assert (left.kept, left.dropped, left.default_regime) == (("random",), ("one",), "full")
    assert (kept.uncovered, left.uncovered) == ((), ("one",))


def test_a_regime_hides_what_others_add(parts: list[Path], tmp_path: Path) -> None:
    a = changed_store(tmp_path / "a.h5", tasks=GROUPS[0], regimes=[RegimeSpec("one")])
    assert merge([parts[2], a], tmp_path / "out.h5").uncovered == ("one",)
    with open_store(tmp_path / "out.h5") as out, open_store(a) as store:
        shown, before = (s.split("train").visible("one") for s in (out, store))
        names = [task.name for task in out.tasks]
        assert out.default_regime == "full"
    columns = [names.index(name) for name in GROUPS[0]]
    assert np.array_equal(shown[:, columns], before)
    assert shown.sum() == before.sum()


def test_a_regime_knows_what_came_with_others_and_shows_none_of_it(tmp_path: Path) -> None:
    """In a split that came with another store too, whatever it is asked with."""
    a = changed_store(tmp_path / "a.h5", regimes=[RegimeSpec("one")], missing=0)
    keys = {"train": ("0001", "n1", "n2"), "more": ("m1",), "test": ("té9",)}
    b = changed_store(tmp_path / "b.h5", keys=keys, missing=0)
    merge([b, a], tmp_path / "out.h5")
    with open_store(tmp_path / "out.h5") as out:
        of = {name: out.split(name).regimes["one"] for name in ("train", "more")}
        assert {name: (info.uncovered, info.later) for name, info in of.items()} == {
            "train": (2, 2 * len(TASKS)), "more": (1, len(TASKS)),
        }  # fmt: skip
        assert "one" not in out.split("test").regimes
        seen = out.dataset(["train", "more"], regime="one")
        assert {seen.keys[row] for row in np.flatnonzero(seen.labelled.any(1))} == {
            f"{number:04d}" for number in range(1, 7)
        }
    assert verify(tmp_path / "out.h5").ok


def test_what_is_no_merge(whole: Path, parts: list[Path], tmp_path: Path) -> None:
    for inputs, text in (([whole], "two stores"), ([whole, whole], "twice")):
        with pytest.raises(UsageError, match=text):
            merge(inputs, tmp_path / "out.h5")
    with pytest.raises(UsageError, match="one of the stores"):
        merge(parts, parts[0], overwrite=True)
    with pytest.raises(UsageError, match="folder"):
        merge(parts, tmp_path, overwrite=True)
    with pytest.raises(UnknownNameError, match="compression"):
        merge(parts, tmp_path / "out.h5", compression="zip")
    with pytest.raises(StoreError, match="no such file"):
        merge([whole, tmp_path / "none.h5"], tmp_path / "out.h5")
    (tmp_path / "out.h5").write_text("here")
    with pytest.raises(UsageError, match="--overwrite"):
        merge(parts, tmp_path / "out.h5")
    assert (tmp_path / "out.h5").read_text() == "here"
    merge(parts, tmp_path / "out.h5", overwrite=True)
    assert verify(tmp_path / "out.h5").ok


def test_an_interrupted_merge_leaves_nothing(parts: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out.h5").write_text("here")
    with pytest.raises(Interrupted):
        merge(parts, tmp_path / "out.h5", overwrite=True, progress=stop_after(4))
    assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]
    assert (tmp_path / "out.h5").read_text() == "here"


def test_a_merged_store_can_be_read_again_by_its_maker(parts: list[Path], tmp_path: Path) -> None:
    merge(parts, tmp_path / "a.h5")
    merge(parts, tmp_path / "b.h5")
    assert diff(tmp_path / "a.h5", tmp_path / "b.h5").same
    with open_store(tmp_path / "a.h5") as store:
        assert store.dataset_name == "fake"
        assert len(store.options["merged"]) == 3
