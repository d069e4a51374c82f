"""Building a store: the same data from the same input, whatever the way."""

import json
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtdata.building.build import RegimeSpec, build, plan
from mtdata.errors import DataError, SampleError, UnknownNameError, UsageError
from mtdata.inspecting.verify import verify
from mtdata.store import open_store
from mtdata.store.codec import COMPRESSIONS, Compression
from tests.stores.fakes import TASKS, FakeSource

NAMES = [task.name for task in TASKS]


def test_summary_counts_what_is_there(tmp_path: Path) -> None:
    summary = build(FakeSource(images=(7, 4)), tmp_path / "a" / "b.h5")
    store = open_store(tmp_path / "a" / "b.h5")
    for name, split in summary.splits.items():
        present = store.split(name).valid_pixels > 0
        assert split.images == len(present)
        assert list(split.labels.values()) == present.sum(0).tolist()
        assert split.partly == int((present.sum(1) < 5).sum())
        assert split.unlabelled == 0
    assert summary.content_digest == store.content_digest
    assert summary.bytes == (tmp_path / "a" / "b.h5").stat().st_size
    assert (summary.resumed, summary.changed, summary.default_regime) == (0, 0, "full")
    assert json.loads(json.dumps(summary.to_json()))["splits"]["test"]["images"] == 4
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["b.h5"]


def test_same_input_same_digest_in_any_number_of_processes(tmp_path: Path) -> None:
    one = build(FakeSource(), tmp_path / "1.h5", jobs=1)
    two = build(FakeSource(), tmp_path / "2.h5", jobs=2)
    assert one.content_digest == two.content_digest
    with h5py.File(tmp_path / "1.h5") as a, h5py.File(tmp_path / "2.h5") as b:
        for name in ("image", *(f"label/{task}" for task in NAMES)):
            first, second = a[f"train/{name}"].id, b[f"train/{name}"].id
            assert first.get_num_chunks() == second.get_num_chunks()
            for i in range(first.get_num_chunks()):
                place = first.get_chunk_info(i).chunk_offset
                assert first.read_direct_chunk(place) == second.read_direct_chunk(place)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compression_does_not_change_the_content(tmp_path: Path, compression: Compression) -> None:
    found = build(FakeSource(), tmp_path / "a.h5", compression=compression)
    wanted = build(FakeSource(), tmp_path / "b.h5")
    assert found.content_digest == wanted.content_digest
    assert verify(tmp_path / "a.h5").ok


def test_other_data_another_digest(tmp_path: Path) -> None:
    first = build(FakeSource(seed=1), tmp_path / "1.h5")
    second = build(FakeSource(seed=2), tmp_path / "2.h5")
    assert first.content_digest != second.content_digest
    stores = [open_store(tmp_path / f"{i}.h5") for i in (1, 2)]
    assert stores[0].source_digest != stores[1].source_digest


@settings(max_examples=6)
@given(
    h=st.integers(1, 20),
    w=st.integers(1, 20),
    to=st.none() | st.tuples(st.integers(1, 30), st.integers(1, 30)),
    seed=st.integers(0, 99),
)
def test_any_size_verifies(
    tmp_path_factory: pytest.TempPathFactory,
    h: int,
    w: int,
    to: tuple[int, int] | None,
    seed: int,
) -> None:
    path = tmp_path_factory.mktemp("size") / "a.h5"
    source = FakeSource(images=(2, 1), sizes=((h, w),), seed=seed, missing=0)
    build(source, path, size=to)
    store = open_store(path)
    assert store.split("train").size == (to or (h, w))
    assert store.split("train").source_sizes.tolist() == [[h, w]] * 2
    assert store.split("train").crops.tolist() == [[0, 0, h, w]] * 2
    assert verify(path).problems == ()


def test_native_sizes_are_padded(tmp_path: Path) -> None:
    sizes = ((10, 12), (12, 9), (11, 11))
    source = FakeSource(images=(6, 3), sizes=sizes)
    one = build(source, tmp_path / "1.h5", size=None)
    two = build(source, tmp_path / "2.h5", size=None, jobs=2)
    assert one.content_digest == two.content_digest
    for split in open_store(tmp_path / "1.h5").splits.values():
        for index, key in enumerate(split.keys):
            wanted, found = source.read(split.name, key, NAMES), split.read(index, NAMES)
            h, w = split.sizes[index]
            assert (h, w) == wanted.image.shape[:2]
            np.testing.assert_array_equal(found.image[:h, :w], wanted.image)
            assert not found.image[h:].any()
            assert not found.image[:, w:].any()
            for name, valid in found.valid.items():
                np.testing.assert_array_equal(valid[:h, :w], wanted.valid[name])
                assert not valid[h:].any()
                assert not valid[:, w:].any()


class Padding(FakeSource):
    """Says beforehand what images are padded to."""

    default_size: ClassVar[tuple[int, int] | None] = None
    padded_size: ClassVar[tuple[int, int] | None] = (16, 20)


def test_a_source_may_say_what_images_are_padded_to(tmp_path: Path) -> None:
    source = Padding(images=(4, 1), sizes=((3, 20), (16, 4)))
    build(source, tmp_path / "a.h5")
    for split in open_store(tmp_path / "a.h5").splits.values():
        assert split.size == (16, 20)
        assert split.sizes.tolist() == split.source_sizes.tolist()
    assert verify(tmp_path / "a.h5").ok
    build(source, tmp_path / "b.h5", size=(6, 8))
    assert open_store(tmp_path / "b.h5").split("train").size == (6, 8)


