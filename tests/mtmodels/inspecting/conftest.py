"""A run that came to its end, and the same as it was halfway."""

import shutil
from pathlib import Path

import pytest
import torch

from mtmodels.training.run import prepare, train
from tests.runs.small_run import small_layer, small_store

COMMAND = ["--method", "xtc", "--data", "fake.h5"]


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs that came to its end."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs")
    layer = small_layer(small_store(folder)) | {"epochs": 2}
    train(prepare([layer], out=folder / "runs" / "a", mode="new"), mode="new", arguments=COMMAND)
    return folder / "runs" / "a"


@pytest.fixture
def halfway(done: Path, tmp_path: Path) -> Path:
    """The same run as it was after its first epoch."""
    path = tmp_path / "halfway"
    shutil.copytree(done, path)
    (path / "summary.json").unlink()
    lines = (path / "metrics.jsonl").read_text().splitlines(keepends=True)
    (path / "metrics.jsonl").write_text("".join(lines[:5]) + '{"kind": "step", "st')
    return path
