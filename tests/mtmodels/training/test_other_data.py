"""A run is never continued or scored on other images or labels than it was trained on, unasked."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
import yaml
from safetensors.torch import save_file

from mtdata import Classes, Depth, Task, open_store
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import DataError, UsageError
from mtdata.regimes.drawing import draw
from mtdata.regimes.table import write_table
from mtdata.store import add_regime, remove_regime
from mtmodels.errors import RunFolderError
from mtmodels.training.loop.result import StepResult
from mtmodels.training.loop.watcher import Standing, Watcher
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.rescore import rescore, scores_of
from mtmodels.training.run import fit, prepare, train
from mtmodels.training.setup.loading import open_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import KillAt, Killed
from tests.runs.small_run import scored
from tests.stores.fakes import FakeSource


class Steps(Watcher):
    def __init__(self) -> None:
        self.done: list[int] = []

    def step(self, progress: Standing, result: StepResult) -> None:
        self.done.append(progress.step)


def redrawn(path: Path, *, seed: int) -> None:
    """Draw the regime `one` again under its name."""
    with open_store(path) as store:
        split = store.split("train")
        keys, tasks = split.keys, [task.name for task in split.tasks]
        table = draw("one", keys, tasks, split.valid_pixels > 0, seed=seed)
    remove_regime(path, "one")
    add_regime(path, "one", table)


def half_done(run: Train, layer: dict[str, Any], out: Path, **changes: Any) -> None:
    with pytest.raises(Killed):
        run(out, watcher=KillAt(4), checkpoint_every=1, **changes)


def test_a_regime_that_was_drawn_again_under_its_name(
    run: Train, layer: dict[str, Any], store: Path, tmp_path: Path
) -> None:
    mine = Path(shutil.copy(store, tmp_path / "mine.h5"))
    half_done(run, layer, tmp_path / "run", data=str(mine), regime="one")
    redrawn(mine, seed=5)
    with pytest.raises(RunFolderError, match=r"labels that it was begun with.*`one` shows others"):
        run(tmp_path / "run", mode="resume", data=str(mine))
    redrawn(mine, seed=0)
    run(tmp_path / "run", mode="resume", data=str(mine))


def write_one(store: Path, path: Path, *, seed: int = 0) -> None:
    """A file of a regime of a store."""
    with open_store(store) as opened:
        split = opened.split("train")
        tasks = [task.name for task in split.tasks]
        table = draw("one", split.keys, tasks, split.valid_pixels > 0, seed=seed)
    write_table(table, path)


def test_paths_that_are_named_from_elsewhere(
    run: Train, layer: dict[str, Any], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a regime, a teacher and weights, as of the store: what lies there decides."""
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        write_one(store, Path(f"{seed}.csv"), seed=seed)
        torch.manual_seed(seed)
        save_file(torchvision.models.resnet18().state_dict(), f"{seed}.safetensors")
        run(Path(f"teacher {seed}"), regime="one", seed=seed, epochs=1)
        scored(Path(f"teacher {seed}"))

    def named(regime: str, weights: str, teacher: str) -> dict[str, Any]:
        network = {"name": "unet-resnet18", "width": 1.0, "encoder_weights": weights}
        method = {"name": "self-training", "options": {"teachers": [teacher]}}
        return {"regime": regime, "network": network, "method": method}

    begun = named("0.csv", "0.safetensors", "teacher 0")
    half_done(run, layer, Path("run"), **begun, filled_anyway=True)
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    there = Path("../run")

    def go_on(*layers: dict[str, Any], watcher: Watcher | None = None) -> None:
        job = prepare(layers, out=there, mode="resume")
        fit(job, mode="resume", arguments=[], watcher=watcher or Watcher())

    prepare([], out=there, mode="resume").data.store.close()
    for wrong, what in (
        (named("../1.csv", "../0.safetensors", "../teacher 0"), "the labels"),
        (named("../0.csv", "../1.safetensors", "../teacher 0"), "the encoder weights"),
        (named("../0.csv", "../0.safetensors", "../teacher 1"), "the weights of `teacher 1`"),
    ):
        with pytest.raises(RunFolderError, match=f"resumed with {what}"):
            go_on(wrong)
    two = {"teachers": ["../teacher 0", "../teacher 1"]}
    with pytest.raises(RunFolderError, match=r"`method\.options\.teachers` is"):
        go_on({"method": {"name": "self-training", "options": two}})
    with pytest.raises(Killed):
        go_on(named("../0.csv", "../0.safetensors", "../teacher 0"), watcher=KillAt(6))
    assert yaml.safe_load((there / "config.yaml").read_text())["regime"] == "../0.csv"
    monkeypatch.chdir(tmp_path)
    there = Path("run")
    go_on()
    monkeypatch.chdir(tmp_path / "below")
    assert rescore(tmp_path / "run", split="holdout")


