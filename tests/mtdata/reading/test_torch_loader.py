"""The dataset in a `DataLoader` of torch, and the loader as an iterable."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader

import mtdata
from mtdata import Batch, Dataset
from tests.stores.fake_split import TASKS, make_split
from tests.stores.fakes import fake_store


def dataset(n: int = 10) -> Dataset:
    split = make_split(n, share=0.5)
    return Dataset(split, TASKS, split.labels)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("named", [False, True])
def test_a_plain_data_loader_gives_batches(workers: int, *, named: bool) -> None:
    """With our collate by name, and with the one that torch has by default."""
    collate = mtdata.collate if named else None
    data = dataset()
    found = list(DataLoader(data, batch_size=4, num_workers=workers, collate_fn=collate))  # type: ignore[arg-type]
    assert [len(batch) for batch in found] == [4, 4, 2]
    for i, batch in enumerate(found):
        expected = mtdata.collate([data[k] for k in range(4 * i, min(4 * i + 4, 10))])
        assert isinstance(batch, Batch)
        assert batch.keys == expected.keys
        assert torch.equal(batch.image, expected.image)
        assert batch.rows.keys() == expected.rows.keys()


def test_in_a_process_that_begins_from_nothing(tmp_path: Path) -> None:
    with mtdata.open_store(fake_store(tmp_path)) as store:
        data = store.dataset("train", regime="one")
        loader: DataLoader[Any] = DataLoader(
            data,  # type: ignore[arg-type]
            batch_size=2,
            num_workers=1,
            multiprocessing_context="spawn",
        )
        assert all(isinstance(batch, Batch) for batch in loader)


def test_a_loader_is_iterated_epoch_by_epoch() -> None:
    loader = mtdata.Loader(dataset(32), 8, shuffle=True)
    first, second = ([batch.keys for batch in loader] for _ in range(2))
    assert first == [batch.keys for batch in loader.epoch(0)]
    assert second == [batch.keys for batch in loader.epoch(1)]
    assert first != second
