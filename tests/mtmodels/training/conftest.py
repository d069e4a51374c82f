"""A small store and a small run that the tests of training share."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mtdata.build import build
from mtdata.building.regimes import RegimeSpec
from mtmodels.training.run import fit, prepare
from mtmodels.training.runfolder import Mode
from mtmodels.training.trainer import Trainer
from mtmodels.training.watcher import Watcher
from tests.fakes import FakeSource

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
    """Fourteen images to train on and three to test on, 32x64, all labelled, regime `one`."""
    path = tmp_path_factory.mktemp("store") / "fake.h5"
    build(FakeSource(images=(14, 3), missing=0), path, size=(32, 64), regimes=[RegimeSpec("one")])
    return path


@pytest.fixture(scope="session")
def layer(store: Path) -> dict[str, Any]:
    """Three epochs of three steps of a tiny network."""
    return {
        "data": str(store),
        "tasks": ["semantic", "depth"],
        "method": {"name": "xtc", "options": {"lambda": 0.1}},
        "weighting": {"name": "uncertainty"},
        "network": {"name": "unet-resnet18", "width": 0.125},
        "epochs": 3,
        "batch": 3,
        "lr": 1e-3,
        "schedule": {"name": "cosine"},
        "workers": 0,
        "log_every": 1,
        "keep_unlabelled": True,
        "holdout": 0.3,
    }


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
