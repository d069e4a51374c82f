"""What a regime with added labels shows: no more than its base lets follow."""

import pickle
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mtdata.errors import DataError, UsageError
from mtdata.merging.adding import add_labels
from mtdata.merging.derive import derive
from mtdata.reading.cache import share_memory
from mtdata.reading.dataset import Dataset, visible_digest
from mtdata.reading.shown import make_dataset
from mtdata.store import Store, add_regime, open_store
from mtdata.store import format as layout
from mtdata.store.completed import Completed, Composed, composed
from mtdata.store.regime_add import draw_regime
from mtdata.store.regime_summary import export_regime
from mtdata.tasks.sample import Sample
from tests.stores.added import about_run, added_store, filled
from tests.stores.fakes import fake_store

REGIMES = ("one+derived", "one+filled", "one+filled:0.6", "one+derived+filled:0.6")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return added_store(tmp_path_factory.mktemp("added"), images=(8, 1))


def same(one: Sample, other: Sample) -> bool:
    return one.labels.keys() == other.labels.keys() and all(
        np.array_equal(one.labels[n], other.labels[n])
        and np.array_equal(one.valid[n], other.valid[n])
        for n in one.labels
    )


def samples(dataset: Dataset) -> list[Sample]:
    return [dataset.read(index) for index in range(len(dataset))]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("one", None),
        ("one+filled", Composed("one", (("filled", 0.0),))),
        ("one+filled:0.8", Composed("one", (("filled", 0.8),))),
        ("filled:.5", Composed("random", (("filled", 0.5),))),
        ("derived", Composed("random", (("derived", 0.0),))),
        ("one+derived+filled:1", Composed("one", (("derived", 0.0), ("filled", 1.0)))),
        ("a+b.csv+derived", Composed("a+b.csv", (("derived", 0.0),))),
        ("two+filled", None),
        ("one+fill", None),
        ("refilled", None),
    ],
)
def test_one_syntax(text: str, wanted: Composed | None) -> None:
    found = composed(text, ["full", "one", "two+filled"], "random")
    assert found == wanted
    if found is not None:
        assert composed(str(found), ["one"], "x") == found


@pytest.mark.parametrize(
    "text", ["one+filled:2", "one+filled:", "one+filled:x", "one+derived:0.5", "one+filled+filled"]
)
def test_what_cannot_be_is_refused(path: Path, text: str) -> None:
    with open_store(path) as store, pytest.raises(UsageError, match="`regime` should"):
        store.dataset("train", regime=text)


def test_labels_of_the_base_stay_as_they_are(path: Path) -> None:
    with open_store(path) as store:
        base = store.dataset("train", regime="one")
        for regime in REGIMES:
            found = store.dataset("train", regime=regime)
            assert found.added is not None
            assert ((found.added.codes == 1) == base.labelled).all()
            assert found.labelled.sum() > base.labelled.sum()
            for one, other in zip(samples(base), samples(found), strict=True):
                for name in one.labels:
                    assert np.array_equal(one.labels[name], other.labels[name])


def test_a_derived_label_is_shown_beside_its_parent_alone(path: Path) -> None:
    with open_store(path) as store:
        names = [task.name for task in store.tasks]
        depth, disparity = names.index("depth"), names.index("disparity")
        base = store.dataset("train", regime="one").labelled
        found = store.dataset("train", regime="one+derived").labelled
        assert (found[:, disparity] == (base[:, disparity] | base[:, depth])).all()
        rest = [column for column in range(len(names)) if column != disparity]
        assert (found[:, rest] == base[:, rest]).all()
        # Whichever tasks are asked for: the parent need not be one of them.
        alone = store.dataset("train", ["disparity"], regime="one+derived")
        assert (alone.labelled[:, 0] == found[:, disparity]).all()


