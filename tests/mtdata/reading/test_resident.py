"""Kept on a device, batches made there: those of the loader, whatever is done to samples."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtdata import open_store
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import UsageError
from mtdata.reading.augment import Augmentation
from mtdata.reading.batch import Batch
from mtdata.reading.dataset import Dataset
from mtdata.reading.loader import Loader
from mtdata.reading.photometric import Photometric
from mtdata.reading.resident import Resident
from mtdata.reading.smaller import Smaller
from tests.stores.fake_split import INVERSE, TASKS, FakeSplit, HiddenLabelError
from tests.stores.fakes import FakeSource

HERE = torch.device("cpu")
ALL = (*TASKS, INVERSE)
GATHERED: dict[str, dict[str, Any]] = {
    "as it is": {"flip": 0.0, "scales": (1.0,)},
    "mirrored": {"flip": 1.0, "scales": (1.0,)},
    "cropped": {"flip": 0.0},
    "both": {},
    "any zoom": {"scales": (1.0, 4.0), "continuous": True},
    "as the papers": {"paper_geometry": True},
}
"""What is done to a whole batch at once."""
ALONE: dict[str, dict[str, Any]] = {
    "turned": {"rotate": 20.0},
    "shrunk": {"scales": (0.6, 1.0, 1.5)},
    "shrunk and turned": {"rotate": 20.0, "scales": (0.6, 1.4), "continuous": True},
}
"""What is done to one image after the other."""


def make(size: tuple[int, int] = (37, 53), **options: Any) -> Dataset:
    """A dataset where each label may be seen or not, and asking for a hidden one raises."""
    labels = np.random.default_rng(0).random((11, len(ALL))) < 0.6
    labels[3] = False
    split = FakeSplit(tuple(f"{i:04d}" for i in range(11)), labels, size=size, tasks=ALL)
    return Dataset(split, ALL, labels, Augmentation(**options))


def both(data: Dataset, batch: int = 4, **options: Any) -> list[tuple[Batch, Batch]]:
    """The batches of three epochs, made on the device and read."""
    how: dict[str, Any] = {"seed": 3, "shuffle": True, **options}
    ours = Loader(data, batch, resident=Resident(data, HERE), **how)
    theirs = Loader(data, batch, **how)
    return [
        pair
        for epoch in range(3)
        for pair in zip(ours.epoch(epoch), theirs.epoch(epoch), strict=True)
    ]


def assert_alike(ours: Batch, theirs: Batch, *, grey: float, turned: float) -> None:
    """The same but for grey levels of images, and for the components of normals."""
    assert (ours.keys, ours.cameras, ours.extents) == (theirs.keys, theirs.cameras, theirs.extents)
    assert ours.image.dtype == theirs.image.dtype
    assert ours.image.stride() == theirs.image.stride()
    assert ((ours.image - theirs.image).abs() * 255).max() <= grey
    assert list(ours.labels) == list(theirs.labels) == list(ours.valid) == list(ours.rows)
    for name, label in theirs.labels.items():
        assert ours.labels[name].dtype == label.dtype
        assert ours.labels[name].stride() == label.stride()
        assert torch.equal(ours.valid[name], theirs.valid[name])
        assert torch.equal(ours.rows[name], theirs.rows[name])
        if name == "normals":
            torch.testing.assert_close(ours.labels[name], label, atol=turned, rtol=0)
        elif turned > 1e-4:
            torch.testing.assert_close(ours.labels[name], label)
        else:
            assert torch.equal(ours.labels[name], label)


@pytest.mark.parametrize("what", GATHERED)
@pytest.mark.parametrize("size", [(37, 53), (24, 32)], ids=str)
def test_what_is_gathered_has_the_same_bits(what: str, size: tuple[int, int]) -> None:
    pairs = both(make(size, **GATHERED[what]))
    for ours, theirs in pairs:
        assert_alike(ours, theirs, grey=0, turned=1e-6)
    assert {name for ours, _ in pairs for name in ours.labels} == {task.name for task in ALL}
    assert len({ours.labels["depth"].shape[0] for ours, _ in pairs if "depth" in ours.labels}) > 1


@pytest.mark.parametrize("what", ALONE)
def test_what_comes_alone_differs_by_rounding(what: str) -> None:
    for ours, theirs in both(make(**ALONE[what])):
        assert_alike(ours, theirs, grey=2.01, turned=4e-3)


def test_parts_shares_and_a_later_start() -> None:
    data = make()
    how: dict[str, Any] = {"seed": 1, "shuffle": True, "drop_last": True}
    for options in ({"part": (1, 2)}, {"labelled": 0.5}):
        for ours, theirs in both(data, **how, **options):
            assert_alike(ours, theirs, grey=0, turned=1e-6)
    loader = Loader(data, 2, resident=Resident(data, HERE), workers=3, pin_memory=True, **how)
    assert [b.keys for b in loader.epoch(4, 3)] == [
        b.keys for b in Loader(data, 2, **how).epoch(4, 3)
    ]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("resident") / "fake.h5"
    source = FakeSource(images=(9, 2), missing=2, sizes=((16, 16), (40, 24), (48, 64)))
    source.padded_size = (48, 64)  # type: ignore[misc]
    build(source, path, size=None, regimes=[RegimeSpec("one"), RegimeSpec("random")])
    return path


@pytest.mark.parametrize("regime", ["full", "one", "random"])
@pytest.mark.parametrize("size", [None, (24, 32)], ids=str)
def test_a_store_of_mixed_sizes(path: Path, regime: str, size: tuple[int, int] | None) -> None:
    with open_store(path) as store:
        data = store.dataset("train", regime=regime, transform=Augmentation())
        if size is not None:
            data = replace(data, split=Smaller(data.split, size, data.tasks))
        resident = Resident(data, HERE)
        assert resident.cells == (len(data), int(data.labelled.sum()))
        told: list[int] = []
        resident.fill(lambda done, *_: told.append(done))
        assert told == list(range(1, len(data) + 1))
        pairs = both(data)
        for ours, theirs in pairs:
            assert_alike(ours, theirs, grey=0, turned=2e-5)
        assert any(theirs.extents is not None for _, theirs in pairs)


def test_a_hidden_label_is_never_asked_for() -> None:
    data = make()
    split = data.split
    assert isinstance(split, FakeSplit)
    with pytest.raises(HiddenLabelError):
        split.read(3, ["depth"])
    split.asked.clear()
    Resident(data, HERE).fill()
    seen = np.argwhere(data.labelled).tolist()
    assert split.asked == [(split.keys[row], ALL[column].name) for row, column in seen]


def test_its_bytes_are_those_of_its_tensors() -> None:
    resident = Resident(make(), HERE)
    resident.fill()
    tensors = [resident._images, *(one for pair in resident._labels.values() for one in pair)]
    assert resident.nbytes == sum(one.nbytes for one in tensors)


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make()
    needed = Resident(data, HERE).nbytes
    monkeypatch.setattr("mtdata.reading.resident.available", lambda: int(needed / 0.75) + 2)
    Resident(data, HERE)
    monkeypatch.setattr("mtdata.reading.resident.available", lambda: int(needed / 0.75) - 2)
    with pytest.raises(UsageError, match=r"are more than 75% of the 0\.00 GB that are free"):
        Resident(data, HERE)


def test_changes_by_a_library_for_processors_are_refused() -> None:
    data = make(photometric=Photometric())
    with pytest.raises(UsageError, match="`cache` should be `memory` where images are changed"):
        Resident(data, HERE)
