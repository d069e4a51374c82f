"""Means over an epoch, which survive a restart."""

import json
from pathlib import Path

import pytest

from mtmodels.training.loop.means import EpochMeans, Means
from mtmodels.training.loop.result import StepResult, together
from mtmodels.training.record import checkpoint
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from tests.mtmodels.training.comparing import assert_equal, rows_without_time
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import KillAt, Killed

FURTHER = ("auxiliary", "parts", "labelled", "images")


def result(depth: float, images: float) -> StepResult:
    return StepResult(
        1e-3, 1.0, {"depth": depth}, {"depth/crops": 2 * depth}, {"depth/direct": depth}, 1.0,
        {"depth": images}, {"depth": depth * 4 / images},
    )  # fmt: skip


def test_values_may_be_means_of_many() -> None:
    means = Means()
    means.add({"a": 1.0, "b": 4.0}, {"a": 3, "b": 1, "c": 9})
    means.add({"a": 5.0}, {"a": 1})
    assert means.take() == {"a": 2.0, "b": 4.0}
    assert means.take() == {}


def test_an_epoch_in_two_parts() -> None:
    means = EpochMeans()
    for depth, images in ((1.0, 1), (2.0, 4), (6.0, 3)):
        means.add(result(depth, images))
        other = EpochMeans()
        other.load_state(json.loads(json.dumps(means.state())))
        means = other
    assert means.take() == {
        "means": {"depth": 3.0},
        "auxiliary": {"depth/crops": 6.0},
        "parts": {"depth/direct": 3.0},
        "labelled": {"depth": pytest.approx((1 + 2 + 6) * 4 / 8)},
        "images": {"depth": 8},
    }
    assert means.take() == {"means": {}, **{name: {} for name in FURTHER}}


def test_pasted_parts_of_labels_are_parts_for_weightings_too() -> None:
    """A loss of 1 throughout, in batches of 4 with 2, 1.5 or a quarter of a label."""
    means = EpochMeans()
    for images in (2, 1.5, 0.25):
        means.add(together([result(images / 4, images), result(images / 4, images)]))
    found = means.statistics()
    assert (found.means["depth"], found.variances["depth"]) == pytest.approx((1 / 8, 0))
    taken = means.take()
    assert taken["images"] == {"depth": 7.5}
    assert taken["labelled"] == {"depth": pytest.approx(1)}


def test_tasks_come_in_the_order_of_the_run_whatever_batches_show_first() -> None:
    means = EpochMeans(["semantic", "depth", "normals"])
    for task in ("normals", "semantic", "depth"):
        step = StepResult(
            1e-3, 1.0, {task: 1.0}, {}, {}, 1.0, {task: 1}, {task: 1.0}
        )  # fmt: skip
        means.add(step)
    taken = means.take()
    for field in ("means", "labelled", "images"):
        assert list(taken[field]) == ["semantic", "depth", "normals"]


def test_a_checkpoint_of_before_goes_on(run: Train, whole: Path, tmp_path: Path) -> None:
    """It has the means of the tasks alone."""
    out = tmp_path / "run"
    with pytest.raises(Killed):
        run(out, watcher=KillAt(5), checkpoint_every=1)
    folder = RunFolder(out)
    state, weights = checkpoint.load_state(folder.last), checkpoint.load_weights(folder.last)
    assert state["offset"] == 1
    for name in (*FURTHER, "squares", "of_image"):
        del state["means"][name]
    assert state["means"].keys() == {"sums", "counts"}
    checkpoint.save(folder.last, weights, state)
    run(out, mode="resume")
    theirs = RunFolder(whole)
    assert_equal(
        checkpoint.load_weights(folder.last), checkpoint.load_weights(theirs.last), "weights"
    )
    assert [row["means"] for row in read_rows(folder.metrics, "epoch")] == [
        row["means"] for row in read_rows(theirs.metrics, "epoch")
    ]
    assert rows_without_time(out)[-1] == rows_without_time(whole)[-1]