def test_a_file_of_a_regime_that_was_edited(
    run: Train, layer: dict[str, Any], store: Path, tmp_path: Path
) -> None:
    write_one(store, tmp_path / "mine.csv")
    half_done(run, layer, tmp_path / "run", regime=str(tmp_path / "mine.csv"))
    rows = (tmp_path / "mine.csv").read_text().splitlines()
    depth, semantic = (next(r for r in rows if r.endswith(f",{t}")) for t in ("depth", "semantic"))
    rows[rows.index(depth)] = depth.replace("depth", "semantic")
    rows[rows.index(semantic)] = semantic.replace("semantic", "depth")
    (tmp_path / "mine.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(RunFolderError, match="labels that it was begun with"):
        run(tmp_path / "run", mode="resume")


def test_a_run_of_before_that_did_not_say_goes_on(
    run: Train, layer: dict[str, Any], tmp_path: Path
) -> None:
    half_done(run, layer, tmp_path / "run")
    manifest = RunFolder(tmp_path / "run").manifest
    told = json.loads(manifest.read_text())
    del told["labels"]
    manifest.write_text(json.dumps(told))
    steps = Steps()
    run(tmp_path / "run", mode="resume", watcher=steps)
    assert steps.done == [4, 5, 6, 7, 8, 9]


def test_scores_of_a_store_that_was_built_again_are_no_scores_of_the_run(
    layer: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "mine.h5"

    def built(images: tuple[int, int]) -> None:
        source = FakeSource(images=images, missing=0)
        build(source, path, size=(32, 64), regimes=[RegimeSpec("one")], mode="overwrite")

    built((14, 3))
    job = prepare([layer, {"data": str(path), "epochs": 1}], out=tmp_path / "run", mode="new")
    train(job, mode="new")
    kept = {f.name: f.read_bytes() for f in RunFolder(tmp_path / "run").scores.iterdir()}
    built((14, 5))
    with pytest.raises(UsageError, match=r"store that the run was trained on.*built again") as no:
        rescore(tmp_path / "run")
    assert f"--data {path}" in str(no.value)
    assert rescore(tmp_path / "run", data=path)[0]["images"] == 5
    assert {f.name: f.read_bytes() for f in RunFolder(tmp_path / "run").scores.iterdir()} == kept


def test_labels_that_mean_something_else_are_not_scored(
    run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same number of classes in another order, or metres against pixels: numbers of nothing."""
    run(tmp_path / "run")
    semantic, depth, *others = FakeSource.tasks()
    assert isinstance(semantic.kind, Classes)
    assert isinstance(depth.kind, Depth)
    classes = replace(semantic.kind, names=semantic.kind.names[::-1])
    colours = replace(semantic.kind, palette=semantic.kind.palette[::-1])
    pixels = replace(depth.kind, unit="px")
    for number, (kinds, found) in enumerate(
        {
            (classes, depth.kind): f"found {classes.meaning}",
            (semantic.kind, pixels): "found depth in pixels",
            (colours, depth.kind): "",
        }.items()
    ):
        tasks = (Task("semantic", kinds[0]), Task("depth", kinds[1]), *others)
        monkeypatch.setattr(FakeSource, "tasks", classmethod(lambda cls, tasks=tasks, **_: tasks))
        path = tmp_path / f"{number}.h5"
        build(FakeSource(images=(6, 2), missing=0), path, size=(32, 64), regimes=())
        if not found:
            assert rescore(tmp_path / "run", data=path)
            continue
        with pytest.raises(DataError, match=re.escape(found)):
            rescore(tmp_path / "run", data=path)


def test_seeds_that_saw_other_labels_are_no_seeds_of_one_entry(
    run: Train, layer: dict[str, Any], store: Path, tmp_path: Path
) -> None:
    mine = Path(shutil.copy(store, tmp_path / "mine.h5"))
    for seed in (0, 1):
        job = prepare(
            [layer, {"data": str(mine), "regime": "one", "epochs": 1, "holdout": 0.0}],
            out=tmp_path / f"run-{seed}",
            mode="new",
        )
        train(job, mode="new")
        redrawn(mine, seed=5)
    settings = [scores_of(open_run(tmp_path / f"run-{seed}"))[0]["labels"] for seed in (0, 1)]
    assert settings[0] != settings[1]


def test_a_run_finds_its_store_from_anywhere_and_says_where_it_went(
    layer: dict[str, Any], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    shutil.copy(store, "mine.h5")
    given = [layer, {"data": "mine.h5", "epochs": 1}]
    train(prepare(given, out=Path("run"), mode="new"), mode="new")
    before = rescore(Path("run"))[0]["scores"]

    monkeypatch.chdir(tmp_path)  # absolute
    assert rescore(tmp_path / "work" / "run")[0]["scores"] == before
    prepare([{}], out=tmp_path / "work" / "run", mode="resume")
    (tmp_path / "work").rename(tmp_path / "moved")  # relative to the run folder
    folder = RunFolder(tmp_path / "moved" / "run")
    assert rescore(folder.path)[0]["scores"] == before

    (tmp_path / "moved" / "mine.h5").rename(tmp_path / "other.h5")
    with pytest.raises(UsageError, match="--data"):
        rescore(folder.path)
    given = [{"data": str(tmp_path / "other.h5")}]
    train(prepare(given, out=folder.path, mode="resume"), mode="resume")
    assert yaml.safe_load(folder.config.read_text())["data"] == str(tmp_path / "other.h5")
    assert rescore(folder.path)[0]["scores"] == before
