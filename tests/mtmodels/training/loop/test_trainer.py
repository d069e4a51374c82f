"""What training promises: hidden labels do not matter, bad losses stop, options are read."""

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from mtdata import open_store
from mtdata.errors import DataError, MtdataError
from mtmodels.errors import DivergedError
from mtmodels.methods import METHODS
from mtmodels.methods.sl import SL
from mtmodels.methods.terms import Terms
from mtmodels.training.config import Part
from mtmodels.training.record import checkpoint
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.run import plan, prepare
from mtmodels.training.setup.setup import assemble
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train


def spoil_hidden_labels(path: Path, regime: str = "one") -> int:
    """Put garbage into every label of the training split that a regime hides."""
    with open_store(path) as store:
        split = store.splits["train"]
        hidden = np.argwhere(split.visible("full") & ~split.visible(regime))
        tasks = [task.name for task in store.tasks]
    rng = np.random.default_rng(1)
    with h5py.File(path, "r+") as file:
        for row, column in hidden:
            dataset = file[f"train/label/{tasks[column]}"]
            shape = dataset.shape[1:]
            if dataset.dtype.kind == "f":
                dataset[row] = rng.normal(size=shape) * 1e9
            else:
                dataset[row] = rng.integers(0, 200, shape).astype(dataset.dtype)
    return len(hidden)


