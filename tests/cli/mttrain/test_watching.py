"""What is shown while a run goes, on a terminal and elsewhere."""

import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from cli.mttrain import watching
from cli.mttrain.watching import BarWatcher, LineWatcher, clock, losses, training_bars
from mtmodels.metrics.scores import Scores
from mtmodels.training.loop.result import StepResult
from mtmodels.training.loop.watcher import Standing, Watcher

CROPS = {"depth/crops": 0.25, "semantic/crops": 0.5}
RESULT = StepResult(1e-3, 1.0, {"depth": 0.51234, "semantic": 2.0}, CROPS, {}, 1.0)
SCORES: Scores = {"depth": {"abs_err": 0.4, "rmse": 1.0}, "semantic": {"iou": [1.0], "miou": 20.0}}


def at(step: int) -> Standing:
    return Standing(epoch=1, step=step, steps=6, epochs=2, done=step // 3, left=65.0)


def go_through(watcher: Watcher) -> None:
    """All that a run tells."""
    watcher.say("Run: [bold]here")
    for step in (1, 2, 3):
        watcher.step(at(step), RESULT)
    for done in (1, 2):
        watcher.evaluating("score", done, 2)
    watcher.epoch(at(3), {"depth": 0.6}, SCORES, auxiliary=CROPS)
    watcher.epoch(at(6), {"depth": 0.5}, {}, auxiliary={})


def test_bars_on_a_terminal() -> None:
    file = io.StringIO()
    with training_bars(Console(file=file, force_terminal=True, width=100)) as bars:
        go_through(BarWatcher(bars))
        bars.refresh()
    text = file.getvalue()
    for word in (
        "Run: [bold]here",
        "epoch 1/2",
        "3/6",
        "1:05",
        "depth 0.512  semantic 2  crops 0.75",
        "to select: depth",
    ):
        assert word in text
    assert "abs_err 0.4  semantic miou 20" in text


def test_lines_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_through(LineWatcher())
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "step 1/6  epoch 1  depth 0.5123  semantic 2  crops 0.75  1:05 left"
    assert lines[2].startswith("epoch 1/2  depth 0.6  crops 0.75  to select: depth abs_err 0.4")
    assert len(lines) == 4
    monkeypatch.setattr(watching, "EVERY", 0.0)
    go_through(LineWatcher())
    assert len(capsys.readouterr().err.splitlines()) == 6


def test_no_time_is_left_before_a_step_said_how_long_it_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    resumed = replace(at(3), left=math.nan)
    LineWatcher().epoch(resumed, {"depth": 0.6}, {}, auxiliary={})
    assert capsys.readouterr().err == "epoch 1/2  depth 0.6\n"
    with training_bars(Console(file=(drawn := io.StringIO()), width=120)) as bars:
        BarWatcher(bars).step(resumed, RESULT)
    assert "nan" not in drawn.getvalue()


def test_a_loss_is_that_of_the_images_that_show_the_task(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The term is a mean over the batch, of which one image in three shows semantic."""
    terms, shown = {"depth": 0.4, "semantic": 0.9}, {"semantic": 2.7}
    result = StepResult(1e-3, 1.0, terms, {}, {}, 1.0, {"semantic": 1}, shown)
    LineWatcher().step(at(1), result)
    assert "depth 0.4  semantic 2.7  " in capsys.readouterr().err
    file = io.StringIO()
    with training_bars(Console(file=file, force_terminal=True, width=100)) as bars:
        BarWatcher(bars).step(at(1), result)
        bars.refresh()
    assert "depth 0.4  semantic 2.7" in file.getvalue()


def test_the_line_of_three_tasks_fits_a_terminal_of_a_hundred_columns() -> None:
    file = io.StringIO()
    tasks = {"semantic": 1.23456, "depth": 0.512345, "normals": 0.312345}
    told = StepResult(1e-3, 1.0, tasks, {"consistency": 2.12345}, {}, 1.0)
    with training_bars(Console(file=file, force_terminal=True, width=100)) as bars:
        BarWatcher(bars).step(Standing(3, 1200, 9900, 15, 2, 3000.0), told)
        bars.refresh()
    line = file.getvalue().splitlines()[-2]
    for word in ("epoch 3/15", "1200/9900", "50:00", "normals 0.312  consistency 2.12"):
        assert word in line


def test_terms_of_several_kinds_are_one_number() -> None:
    assert losses({"depth": 1.0}, {}) == "depth 1"
    assert losses({"depth": 1.0}, {"consistency": 2.0}) == "depth 1  consistency 2"
    mixed = {"consistency": 2.0, "depth/crops": 0.5, "semantic/crops": 0.25}
    assert losses({"depth": 1.0}, mixed) == "depth 1  auxiliary 2.75"


def test_times_for_people() -> None:
    assert clock(59.6) == "1:00"
    assert clock(3723) == "1:02:03"


def test_a_stage_has_a_bar_and_lines_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    warm = Standing(1, 2, 4, 1, 0, 65.0, "warm")
    file = io.StringIO()
    with training_bars(Console(file=file, force_terminal=True, width=100)) as bars:
        watcher = BarWatcher(bars)
        watcher.step(warm, RESULT)
        watcher.step(at(1), RESULT)
        bars.refresh()
        assert [task.completed for task in bars.tasks] == [2, 1]
    assert "warm: epoch 1/1" in file.getvalue()
    lines = LineWatcher()
    lines.epoch(warm, {"depth": 0.5}, {}, auxiliary={})
    assert capsys.readouterr().err.startswith("warm: epoch 0/1  depth 0.5")
