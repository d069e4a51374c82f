"""Every recipe is a configuration that can be built, and its published row exists."""

from pathlib import Path

import pytest

from mtdata import open_store
from mtdata.errors import UnknownNameError, UsageError
from mtdata.tasks.kinds import Depth, Normals
from mtdata.tasks.task import Task
from mtmodels.options import filled
from mtmodels.recipes import Recipe, all_recipes, load_recipe
from mtmodels.scoring.published import published_row
from mtmodels.training.loop import OPTIMISERS, SCHEDULES
from mtmodels.training.loop.schedules import Position
from mtmodels.training.setup.making import make_method, make_weighting
from mtmodels.training.setup.resolve import resolve
from tests.fakes import TASKS
from tests.small_run import small_store

TASK = {
    "semantic": TASKS[0],
    "depth": Task("depth", Depth()),
    "normals": Task("normals", Normals()),
}


@pytest.mark.parametrize("name", all_recipes())
def test_a_recipe_can_be_built(name: str) -> None:
    recipe = all_recipes()[name]
    # Weights of other networks are not at hand, and a narrow network is as good here.
    small = {"network": {"width": 0.0625, "encoder_weights": None}}
    config = resolve(recipe.config, small)
    tasks = [TASK[task] for task in config.tasks or ("semantic", "depth")]
    make_method(config, tasks)
    make_weighting(config, tasks)
    schedule = SCHEDULES[config.schedule.name](**config.schedule.options)
    assert 0 < schedule(Position(0, 10, config.epochs)) <= 1
    assert recipe.summary.endswith(".")
    assert recipe.needs


@pytest.mark.parametrize("name", [n for n, r in all_recipes().items() if r.published])
def test_a_published_row_is_about_the_same_thing(name: str) -> None:
    recipe = all_recipes()[name]
    row = published_row(str(recipe.published))
    config = resolve(recipe.config)
    assert row.dataset in name
    assert row.protocol == config.protocol
    assert row.method in ("", config.method.name)
    assert row.network in ("", config.network.name)
    if len(config.tasks or ()) > 1:
        assert row.weighting in ("", config.weighting.name)
    assert set(config.tasks or ()) <= set(row.tasks)


def test_the_protocol_of_the_paper() -> None:
    nyu = resolve(load_recipe("xtasc-nyu-xtc").config)
    assert (nyu.epochs, nyu.batch, nyu.lr) == (100, 6, 1e-4)
    assert filled(OPTIMISERS["adam"], nyu.optimizer.options)["betas"] == [0.9, 0.99]
    assert nyu.schedule.options == {"every": 60, "factor": 0.5}
    city = resolve(load_recipe("xtasc-cityscapes-xtc").config)
    assert (city.epochs, city.batch, city.schedule.options["every"]) == (250, 8, 80)
    assert city.method.options["lambda"] == 0.01
    assert nyu.method.options["lambda"] == 1e-4
    single = resolve(load_recipe("xtasc-nyu-single-depth").config)
    assert single.optimizer.options["betas"] == [0.9, 0.999]


def test_cityscapes_is_normalised_as_released() -> None:
    names = [name for name in all_recipes() if name.startswith("xtasc-cityscapes")]
    assert len(names) == 10
    for name in names:
        options = resolve(load_recipe(name).config).network.options
        assert options == {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}, name


def test_a_file_is_a_recipe_too_and_a_wrong_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("epochs: 3\n")
    assert load_recipe(str(tmp_path / "mine.yaml")).config == {"epochs": 3}
    with pytest.raises(UnknownNameError, match=r"no recipe `nyu-compac`. Did you mean"):
        load_recipe("nyu-compac")


@pytest.mark.parametrize(
    ("needed", "told"),
    [
        ({"dataset": "nyu"}, "dataset fake in place of nyu"),
        ({"size": [288, 384]}, "size 32x64 in place of 288x384"),
        ({"classes": 40}, "classes 5 in place of 40"),
        ({"tasks": ["normals", "edgy"]}, "no edgy"),
        ({"units": {"depth": "disparity"}}, "depth in metres in place of disparity"),
    ],
)
def test_a_store_that_a_recipe_was_not_made_for_is_refused(
    tmp_path: Path, needed: dict[str, object], told: str
) -> None:
    recipe = Recipe("r", "A recipe.", "a store", {}, store=needed)
    with open_store(small_store(tmp_path)) as store:
        with pytest.raises(UsageError, match=f"recipe `r` needs a store; .*{told}.*--anyway"):
            recipe.check(store)
        Recipe("r", "A recipe.", "a store", {}, store={"dataset": "fake", "size": [32, 64]}).check(
            store
        )


@pytest.mark.parametrize("name", all_recipes())
def test_what_is_checked_is_what_the_text_says(name: str) -> None:
    recipe = all_recipes()[name]
    assert set(recipe.store) <= {"dataset", "classes", "tasks", "size", "units"}
    assert bool(recipe.store) == (" with " in recipe.needs)
    if recipe.store:
        assert "x".join(map(str, recipe.store["size"])) in recipe.needs
        assert f"{recipe.store['classes']} classes" in recipe.needs
