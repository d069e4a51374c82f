"""A length in steps: the run ends within an epoch, and all else is as with epochs."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.mttrain import mttrain
from cli.shared.common import run as command
from mtdata.errors import UsageError
from mtmodels.errors import RunFolderError
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.run import plan, prepare
from mtmodels.training.setup.resolve import read_layer, resolve
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import KillAt, Killed
from tests.quick import few
from tests.runs.small_run import as_arguments

Captured = pytest.CaptureFixture[str]
STEPS = 5
"""Three make an epoch."""


@pytest.fixture(scope="module")
def steps_layer(layer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in layer.items() if key != "epochs"} | {"steps": STEPS}


def test_it_ends_within_the_epoch(run: Train, tmp_path: Path) -> None:
    trainer = run(tmp_path / "run", steps=STEPS)
    folder = RunFolder(tmp_path / "run")
    assert [row["step"] for row in read_rows(folder.metrics, "step")] == [1, 2, 3, 4, 5]
    epochs = read_rows(folder.metrics, "epoch")
    assert [(row["epoch"], row["step"]) for row in epochs] == [(1, 3), (2, 5)]
    assert trainer.position().step == STEPS
    # The schedule ends with the run, not with the epoch.
    assert read_rows(folder.metrics, "step")[-1]["lr"] == pytest.approx(0.0, abs=1e-12)
    written = read_layer(folder.config)
    assert written["steps"] == STEPS
    assert "epochs" not in written


@pytest.mark.parametrize("at", few([1, 3, 4, 5], [4]))
def test_killed_and_resumed(run: Train, tmp_path: Path, at: int) -> None:
    run(tmp_path / "whole", steps=STEPS)
    with pytest.raises(Killed):
        run(tmp_path / "run", steps=STEPS, watcher=KillAt(at), checkpoint_every=1)
    run(tmp_path / "run", mode="resume", steps=STEPS)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_whole_epochs_are_the_same_run(run: Train, whole: Path, tmp_path: Path) -> None:
    run(tmp_path / "run", steps=9, start="random")
    ours, theirs = (read_rows(RunFolder(path).metrics) for path in (tmp_path / "run", whole))
    for row in [*ours, *theirs]:
        row.pop("time")
    assert ours == theirs


def test_epochs_and_steps_exclude_each_other_and_later_ones_win() -> None:
    with pytest.raises(UsageError, match="in `epochs` or in `steps`; found both"):
        resolve({"epochs": 3, "steps": 5})
    assert resolve({"epochs": 3}, {"steps": 5}).steps == 5
    last = resolve({"steps": 5}, {"epochs": 3})
    assert (last.steps, last.epochs) == (None, 3)
    with pytest.raises(UsageError, match="steps"):
        resolve({"steps": 0})


def test_a_run_goes_on_with_its_own_length(run: Train, tmp_path: Path) -> None:
    run(tmp_path / "run", steps=STEPS)
    with pytest.raises(RunFolderError, match="`steps` is 5 there and None here"):
        prepare([{"epochs": 2}], out=tmp_path / "run", mode="resume")
    assert prepare([], out=tmp_path / "run", mode="resume").config.epochs == 2


def test_the_plan_and_the_command(
    steps_layer: dict[str, Any], tmp_path: Path, capsys: Captured
) -> None:
    assert plan(prepare([steps_layer], out=None, mode=None)).steps == STEPS
    rest = {key: value for key, value in steps_layer.items() if key != "steps"}
    arguments = [*as_arguments(rest), "--steps", str(STEPS)]
    assert command(mttrain, [*arguments, "--dry-run", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["steps"] == STEPS
    assert "This training is short" in json.loads(told.out)["notes"][0]
    out = ["--out", str(tmp_path / "run")]
    assert command(mttrain, [*arguments, *out, "--json"]) == 0
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert (summary["steps"], summary["epochs"]) == (STEPS, 2)
    assert "This training is short: 5 steps" in told.err.replace("\n", " ")
    assert command(mttrain, [*arguments, *out, "--epochs", "3", "--overwrite"]) == 2
