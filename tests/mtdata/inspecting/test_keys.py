"""Keys of a store, against what its tables say."""

import numpy as np
import pytest

from mtdata.errors import UnknownNameError
from mtdata.inspecting.keys import evenly, keys
from mtdata.store import Store, open_store
from tests.trees.nyu import nyu_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(nyu_store(tmp_path_factory.mktemp("store")))


def test_all_keys_in_their_order(store: Store) -> None:
    assert keys(store) == {name: list(split.keys) for name, split in store.splits.items()}
    assert list(keys(store, split="test")) == ["test"]


@pytest.mark.parametrize("task", ["semantic", "depth", "normals"])
def test_keys_that_show_a_task(store: Store, task: str) -> None:
    split = store.split("train")
    column = [each.name for each in store.tasks].index(task)
    shown = split.visible("one")[:, column]
    expected = [key for key, yes in zip(split.keys, shown, strict=True) if yes]
    assert 0 < len(expected) < len(split)
    assert keys(store, regime="one", task=task) == {"train": expected}
    assert len(keys(store, split="train", task=task)["train"]) == int(
        split.visible()[:, column].sum()
    )


def test_keys_that_show_any_task(store: Store) -> None:
    shown = store.split("train").visible("one").any(1)
    assert len(keys(store, regime="one")["train"]) == int(np.count_nonzero(shown))


def test_unknown_names(store: Store) -> None:
    with pytest.raises(UnknownNameError, match=r"no task `dept`\. Did you mean `depth`"):
        keys(store, task="dept")
    with pytest.raises(UnknownNameError, match="no regime `two`"):
        keys(store, regime="two")
    with pytest.raises(UnknownNameError, match="no split `val`"):
        keys(store, split="val")
    with pytest.raises(UnknownNameError, match=r"no regime.* `one`"):
        keys(store, split="test", regime="one")


def test_places_are_spread_evenly() -> None:
    assert evenly(100, 4) == [12, 37, 62, 87]
    assert evenly(3, 4) == [0, 1, 2]
    assert evenly(0, 4) == []
