"""The training reader never asks for a label that must not be seen."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtdata import Sample
from mtdata.errors import DataError, UnknownNameError, UsageError
from mtdata.reading.augment import Augmentation
from mtdata.reading.dataset import Dataset
from mtdata.reading.shown import make_dataset
from mtdata.regimes import REGIMES
from mtdata.regimes.drawing import draw
from mtdata.regimes.table import RegimeTable, write_table
from mtdata.store import open_store
from mtdata.store.regime_add import draw_regime
from tests.stores.changed import changed_store
from tests.stores.fake_split import TASKS, FakeStore, HiddenLabelError, make_split
from tests.stores.fakes import TASKS as STORED

NAMES = tuple(task.name for task in TASKS)
TASK_NAMES = tuple(task.name for task in STORED)
NEEDED: dict[str, dict[str, Any]] = {
    "imbalanced": {"ratio": {name: 1 / len(NAMES) for name in NAMES}},
    "fraction": {"share": 0.5},
}


def make_store(n: int = 12) -> FakeStore:
    train, test = make_split(n), make_split(4)
    test.role = "test"
    train.regimes = {
        name: draw(name, train.keys, NAMES, train.labels, **NEEDED.get(name, {})).labels
        for name in REGIMES
        if name != "full"
    }
    return FakeStore({"train": train, "test": test})


@pytest.mark.parametrize("regime", REGIMES)
def test_exactly_the_labels_that_may_be_seen_are_read(regime: str) -> None:
    store = make_store()
    split = store.splits["train"]
    dataset = make_dataset(store, "train", regime=regime, transform=Augmentation())
    visible = split.visible(regime)
    split.labels = visible  # reading any other label raises from here on
    samples = [dataset[i] for i in range(len(dataset))]
    for row, sample in zip(visible, samples, strict=True):
        assert set(sample.labels) == {name for name, seen in zip(NAMES, row, strict=True) if seen}
    assert len(split.asked) == visible.sum()


def test_the_fake_split_does_raise() -> None:
    split = make_split(3)
    split.labels = np.zeros_like(split.labels)
    with pytest.raises(HiddenLabelError):
        split.read(0, ["depth"])


def test_tasks_that_are_not_asked_for_are_not_read() -> None:
    store = make_store()
    dataset = make_dataset(store, "train", tasks=["depth", "semantic"], regime="full")
    assert [task.name for task in dataset.tasks] == ["depth", "semantic"]
    assert set(dataset[3].labels) == {"depth", "semantic"}
    assert {name for _, name in store.splits["train"].asked} == {"depth", "semantic"}


def test_the_default_regime_is_for_training_only() -> None:
    store = make_store()
    assert make_dataset(store, "train").labelled.sum(1).tolist() == [1] * 12
    assert make_dataset(store, "test").labelled.all()


def test_a_regime_by_table_and_by_file(tmp_path: Path) -> None:
    store = make_store()
    split = store.splits["train"]
    table = draw("random", split.keys[::-1], NAMES[::-1], split.labels, seed=4)
    by_table = make_dataset(store, "train", regime=table)
    path = tmp_path / "mine.csv"
    write_table(table, path)
    for regime in (path, str(path)):
        by_file = make_dataset(store, "train", regime=regime)
        np.testing.assert_array_equal(by_file.labelled, by_table.labelled)
    assert 12 < by_table.labelled.sum() < 40


def test_a_file_cannot_show_what_is_not_there(tmp_path: Path) -> None:
    store = make_store()
    split = store.splits["train"]
    full = draw("full", split.keys, NAMES, split.labels)
    split.labels = split.labels.copy()
    split.labels[0, 1] = False
    assert not make_dataset(store, "train", regime=full).labelled[0, 1]


def test_a_task_without_a_visible_label_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("key,task\n0001,semantic\n")
    with pytest.raises(
        DataError,
        match=r"mine\.csv` shows no label of the task `depth`, of which the training images have "
        r"\d+\. Leave the task out \(--tasks semantic\), or choose another regime",
    ):
        make_dataset(make_store(), "train", tasks=["semantic", "depth"], regime=path)
    dataset = make_dataset(make_store(), "train", tasks=["semantic"], regime=path)
    kept, left_out = dataset.drop_unlabelled()
    assert (kept.keys, left_out) == (("0001",), 11)


def test_a_task_whose_labels_are_for_testing_is_told_where_they_are() -> None:
    store = make_store()
    split = store.splits["train"]
    split.labels = split.labels.copy()
    split.labels[:, NAMES.index("depth")] = False
    with pytest.raises(
        DataError,
        match=r"no regime can show.* in test \(\d+\)\. Leave the task out \(--tasks semantic\), or "
        "build the store again with other splits",
    ):
        make_dataset(store, "train", tasks=["semantic", "depth"], regime="full")


def test_one_task_may_be_given_by_its_name() -> None:
    dataset = make_dataset(make_store(), "train", tasks="depth", regime="full")
    assert [task.name for task in dataset.tasks] == ["depth"]


def test_unknown_names() -> None:
    store = make_store()
    with pytest.raises(UnknownNameError, match=r"no split `trian`\. Did you mean `train`"):
        make_dataset(store, "trian")
    with pytest.raises(UnknownNameError, match=r"no task `dept`\. Did you mean `depth`"):
        make_dataset(store, "train", tasks=["dept"])
    with pytest.raises(UnknownNameError, match="no regime `on`"):
        make_dataset(store, "train", regime="on")
    with pytest.raises(UsageError, match="images of the split `train`, such as `0000`; found `x`"):
        make_dataset(store, "train", keys=["x"])
    with pytest.raises(UsageError, match="there is no file"):
        make_dataset(store, "train", regime="gone.csv")


def test_keys_choose_and_order() -> None:
    dataset = make_dataset(make_store(), "train", keys=["0007", "0002"])
    assert dataset.keys == ("0007", "0002")
    assert dataset[1].key == "0002"
    assert [sample.key for sample in dataset] == ["0007", "0002"]  # type: ignore[attr-defined]


def test_subsets() -> None:
    dataset = make_dataset(make_store(), "train", regime="random")
    mask = np.arange(12) % 3 == 0
    part = dataset.subset(mask)
    assert part.keys == dataset.keys[::3]
    np.testing.assert_array_equal(part.labelled, dataset.labelled[mask])
    assert part.subset(np.array([False, True, False, False])).keys == ("0003",)
    assert (len(part), part.size) == (4, (24, 32))


def test_images_without_any_label() -> None:
    split = make_split(40, share=0.3)
    dataset = Dataset(split, TASKS[:2], split.labels[:, :2])
    kept, left_out = dataset.drop_unlabelled()
    assert left_out == (~split.labels[:, :2].any(1)).sum() > 0
    assert len(kept) + left_out == 40
    assert kept.labelled.any(1).all()
    bare = int(np.flatnonzero(~split.labels[:, :2].any(1))[0])
    assert dataset[bare].labels == {}


def test_reading_is_a_function_of_seed_epoch_and_key() -> None:
    dataset = make_dataset(make_store(), "train", regime="full", transform=Augmentation())
    turned = make_dataset(
        make_store(), "train", regime="full", transform=Augmentation(), keys=["0005", "0001"]
    )

    def equal(a: Sample, b: Sample) -> bool:
        return bool((a.image == b.image).all())

    for i in (3, 1, 5):
        dataset.read(i, 7)
    assert equal(dataset.read(5, 2), turned[2, 0])
    assert equal(dataset[2, 5], dataset.read(5, 2, seed=0))
    assert equal(dataset[5], dataset.read(5, 0))
    views = [dataset.read(5, epoch, seed=seed) for epoch in range(3) for seed in range(3)]
    assert sum(equal(view, views[0]) for view in views) < 4


def test_it_can_be_pickled() -> None:
    dataset = make_dataset(make_store(), "train", transform=Augmentation())
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again.labelled, dataset.labelled)
    np.testing.assert_array_equal(again[1, 3].image, dataset[1, 3].image)


def test_a_mask_of_another_shape_is_refused() -> None:
    split = make_split(3)
    with pytest.raises(ValueError, match=r"`visible` should be \[3, 2\]; found \[3, 4\]"):
        Dataset(split, TASKS[:2], split.labels)


def test_a_key_of_two_splits_is_refused(tmp_path: Path) -> None:
    keys = {"train": ("0001", "0002"), "more": ("0002", "0003"), "test": ("té0",)}
    path = changed_store(tmp_path / "a.h5", keys=keys, missing=0)
    names = ["train", "more"]
    with open_store(path) as store:
        assert store.dataset(names, keys=["0001", "0003"]).keys == ("0001", "0003")
        with pytest.raises(UsageError, match="`0002` is in train and in more"):
            store.dataset(names, keys=["0002"])
        labels = np.ones((3, 5), bool)
        table = RegimeTable("import", ("0001", "0002", "0003"), TASK_NAMES, labels)
        with pytest.raises(UsageError, match="`0002` is in train and in more"):
            store.dataset(names, regime=table)
        labels[1] = False  # of which nothing is shown, nothing can be mistaken
        assert store.dataset(names, regime=table).labelled.sum(1).tolist() == [5, 0, 0, 5]


def test_a_regime_named_like_a_file_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in stores of before, which took such names."""
    path = changed_store(tmp_path / "a.h5", missing=0)
    monkeypatch.setattr("mtdata.store.edit.check_name", lambda name: None)
    draw_regime(path, "random", name="x.csv")
    with open_store(path) as store:
        wanted = store.splits["train"].visible("x.csv")
        assert np.array_equal(store.dataset("train", regime="x.csv").labelled, wanted)