def test_pixels_below_the_threshold_are_void(path: Path) -> None:
    with open_store(path) as store:
        split = store.splits["train"]
        added = split.added["filled", "depth"]
        dataset = store.dataset("train", ["depth"], regime="one+filled:0.6")
        assert dataset.added is not None
        for index in np.flatnonzero(dataset.added.codes[:, 0] > 1).tolist():
            label, valid = added.task.kind.decode(split.read_added(added, index))
            sure = split.read_added(added, index, layout.CONFIDENCE) / 255 >= 0.6
            found = dataset.read(index)
            assert 0 < found.valid["depth"].sum() < valid.sum()
            assert np.array_equal(found.valid["depth"], valid & sure)
            assert np.array_equal(found.labels["depth"], np.where(valid & sure, label, 0))


def test_an_image_without_a_pixel_that_is_sure_shows_nothing(tmp_path: Path) -> None:
    path = fake_store(tmp_path, missing=0, images=(8, 1))

    def doubtful(store: Store) -> Any:
        from dataclasses import replace

        addition = filled(store)

        def make(*given: Any) -> Any:
            for made in addition.make(*given):
                yield {
                    name: one._replace(confidence=np.full(one.valid.shape, 0.5))
                    for name, one in made.items()
                }

        return replace(addition, make=make)

    add_labels(path, doubtful)
    with open_store(path) as store:
        base = store.dataset("train", regime="one").labelled
        assert (store.dataset("train", regime="one+filled:0.51").labelled == base).all()
        assert store.dataset("train", regime="one+filled:0.4").labelled.sum() > base.sum()


@pytest.mark.parametrize("regime", REGIMES)
def test_hidden_labels_alter_no_bit(path: Path, tmp_path: Path, regime: str) -> None:
    """Garbage in all that may not be seen: hidden labels, and what follows from them."""
    bad = Path(shutil.copy(path, tmp_path / "bad.h5"))
    with open_store(path) as store:
        seen = store.dataset("train", regime=regime)
        assert seen.added is not None
        codes = seen.added.codes
        names = [task.name for task in store.tasks]
        places = [f"label/{name}" for name in names]
        hidden = {(place, i) for place, column in zip(places, codes.T, strict=True)
                  for i in np.flatnonzero(column != 1).tolist()}  # fmt: skip
        assert isinstance(seen.split, Completed)
        for code, (added, _) in enumerate(seen.split.pieces, start=2):
            column = names.index(added.task.name)
            place = f"{added.origin}/{added.task.name}/label"
            hidden |= {(place, i) for i in np.flatnonzero(codes[:, column] != code).tolist()}
        wanted = samples(seen)
    with h5py.File(bad, "r+", libver=layout.LIBRARY) as file:
        for place, index in hidden:
            array = file[f"train/{place}"]
            array.id.write_direct_chunk((index,) + (0,) * (array.ndim - 1), b"garbage")
    with h5py.File(bad) as file:
        assert hidden
        with pytest.raises(OSError, match=r"filter|read"):
            file[f"train/{next(iter(hidden))[0]}"][next(iter(hidden))[1]]
    # Chunks as short as these are refused at opening: the look at them is not what is tested.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtdata.store.opening.look.CHUNKS", 0)
        with open_store(bad) as store:
            dataset = store.dataset("train", regime=regime)
            assert visible_digest(dataset) == visible_digest(seen)
            assert all(map(same, samples(dataset), wanted))


def test_a_hidden_label_cannot_be_asked_for(path: Path) -> None:
    with open_store(path) as store:
        dataset = store.dataset("train", regime="one+derived")
        assert dataset.added is not None
        row, column = np.argwhere(dataset.added.codes == 0)[0].tolist()
        name = store.tasks[column].name
        assert name not in dataset.split.read(row, [name]).labels
        with pytest.raises(ValueError, match="is hidden"):
            dataset.split.read_stored(row, name)  # type: ignore[attr-defined]


def test_a_cache_and_another_process_read_the_same(path: Path) -> None:
    with open_store(path) as store:
        dataset = store.dataset("train", regime=REGIMES[-1])
        cache, (cached,) = share_memory(dataset)
        cache.fill()
        assert all(map(same, samples(cached), samples(dataset)))
        assert all(map(same, samples(pickle.loads(pickle.dumps(dataset))), samples(dataset)))


