"""What is read of a store, counted at the file."""

from pathlib import Path

import pytest

from benchmarks.data.counting import bytes_of_an_epoch
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from tests.stores.fakes import TASKS, FakeSource

NAMES = [task.name for task in TASKS]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bytes") / "fake.h5"
    build(FakeSource(images=(12, 1)), path, size=(32, 64), regimes=[RegimeSpec("one")])
    return path


@pytest.mark.parametrize("regime", ["one", "full"])
def test_an_epoch_reads_images_and_visible_labels_and_not_a_byte_more(
    path: Path, regime: str
) -> None:
    read, shown = bytes_of_an_epoch(path, regime, NAMES)
    assert read == shown


def test_hidden_labels_cost_nothing(path: Path) -> None:
    assert bytes_of_an_epoch(path, "one", NAMES)[0] < bytes_of_an_epoch(path, "full", NAMES)[0]
