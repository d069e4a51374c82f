"""A store and a configuration small enough that a run takes a second."""

import json
from pathlib import Path
from typing import Any

from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from tests.stores.fakes import FakeSource


def small_store(folder: Path, **options: Any) -> Path:
    """Fourteen images to train on and three to test on, 32x64, all labelled, regime `one`."""
    path, source = folder / "fake.h5", FakeSource(images=(14, 3), missing=0, **options)
    build(source, path, size=(32, 64), regimes=[RegimeSpec("one")])
    return path


def small_layer(store: Path) -> dict[str, Any]:
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


def as_arguments(layer: dict[str, Any]) -> list[str]:
    """A configuration as a command line gives it."""
    assignments = [f"{key}={json.dumps(value)}" for key, value in layer.items()]
    return [part for one in assignments for part in ("--set", one)]


def small_run(folder: Path, **changed: Any) -> Path:
    """A run of one epoch of `small_layer`, with what is changed of it."""
    from mtmodels.training.loop.watcher import Watcher
    from mtmodels.training.run import fit, prepare

    layer = small_layer(small_store(folder)) | {"epochs": 1, **changed}
    job = prepare([layer], out=folder / "run", mode="new")
    fit(job, mode="new", arguments=[], watcher=Watcher())
    return folder / "run"


def scored(out: Path) -> Path:
    """Mark a run that was trained alone as one that came to its end, of which others may learn."""
    (out / "summary.json").write_text("{}")
    return out


def all_tasks() -> dict[str, Any]:
    """Changes of `small_layer` for a run of every kind of task, supervised alone."""
    return {
        "tasks": ["semantic", "depth", "normals", "saliency", "disparity"],
        "method": {"name": "sl"},
    }
