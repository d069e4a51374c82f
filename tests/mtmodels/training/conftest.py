"""A small store and a small run that the tests of training share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mtmodels.training.loop.trainer import Trainer
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record.runfolder import Mode
from mtmodels.training.run import fit, prepare
from tests.runs.small_run import small_layer, small_store

Train = Callable[..., Trainer]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on two threads, the more so when tests run side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small store."""
    return small_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def layer(store: Path) -> dict[str, Any]:
    """The small configuration."""
    return small_layer(store)


@pytest.fixture(scope="session")
def run(layer: dict[str, Any]) -> Train:
    """Train with some keys changed; no scores and pictures at the end."""

    def start(
        out: Path, *, mode: Mode = "new", watcher: Watcher | None = None, **changes: Any
    ) -> Trainer:
        job = prepare([layer, changes], out=out, mode=mode)
        return fit(job, mode=mode, arguments=["test"], watcher=watcher or Watcher())[1]

    return start


@pytest.fixture(scope="session")
def whole(run: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing interrupted."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    run(out)
    return out
