"""A split read at a smaller size is what a build at that size holds."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtdata import open_store
from mtdata.building.build import build
from mtdata.errors import UsageError
from mtdata.reading.smaller import Smaller
from mtdata.tasks.resize import resize_sample
from mtdata.tasks.sample import Extent
from tests.stores.fake_split import TASKS, make_sample
from tests.stores.fakes import FakeSource


def test_it_reads_what_a_store_of_that_size_holds(tmp_path: Path) -> None:
    source = FakeSource(images=(5, 2), missing=5)
    for name, size in (("large", (24, 32)), ("small", (12, 16))):
        build(source, tmp_path / f"{name}.h5", size=size)
    with open_store(tmp_path / "large.h5") as large, open_store(tmp_path / "small.h5") as small:
        split = Smaller(large.splits["train"], (12, 16), large.tasks)
        theirs = small.splits["train"]
        assert (split.size, split.name, split.role) == (theirs.size, theirs.name, theirs.role)
        assert split.keys == theirs.keys
        names = [task.name for task in large.tasks]
        again = pickle.loads(pickle.dumps(split))
        for row in range(len(theirs.keys)):
            ours, stored, copy = (one.read(row, names) for one in (split, theirs, again))
            np.testing.assert_array_equal(ours.image, stored.image)
            np.testing.assert_array_equal(ours.image, copy.image)
            assert ours.labels.keys() == stored.labels.keys()
            for task in ours.labels:
                np.testing.assert_array_equal(ours.valid[task], stored.valid[task])
                seen = ours.valid[task]
                np.testing.assert_allclose(
                    ours.labels[task][seen], stored.labels[task][seen], atol=1e-3, err_msg=task
                )


def test_it_asks_for_the_labels_that_are_wanted_alone(tmp_path: Path) -> None:
    build(FakeSource(images=(3, 1), missing=0), tmp_path / "s.h5")
    with open_store(tmp_path / "s.h5") as store:
        split = Smaller(store.splits["train"], (6, 8), store.tasks)
        assert list(split.read(0, ["depth"]).labels) == ["depth"]
        assert split.read(0, []).labels == {}
        np.testing.assert_array_equal(split.visible("full"), store.splits["train"].visible("full"))
        with pytest.raises(UsageError, match="`size` should be at most that of the store, 12x16"):
            Smaller(store.splits["train"], (6, 32), store.tasks)


def test_padding_stays_outside_of_the_true_image() -> None:
    sample = make_sample(size=(24, 32))
    inside = Extent(0, 0, 15, 21)
    mask = np.zeros((24, 32), bool)
    mask[inside.part] = True
    padded = replace(sample, valid={t: v & mask for t, v in sample.valid.items()}, extent=inside)
    small = resize_sample(padded, (8, 12), {task.name: task.kind for task in TASKS})
    assert small.extent == Extent(0, 0, 5, 8)
    outside = np.ones((8, 12), bool)
    outside[small.extent.part] = False
    for task, valid in small.valid.items():
        assert not valid[outside].any()
        assert valid.any(), task
