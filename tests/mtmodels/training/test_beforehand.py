"""Methods that need something beforehand: teachers, mappings; and an auto-encoder beside them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import UsageError
from mtmodels.errors import RunFolderError
from mtmodels.methods.x_task import XTask
from mtmodels.training.record import checkpoint
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.run import plan, prepare
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.loop.test_trainer import spoil_hidden_labels
from tests.mtmodels.training.test_hooks import KillIn
from tests.mtmodels.training.test_resume import Killed
from tests.quick import few
from tests.runs.small_run import scored
from tests.stores.fakes import FakeSource

Changes = dict[str, Any]
OTHERS: Changes = {"holdout": 0.0, "epochs": 2, "batch": 6, "checkpoint_every": 2}
"""Four steps; the one before the last is lost where a run is killed at the third."""


def method(name: str, **options: Any) -> Changes:
    return {**OTHERS, "method": {"name": name, "options": options}}


def x_task(**options: Any) -> Changes:
    labels = options.get("learn_from", "labels") == "labels"
    epochs = {"mapping_epochs": 2} if labels else {}
    return method("x-task", mapping_width=0.03125, **epochs, **options)


def jtr(**options: Any) -> Changes:
    return method("jtr", auto_encoder_width=0.0625, **options)


@pytest.fixture(scope="session")
def random_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tasks, of which an image shows one or two."""
    path = tmp_path_factory.mktemp("random") / "fake.h5"
    source = FakeSource(images=(14, 3), missing=0)
    build(source, path, size=(32, 64), regimes=[RegimeSpec("random")])
    return path


@pytest.fixture(scope="session")
def some(random_store: Path) -> Changes:
    """What trains on it."""
    tasks = ["semantic", "depth", "normals"]
    return {"data": str(random_store), "regime": "random", "tasks": tasks}


@pytest.fixture(scope="session")
def taught(run: Train, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Changes]:
    """Distillation from a teacher a task, and where these are."""
    folder = tmp_path_factory.mktemp("teachers")
    for task in ("semantic", "depth"):
        run(folder / task, **method("sl"), tasks=[task], weighting={"name": "equal"})
        scored(folder / task)

    def changes(**options: Any) -> Changes:
        teachers = {task: str(folder / task) for task in ("semantic", "depth")}
        return method("kd", **{"teachers": teachers, **options})

    return changes


def assert_resumes(run: Train, folder: Path, watcher: KillIn, **changes: Any) -> None:
    run(folder / "whole", **changes)
    with pytest.raises(Killed):
        run(folder / "run", watcher=watcher, **changes)
    run(folder / "run", mode="resume", **changes)
    assert_same_run(folder / "run", folder / "whole")