def test_a_run_that_may_have_seen_more_is_refused(path: Path) -> None:
    with open_store(path) as store:
        for regime in ("full+filled", "filled:0.5", "one+filled"):
            if regime.startswith("full"):
                with pytest.raises(UsageError, match="which may have seen others"):
                    store.dataset("train", regime=regime)
                dataset = store.dataset("train", regime=regime, anyway=True)
                assert dataset.added is not None
                assert dataset.added.anyway
            else:
                assert store.dataset("train", regime=regime).added is not None
        # Of tasks that no run filled nothing is asked.
        store.dataset("train", ["disparity"], regime="full+derived+filled")


def test_another_draw_under_the_same_name_is_another_regime(tmp_path: Path) -> None:
    path = fake_store(tmp_path, missing=0, images=(8, 1))
    add_labels(path, filled)
    with open_store(path) as store:
        told = visible_digest(store.dataset("train", regime="one+filled"))
    table = export_regime(path, "one", tmp_path / "one.csv")
    from mtdata.store import remove_regime

    remove_regime(path, "one")
    draw_regime(path, "one", seed=1)
    with open_store(path) as store, pytest.raises(UsageError, match="may have seen"):
        store.dataset("train", regime="one+filled")
    add_regime(path, "before", table)
    with open_store(path) as store:
        assert visible_digest(store.dataset("train", regime="before+filled")) == told


def test_a_run_of_unknown_sight_is_refused(tmp_path: Path) -> None:
    path = fake_store(tmp_path, missing=0, images=(8, 1))
    add_labels(path, lambda store: filled(store, about={**about_run(store), "labels": ""}))
    with open_store(path) as store, pytest.raises(UsageError, match="may have seen"):
        store.dataset("train", regime="one+filled")


def test_digests_tell_what_is_shown(path: Path) -> None:
    with open_store(path) as store:
        digests = {
            visible_digest(make_dataset(store, "train", regime=regime, anyway=True))
            for regime in ("one", *REGIMES, "full+filled", "one+filled+derived")
        }
    # There is no image where both orders differ: fake depth fills no disparity.
    assert len(digests) == 7


def test_scores_never_use_them(path: Path, tmp_path: Path) -> None:
    with open_store(path) as store:
        assert store.dataset("test").added is None
        with pytest.raises(UsageError, match="labels of the source alone"):
            store.dataset("test", regime="full+derived")
    with pytest.raises(UsageError, match="should have the role train"):
        derive(path, "disparity", "depth", split=["test"], out=tmp_path / "b.h5")


def test_a_store_without_any_says_how_to_make_them(tmp_path: Path) -> None:
    path = fake_store(tmp_path, missing=0)
    with open_store(path) as store:
        for regime, how in (("one+filled", "mtmodels fill"), ("derived", "mtdata derive")):
            with pytest.raises(UsageError, match=how):
                store.dataset("train", regime=regime)


def test_a_base_may_be_a_file(path: Path, tmp_path: Path) -> None:
    export_regime(path, "one", tmp_path / "one.csv")
    with open_store(path) as store:
        one = store.dataset("train", regime=f"{tmp_path / 'one.csv'}+derived+filled:0.6")
        other = store.dataset("train", regime=REGIMES[-1])
        assert visible_digest(one) == visible_digest(other)


def test_a_task_without_any_label_is_refused_still(tmp_path: Path) -> None:
    path = fake_store(tmp_path, missing=0, images=(8, 1))
    derive(path, "disparity", "depth")
    table = export_regime(path, "one", tmp_path / "one.csv")
    labels = table.labels.copy()
    labels[:, table.tasks.index("saliency")] = False
    from dataclasses import replace

    add_regime(path, "bare", replace(table, labels=labels))
    with open_store(path) as store, pytest.raises(DataError, match="no label of the task"):
        store.dataset("train", regime="bare+derived")
