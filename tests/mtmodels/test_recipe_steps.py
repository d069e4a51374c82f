"""Two steps of every recipe, on a tiny store that looks like its own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtmodels.methods import METHODS
from mtmodels.options import options_of
from mtmodels.recipes import Recipe, all_recipes
from mtmodels.training.loop.schedules import Position
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.run import fit, prepare
from mtmodels.training.setup.resolve import resolve
from mtmodels.training.setup.setup import assemble
from tests.runs.small_run import scored
from tests.stores.paper_stores import paper_store

NARROW = 0.0625
ALL = all_recipes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


def store_of(recipe: Recipe, folder: Path) -> Path:
    """The tiny store of its data set; that of NYUv2 for one that takes any."""
    dataset, classes = recipe.store.get("dataset", "nyu"), recipe.store.get("classes", 13)
    path = folder / f"{dataset}-{classes}.h5"
    return path if path.is_file() else paper_store(folder, dataset, classes=classes)


def small(recipe: Recipe, folder: Path) -> dict[str, Any]:
    """What makes two steps of it quick: a narrow network, the smallest batch, no weights."""
    config = resolve(recipe.config)
    options: dict[str, Any] = {}
    known = options_of(METHODS[config.method.name])
    if known.get("mapping_epochs"):  # 0 is no stage
        options["mapping_epochs"] = 1
    options |= {k: NARROW for k in config.method.options if k.endswith("_width")}
    if recipe.teachers:
        options["teachers"] = {
            task: str(trained(ALL[name], folder)) for task, name in recipe.teachers.items()
        }
    return {
        "data": str(store_of(recipe, folder)),
        "network": {"width": NARROW, "encoder_weights": None},
        "method": {"name": config.method.name, "options": options},
        "regime": config.regime or "full",
        "batch": 2,
        "steps": 2,
        "workers": 0,
        "select": "last",
        "holdout": 0.0,
        "log_every": 1,
        "seed": 0,
        "protocol": "mtpsl",
    }


def named(recipe: Recipe) -> dict[str, Any]:
    """Its configuration as `mttrain --recipe` takes it."""
    return {**recipe.config, "recipe": {"name": recipe.name}}


def trained(recipe: Recipe, folder: Path) -> Path:
    """The run of a recipe, trained for two steps where that was not done before."""
    out = folder / recipe.name.replace("/", "-")
    if not out.is_dir():
        job = prepare([named(recipe), small(recipe, folder)], out=out, mode="new")
        fit(job, mode="new", arguments=["test"], watcher=Watcher())
        scored(out)
    return out


def steps(recipe: Recipe, folder: Path) -> list[dict[str, float]]:
    """The terms of the tasks at two steps; with what a stage beforehand teaches, a whole run."""
    job = prepare([named(recipe), small(recipe, folder)], out=folder / "none", mode="new")
    parts = assemble(job.config, job.data)
    if parts.method.stages():
        rows = read_rows(RunFolder(trained(recipe, folder)).metrics, "step")
        return [row["tasks"] for row in rows]
    batches = list(parts.loader.epoch(0))[:2]
    return [
        dict(parts.engine.step([batch], Position(step, len(batches), 1)).tasks)
        for step, batch in enumerate(batches)
    ]


def kinds() -> dict[str, str]:
    """Of each recipe what it puts together; those that are alike differ in numbers alone."""
    found = {}
    for name, recipe in ALL.items():
        config = resolve(recipe.config)
        parts = (config.network.name, config.method.name, config.weighting.name)
        found[name] = " ".join((*parts, str(recipe.store.get("dataset"))))
    return found


FIRST = {kind: name for name, kind in reversed(kinds().items())}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if FIRST[kind] == name else [pytest.mark.slow])
        for name, kind in kinds().items()
    ],
)
def test_two_steps(name: str, folder: Path) -> None:
    config = resolve(ALL[name].config)
    found = steps(ALL[name], folder)
    assert len(found) == 2
    assert all(np.isfinite(value) for terms in found for value in terms.values())
    tasks = {task for terms in found for task in terms}
    assert tasks
    assert tasks <= set(config.tasks or tasks)