def test_hidden_labels_change_nothing(run: Train, whole: Path, store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "garbage.h5"
    shutil.copy(store, copy)
    assert spoil_hidden_labels(copy) > 20
    run(tmp_path / "run", data=str(copy))
    assert_same_run(tmp_path / "run", whole)


class NanAt(SL):
    """The depth term of the fifth step is not a number."""

    steps = 0

    def forward(self, *args: Any, **kwargs: Any) -> Terms:
        terms = super().forward(*args, **kwargs)
        self.steps += 1
        if self.steps < 5:
            return terms
        return Terms({**terms.tasks, "depth": terms.tasks["depth"] * float("nan")})


class BadGradient(SL):
    """A loss that is finite while its gradient is not."""

    def forward(self, *args: Any, **kwargs: Any) -> Terms:
        terms = super().forward(*args, **kwargs)
        zero: Tensor = terms.tasks["depth"] * 0
        return Terms({"depth": terms.tasks["depth"] + zero.sqrt()})


def test_a_loss_that_is_not_finite_stops_the_run_and_spoils_nothing(
    run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    monkeypatch.setitem(METHODS._members, "sl", NanAt)
    with pytest.raises(DivergedError, match=r"`depth`.*step 4") as caught:
        run(tmp_path / "run", method={"name": "sl"}, regime="full")
    error = caught.value
    assert (error.step, error.term, len(error.keys)) == (4, "depth", 3)
    with open_store(store) as opened:
        assert set(error.keys) <= set(opened.splits["train"].keys)
    folder = RunFolder(tmp_path / "run")
    weights = checkpoint.load_weights(folder.last)
    assert all(torch.isfinite(w).all() for w in weights.values())
    assert checkpoint.load_state(folder.last)["epoch"] == 1
    assert not folder.is_complete()


def test_a_gradient_that_is_not_finite_stops_the_run(
    run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS._members, "sl", BadGradient)
    with pytest.raises(DivergedError, match=r"The gradient should.*step 0"):
        run(tmp_path / "run", method={"name": "sl"}, regime="full", weighting={"name": "equal"})


def test_every_key_of_the_configuration_is_read(
    run: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[tuple[str, str]] = set()
    plain = Part.__getattribute__

    def noting(self: Part, name: str) -> Any:
        if name in type(self).model_fields:
            read.add((type(self).__name__, name))
        return plain(self, name)

    monkeypatch.setattr(Part, "__getattribute__", noting)
    run(tmp_path / "run", epochs=1, views={"count": 2})
    parts = [Part.__subclasses__()][0]
    known = {(part.__name__, name) for part in parts for name in part.model_fields}
    # `recipe` is what compare and eval read of a run that a recipe began.
    after = {("Config", "recipe"), *((n, f) for n, f in known if n == "RecipePart")}
    assert known - read - after == set()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": 2e-3}, "weights"),
        ({"seed": 1}, "weights"),
        ({"betas": [0.5, 0.5]}, "weights"),
        ({"schedule": {"name": "step", "options": {"every": 1}}}, "weights"),
        ({"gradient_clip": 1e-3}, "weights"),
        ({"batch": 4}, "weights"),
        ({"regime": "full"}, "weights"),
        ({"holdout": 0.3}, "weights"),
        ({"keep_unlabelled": False}, "weights"),
        ({"augmentation": {"flip": 0}}, "weights"),
        ({"augmentation": {"scales": [1]}}, "weights"),
        ({"augmentation": {"rotate": 20}}, "weights"),
        ({"augmentation": {"photometric": True}}, "weights"),
        ({"weighting": {"name": "equal"}}, "weights"),
        ({"method": {"options": {"lambda": 0.9}}}, "weights"),
    ],
    ids=str,
)
def test_what_should_change_a_run_changes_it(
    run: Train, whole: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    run(tmp_path / "run", epochs=1, **changes)
    ours = read_rows(RunFolder(tmp_path / "run").metrics, "step")
    theirs = read_rows(RunFolder(whole).metrics, "step")
    assert [r["tasks"] for r in ours[:3]] != [r["tasks"] for r in theirs[:3]]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch": 40}, r"`batch` should be at most.*found 40"),
        ({"method": {"name": "xtcc"}}, r"no method `xtcc`. Did you mean `xtc`"),
        ({"network": {"name": "unett"}}, r"no network `unett`"),
        ({"weighting": {"name": "equals"}}, r"Did you mean `equal`"),
        ({"tasks": ["semantic", "dept"]}, r"no task.*`dept`. Did you mean `depth`"),
        ({"regime": "two"}, r"regime.*`two`"),
        ({"protocol": "xtask"}, r"no protocol `xtask`. Did you mean `xtasc`"),
        ({"method": {"options": {"lamda": 1}}}, r"no option `lamda` of method `xtc`.*`lambda`"),
        ({"method": {"options": {"lambda": 2.0}}}, r"method `xtc`: `lambda`.*\[0, 1\]"),
        ({"tasks": ["depth"]}, r"method `xtc`: .*2 or more tasks"),
        ({"network": {"width": 0.125, "options": {"depth": 3}}}, r"no option `depth` of network"),
        ({"schedule": {"name": "step", "options": {"every": 0}}}, r"schedule `step`: `every`"),
        ({"schedule": {"name": "step", "options": {"evry": 1}}}, r"`evry` of schedule `step`"),
        ({"precision": "16"}, r"--precision 16"),
        ({"data": "none.h5"}, r"none.h5"),
        ({"data": None}, r"`data` should name a store"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    run: Train, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(MtdataError, match=words) as caught:
        run(tmp_path / "run", **changes)
    assert caught.value.exit_code in (2, 3)
    assert not (tmp_path / "run").exists()


def test_a_regime_without_labels_of_a_task_is_refused(
    run: Train, store: Path, tmp_path: Path
) -> None:
    with open_store(store) as opened:
        keys = opened.splits["train"].keys
    table = tmp_path / "some.csv"
    table.write_text("key,task\n" + "".join(f"{key},semantic\n" for key in keys))
    with pytest.raises(DataError, match="depth"):
        run(tmp_path / "run", regime=str(table))
    assert not (tmp_path / "run").exists()


def test_a_size_that_the_network_cannot_take_is_refused(
    layer: dict[str, Any], tmp_path: Path
) -> None:
    from mtdata.building.build import build
    from tests.stores.fakes import FakeSource

    build(FakeSource(images=(8, 2), missing=0), tmp_path / "odd.h5", size=(24, 32))
    job = prepare([layer, {"data": str(tmp_path / "odd.h5")}], out=tmp_path / "run", mode="new")
    with pytest.raises(MtdataError, match=r"size of the images: .*divisible by 32; found 24x32"):
        assemble(job.config, job.data)


def test_no_step_holds_fewer_images_than_the_network_takes(
    layer: dict[str, Any], tmp_path: Path
) -> None:
    deep = {"network": {"name": "deeplab-resnet18", "width": 0.125}, "epochs": 1}
    # Ten images in threes: the last one is left out.
    for changes, steps in (({"batch": 3}, 3), ({"batch": 1, "views": {"count": 2}}, 10)):
        planned = plan(prepare([layer, deep, changes], out=tmp_path / "run", mode="new"))
        assert planned.steps_per_epoch == steps


def test_images_without_a_visible_label_leave_the_epoch_and_are_counted(
    layer: dict[str, Any], store: Path, tmp_path: Path
) -> None:
    with open_store(store) as opened:
        shown = opened.splits["train"].visible("one")[:, :2].any(1)
    changes = {"keep_unlabelled": False, "holdout": 0.0}
    job = prepare([layer, changes], out=tmp_path / "run", mode="new")
    assert job.data.left_out == (~shown).sum() > 0
    assert len(job.data.train) == shown.sum()
    kept = prepare([layer, changes, {"keep_unlabelled": True}], out=tmp_path / "r", mode="new")
    assert len(kept.data.train) == 14
    assert kept.data.left_out == 0


def test_a_hold_out_is_apart_and_shows_what_its_regime_shows(
    layer: dict[str, Any], store: Path, tmp_path: Path
) -> None:
    data = prepare([layer], out=tmp_path / "run", mode="new").data
    assert data.held is not None
    assert not set(data.held.keys) & set(data.train.keys)
    assert len(data.held) == 4
    assert (data.held.labelled.sum(1) <= 1).all()
    again = prepare([layer, {"lr": 1.0}], out=tmp_path / "run", mode="new").data
    assert again.held is not None
    assert again.held.keys == data.held.keys


def test_the_plan_writes_nothing(layer: dict[str, Any], tmp_path: Path) -> None:
    job = prepare([layer], out=tmp_path / "run", mode="new")
    planned = plan(job)
    assert list(tmp_path.iterdir()) == []
    assert planned.steps == 9
    assert planned.parameters > planned.parameters_inference > 0
    assert planned.seconds == pytest.approx(planned.seconds_per_step * 9)
    assert planned.to_json()["tasks"] == ("semantic", "depth")


def test_a_run_learns(run: Train, layer: dict[str, Any], tmp_path: Path) -> None:
    run(
        tmp_path / "run",
        epochs=12,
        lr=3e-2,
        tasks=["depth"],
        method={"name": "sl"},
        regime="full",
        holdout=0.0,
        augmentation={"flip": 0, "scales": [1]},
        log_every=1000,
    )
    means = [r["means"]["depth"] for r in read_rows(RunFolder(tmp_path / "run").metrics, "epoch")]
    # The labels are noise with a mean of 4.5 and a mean deviation of 2.25.
    assert means[0] > 3.5
    assert means[-1] < 2.5