@pytest.fixture(scope="session")
def mapped(run: Train, some: Changes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `x-task` that nothing interrupted."""
    out = tmp_path_factory.mktemp("mapped") / "run"
    run(out, **some, **x_task())
    return out


@pytest.mark.parametrize(
    ("stage", "step"),
    [
        pytest.param("mappings", 1, marks=pytest.mark.slow),
        ("mappings", 3),
        pytest.param("", 3, marks=pytest.mark.slow),
    ],
)
def test_x_task_is_killed_in_its_stage_or_behind_it(
    run: Train, some: Changes, mapped: Path, tmp_path: Path, stage: str, step: int
) -> None:
    changes = {**some, **x_task()}
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillIn(stage, step), **changes)
    trainer = run(tmp_path / "run", mode="resume", **changes)
    assert_same_run(tmp_path / "run", mapped)
    assert_same_run(tmp_path / "run" / "stages" / "mappings", mapped / "stages" / "mappings")
    method = trainer.engine.method
    assert isinstance(method, XTask)
    assert not method.mappings.training


def test_a_plan_has_its_stages(layer: Changes, some: Changes, tmp_path: Path) -> None:
    """What they take is part of what the run takes."""
    job = prepare([layer, some, x_task()], out=tmp_path / "run", mode="new")
    planned = plan(job)
    (stage,) = planned.stages
    assert (stage.name, stage.epochs, stage.steps, planned.steps) == ("mappings", 2, 4, 4)
    assert stage.seconds == pytest.approx(4 * stage.seconds_per_step)
    assert planned.seconds == pytest.approx(4 * planned.seconds_per_step + stage.seconds)
    assert planned.to_json()["stages"][0]["name"] == "mappings"
    told = "Stage: `mappings` comes before the training, 2 epochs (4 steps)."
    assert told in planned.notes


def test_mtpsl_is_killed_in_its_stage(run: Train, some: Changes, tmp_path: Path) -> None:
    narrow = {"mapping": "segnet", "mapping_width": 0.03125}
    changes = {**some, **method("mtpsl", **narrow, mapping_epochs=2, centre=True)}
    assert_resumes(run, tmp_path, KillIn("mapping", 3), **changes)
    resumed, whole = (tmp_path / name / "stages" / "mapping" for name in ("run", "whole"))
    assert_same_run(resumed, whole)


@pytest.mark.slow
def test_x_task_along_the_way_is_killed_under_one(run: Train, tmp_path: Path) -> None:
    assert_resumes(run, tmp_path, KillIn("", 3), **x_task(learn_from="predictions"))
    assert not (tmp_path / "run" / "stages").exists()


@pytest.mark.slow
@pytest.mark.parametrize("as_released", [False, True])
def test_jtr_is_killed(run: Train, some: Changes, tmp_path: Path, as_released: bool) -> None:
    assert_resumes(run, tmp_path, KillIn("", 3), **some, **jtr(as_released=as_released))


@pytest.mark.parametrize("norm", few(["running", "batch"], ["batch"]))
def test_kd_is_killed(
    run: Train, taught: Callable[..., Changes], tmp_path: Path, norm: str
) -> None:
    assert_resumes(run, tmp_path, KillIn("", 3), **taught(teacher_norm=norm))


@pytest.mark.slow
def test_labels_that_random_hides_change_nothing(
    run: Train, some: Changes, mapped: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "garbage.h5"
    shutil.copy(some["data"], copy)
    assert spoil_hidden_labels(copy, "random") > 10
    spoilt = {**some, "data": str(copy)}
    run(tmp_path / "mapped", **spoilt, **x_task())
    assert_same_run(tmp_path / "mapped", mapped)
    for changes in (jtr(), jtr(as_released=True)):
        run(tmp_path / "clean", **some, **changes, mode="overwrite")
        run(tmp_path / "spoilt", **spoilt, **changes, mode="overwrite")
        assert_same_run(tmp_path / "clean", tmp_path / "spoilt")


def test_labels_that_one_hides_change_nothing(
    run: Train, store: Path, taught: Callable[..., Changes], tmp_path: Path
) -> None:
    copy = tmp_path / "garbage.h5"
    shutil.copy(store, copy)
    assert spoil_hidden_labels(copy) > 20
    for name, changes in {"kd": taught(), "x": x_task(learn_from="predictions")}.items():
        run(tmp_path / name, **changes)
        run(tmp_path / f"{name}-spoilt", **changes, data=str(copy))
        assert_same_run(tmp_path / name, tmp_path / f"{name}-spoilt")


def test_the_mappings_learn_in_the_stage_and_never_again(
    mapped: Path,
) -> None:
    stage = RunFolder(RunFolder(mapped).stage("mappings"))
    rows = [row for row in read_rows(stage.metrics, "step") if row["loss"] is not None]
    assert rows
    assert all(set(row["auxiliary"]) == {"mapping"} and not row["tasks"] for row in rows)
    before = checkpoint.load_weights(stage.last)
    after = checkpoint.load_weights(RunFolder(mapped).last)
    # Batch norm keeps what it knows as well.
    same = [name for name in before if torch.equal(before[name], after[name])]
    assert {name for name in before if name.startswith("mappings.")} <= set(same)
    learnt = [name for name in before if name not in same]
    assert any(name.startswith("network.decoder") for name in learnt)


def test_a_pair_that_no_image_shows_is_refused_before_anything_is_written(
    run: Train, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        run(tmp_path / "run", **x_task())
    said = str(caught.value)
    assert "method `x-task` under the regime `one`" in said
    assert "found none that shows semantic and depth" in said
    assert "learn_from=predictions" in said
    assert "\n" not in said
    assert not (tmp_path / "run").exists()


def test_a_task_without_a_teacher_is_refused(
    run: Train, taught: Callable[..., Changes], tmp_path: Path
) -> None:
    folders = taught()["method"]["options"]["teachers"]
    for teachers, message in (
        ({"depth": folders["depth"]}, "run folder .* for every task; found none for semantic"),
        ({**folders, "normals": "x"}, "no task for the option `teachers` `normals`"),
        (
            {"semantic": folders["depth"], "depth": folders["depth"]},
            "teacher of `semantic` should predict semantic; found a run of depth in",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            run(tmp_path / "run", **taught(teachers=teachers))
    with pytest.raises(RunFolderError, match="should be a run folder"):
        run(tmp_path / "run", **taught(teachers={**folders, "depth": str(tmp_path)}))
    with pytest.raises(UsageError, match=r"`teachers` should be a mapping.*found nothing"):
        run(tmp_path / "run", **method("kd"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "network", [{"name": "unet-resnet18", "width": 0.25}, {"name": "segnet", "width": 0.125}]
)
def test_a_teacher_with_other_maps_is_refused(
    run: Train, taught: Callable[..., Changes], tmp_path: Path, network: Changes
) -> None:
    with pytest.raises(UsageError, match=r"have maps as the network has them, .*same --network"):
        run(tmp_path / "run", **taught(), network=network)
    assert not (tmp_path / "run").exists()


def test_adapters_have_a_rate_and_a_decay_of_their_own(
    run: Train, taught: Callable[..., Changes], tmp_path: Path
) -> None:
    trainer = run(tmp_path / "run", **taught(), schedule={"name": "step", "options": {"every": 1}})
    groups = trainer.engine.optimizer.param_groups
    assert [(g["lr"], g["weight_decay"]) for g in groups[:2]] == [(5e-4, 0.0), (0.1, 5e-4)]
    weights = checkpoint.load_weights(RunFolder(tmp_path / "run").last)
    assert not [name for name in weights if "teacher" in name]
    assert sum(name.startswith("adapters.") for name in weights) == 4