@pytest.mark.parametrize("size", [(17, 3), (3, 21)])
def test_images_beyond_that_are_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    source = Padding(images=(1, 1), sizes=(size,))
    with pytest.raises(SampleError, match=r"at most 16x20.* found .*--size 16x20"):
        build(source, tmp_path / "a.h5")
    build(source, tmp_path / "b.h5", size=(16, 20))


def test_native_sizes_too_different_ask_for_one(tmp_path: Path) -> None:
    source = FakeSource(images=(8, 1), sizes=((4, 40), (40, 4)))
    with pytest.raises(DataError, match="--size"):
        build(source, tmp_path / "a.h5", size=None)
    assert not (tmp_path / "a.h5").exists()


def test_tasks_limit_and_unlabelled_images(tmp_path: Path) -> None:
    source = FakeSource(images=(8, 3), missing=9)
    summary = build(source, tmp_path / "a.h5", tasks=["normals", "depth"], limit=5)
    store = open_store(tmp_path / "a.h5")
    assert [task.name for task in store.tasks] == ["depth", "normals"]
    assert summary.splits["train"].images == 5
    # With some of the tasks only, an image may have none of them: it is counted.
    assert summary.splits["train"].unlabelled > 0
    assert verify(tmp_path / "a.h5").ok


def test_regimes_are_drawn_on_training_splits(tmp_path: Path) -> None:
    specs = [RegimeSpec("random", name="some"), RegimeSpec("one"), RegimeSpec("full")]
    summary = build(FakeSource(images=(12, 4)), tmp_path / "a.h5", regimes=specs, seed=5)
    store = open_store(tmp_path / "a.h5")
    assert summary.default_regime == store.default_regime == "some"
    assert store.regimes == ("full", "one", "some")
    assert store.split("test").regimes.keys() == {"full"}
    some = store.split("train").regimes["some"]
    assert (some.kind, some.seed) == ("random", 5)
    assert (store.split("train").visible("one").sum(1) == 1).all()


@pytest.mark.parametrize(
    ("specs", "error", "said"),
    [
        ([RegimeSpec("tow")], UnknownNameError, "There is no regime `tow`"),
        ([RegimeSpec("one"), RegimeSpec("one")], UsageError, "found 'one' twice"),
        ([RegimeSpec("one", name="a/b")], UsageError, "without a slash"),
        ([RegimeSpec("one", name="full")], UsageError, "other than `full`"),
        ([RegimeSpec("one", options={"ratio": 1})], UsageError, "`ratio` is no option"),
    ],
    ids=["unknown", "twice", "slash", "full", "option"],
)
def test_regimes_that_cannot_be(
    tmp_path: Path, specs: list[RegimeSpec], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        build(FakeSource(), tmp_path / "a.h5", regimes=specs)
    assert list(tmp_path.iterdir()) == []


def test_regime_that_gives_a_task_no_label(tmp_path: Path) -> None:
    out = tmp_path / "a.h5"
    with pytest.raises(DataError, match="no label"):
        build(FakeSource(images=(2, 1)), out, regimes=[RegimeSpec("one")])
    # All samples are done: the build ends in no time without the regime.
    assert [file.name for file in tmp_path.iterdir()] == ["a.h5.partial"]
    assert build(FakeSource(images=(2, 1)), out, mode="resume").resumed == 3


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"size": (0, 4)}, UsageError, "`size` should be two positive"),
        ({"limit": 0}, UsageError, "`limit` should be at least 1"),
        ({"compression": "lz4"}, UnknownNameError, "compression"),
        ({"tasks": ["deepth"]}, UnknownNameError, "Did you mean `depth`"),
        ({"tasks": []}, UsageError, "at least one"),
    ],
    ids=["size", "limit", "compression", "task", "no task"],
)
def test_options_that_cannot_be(
    tmp_path: Path, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        build(FakeSource(), tmp_path / "a.h5", **options)
    assert list(tmp_path.iterdir()) == []


def test_plan_tells_and_writes_nothing(tmp_path: Path) -> None:
    source = FakeSource(images=(9, 3))
    planned = plan(source, tmp_path / "x" / "a.h5", regimes=[RegimeSpec("one")])
    assert list(tmp_path.iterdir()) == []
    assert planned.splits == {"train": 9, "test": 3}
    assert (planned.tasks, planned.size, planned.regimes) == (tuple(NAMES), (12, 16), ("one",))
    found = build(source, tmp_path / "a.h5", compression="none")
    assert 0 < planned.bytes < found.bytes
    assert planned.seconds > 0
    json.dumps(planned.to_json())


def test_plan_refuses_what_build_refuses(tmp_path: Path) -> None:
    (tmp_path / "a.h5").touch()
    with pytest.raises(UsageError, match="should be new"):
        plan(FakeSource(), tmp_path / "a.h5")


def test_strict_refuses_an_image_that_lacks_a_label(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="should have every label") as caught:
        build(FakeSource(missing=9), tmp_path / "a.h5", strict=True)
    assert "train/000" in str(caught.value)
    assert not (tmp_path / "a.h5").exists()
    build(FakeSource(missing=0), tmp_path / "b.h5", strict=True)


def test_progress_tells_of_every_sample_twice(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    build(FakeSource(), tmp_path / "a.h5", progress=lambda *what: told.append(what))
    assert told == [
        (done, 9, what)
        for what in ("reading samples", "writing the store")
        for done in range(1, 10)
    ]


def test_regime_without_a_training_split(tmp_path: Path) -> None:
    source = FakeSource(images=(0, 3))
    with pytest.raises(DataError, match="has none here"):
        build(source, tmp_path / "a.h5", regimes=[RegimeSpec("one")])
    assert build(source, tmp_path / "a.h5", mode="resume").splits.keys() == {"test"}


def test_source_without_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="should hold images"):
        build(FakeSource(images=(0, 0)), tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []
