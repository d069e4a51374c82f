"""A batch computed in parts: the gradient of the whole, the same steps, the same end."""

from pathlib import Path
from typing import Any

import pytest
import torch

from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import UsageError
from mtmodels import encodings
from mtmodels.methods import METHODS
from mtmodels.training.loop.engine import Engine
from mtmodels.training.loop.result import StepResult, together
from mtmodels.training.loop.schedules import Position
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.training.run import prepare
from mtmodels.training.setup.resolve import resolve
from mtmodels.training.setup.setup import assemble
from mtmodels.weightings import WEIGHTINGS
from tests.mtmodels.methods.making import SMALL
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import KillAt, Killed
from tests.quick import few
from tests.runs.small_run import small_layer
from tests.stores.fakes import FakeSource

TASKS = ("semantic", "depth", "normals")
IN_PARTS: dict[str, Any] = {"batch": 4, "accumulate": 2, "method": {"name": "sl", "options": {}}}


@pytest.mark.parametrize("step", few([1, 2, 3], [2]))
def test_killed_and_resumed(run: Train, tmp_path: Path, step: int) -> None:
    changes = IN_PARTS | {"steps": 4}
    run(tmp_path / "whole", **changes)
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillAt(step), checkpoint_every=1, **changes)
    run(tmp_path / "run", mode="resume", checkpoint_every=1, **changes)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_there_are_as_many_steps_as_of_whole_batches(run: Train, tmp_path: Path) -> None:
    rows = {}
    for parts in (1, 2):
        run(tmp_path / str(parts), **IN_PARTS | {"accumulate": parts})
        rows[parts] = read_rows(RunFolder(tmp_path / str(parts)).metrics, "step")
    assert [row["step"] for row in rows[1]] == [row["step"] for row in rows[2]]
    # The first step sees the same images at the same rate.
    assert rows[1][0]["images"] == rows[2][0]["images"]
    assert rows[1][0]["lr"] == rows[2][0]["lr"]


@pytest.mark.parametrize("method", ["sl", "xtc"])
@pytest.mark.parametrize("weighting", [n for n in WEIGHTINGS if WEIGHTINGS[n].adds_up])
def test_the_gradient_is_that_of_the_whole_batch(
    layer: dict[str, Any], tmp_path: Path, weighting: str, method: str
) -> None:
    """Without batch norm, whose statistics are those of a part, which is what it costs.

    An image shows one task, so that a part of one image lacks the other.
    """
    options = {"values": {"semantic": 2.0, "depth": 0.5}} if weighting == "fixed" else {}
    found = {}
    for parts in (1, 2, 4):
        changes = IN_PARTS | {
            "accumulate": parts,
            "method": {"name": method},
            "regime": "one",
            "weighting": {"name": weighting, "options": options},
            "optimizer": {"name": "sgd", "options": {"momentum": 0.0}},
            "schedule": {"name": "constant"},
        }
        job = prepare([layer, changes], out=tmp_path / str(parts), mode="new")
        made = assemble(job.config, job.data)
        engine: Engine = made.engine
        engine.method.eval()
        batches = [b for b, _ in zip(made.loader.epoch(0), range(parts), strict=False)]
        result = engine.step(batches, Position(0, 1, 1))
        learnt = [*engine.method.parameters(), *engine.weighting.parameters()]
        found[parts] = (result, [p.detach().clone() for p in learnt])
    one, whole = found[1]
    assert set(one.images.values()) != {4}
    for result, learnt in (found[2], found[4]):
        for a, b in zip(learnt, whole, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
        assert result.loss == pytest.approx(one.loss, rel=1e-4)
        assert result.tasks == pytest.approx(one.tasks, rel=1e-4)
        assert result.auxiliary == pytest.approx(one.auxiliary, rel=1e-4)
        assert result.labelled == pytest.approx(one.labelled, rel=1e-4)
        assert result.images == one.images


COMPARED_IN_BATCH = ("contrastive", "discriminator")
OF_RUNS = ("kd", "self-training")
OPTIONS: dict[str, dict[str, Any]] = {
    "teacher": {"begin": 0.0, "confidence": 0.0, "mix": "none", "colour": 0.0, "blur": 0.0},
    "x-task": {"learn_from": "predictions", "gradient_weights": False},
}


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Under `random` the images show one or two of three tasks."""
    path = tmp_path_factory.mktemp("three") / "fake.h5"
    source = FakeSource(images=(8, 1), missing=0, sizes=((64, 64),))
    build(source, path, size=(64, 64), tasks=TASKS, regimes=[RegimeSpec("random")])
    return path


@pytest.mark.parametrize(
    "method", [name for name in METHODS if name not in (*COMPARED_IN_BATCH, *OF_RUNS)]
)
def test_parts_of_the_log_are_those_of_the_whole_batch(
    three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Also means over the images of two tasks, which some parts of a batch lack."""
    monkeypatch.setattr(encodings, "_gumbel", lambda like, rng: torch.zeros_like(like))
    options = SMALL.get(method, {}) | OPTIONS.get(method, {})
    found = {}
    for parts in (1, 4):
        layer = small_layer(three) | {
            "batch": 4,
            "accumulate": parts,
            "tasks": list(TASKS),
            "regime": "random",
            "method": {"name": method, "options": options},
            "seed": 3,
        }
        job = prepare([layer], out=tmp_path / str(parts), mode="new")
        made = assemble(job.config, job.data)
        made.engine.method.eval()
        batches = [b for b, _ in zip(made.loader.epoch(0), range(parts), strict=False)]
        found[parts] = made.engine.step(batches, Position(0, 1, 1))
    assert found[1].parts
    assert found[4].parts == pytest.approx(found[1].parts, rel=1e-3)


def test_a_task_that_one_part_lacks_counts_for_all_images() -> None:
    parts = [
        StepResult(0.0, 1.0, {"a": 2.0}, {}, {}, 0.0, {"a": 2, "b": 0}, {"a": 3.0}),
        StepResult(
            0.0, 3.0, {"a": 4.0, "b": 1.0}, {}, {}, 0.0, {"a": 1, "b": 1}, {"a": 6.0, "b": 5.0}
        ),
    ]
    told = together(parts)
    assert told.loss == 2.0
    assert told.tasks == {"a": 3.0, "b": 0.5}
    assert told.images == {"a": 3, "b": 1}
    assert told.labelled == {"a": 4.0, "b": 5.0}
    empty = StepResult(0.0, None, {}, {}, {}, 0.0)
    assert together([empty, empty]).loss is None


def test_what_cannot_be_added_is_refused(layer: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`batch` should be divisible by `accumulate`"):
        resolve({"batch": 3, "accumulate": 2})
    for name in ("gradnorm", "pcgrad", "rlw"):
        job = prepare(
            [layer, IN_PARTS, {"weighting": {"name": name}}], out=tmp_path / "run", mode="new"
        )
        with pytest.raises(UsageError, match=f"`{name}`: .* looks at .* choose one of equal"):
            assemble(job.config, job.data)


PIXELS = {"name": "sl", "options": {"reduction": "pixels"}}
X_TASK = {"name": "x-task", "options": {"mapping_width": 0.03125, "gradient_weights": True}}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({**IN_PARTS, "method": PIXELS}, "`reduction` should be `image` with `accumulate` above 1"),
        ({**IN_PARTS, "method": X_TASK}, "`accumulate` should be 1 .*gradient_weights=false"),
        ({"precision": "16", "weighting": {"name": "pcgrad"}}, "`precision` should be .* `16`"),
        ({"precision": "16", "weighting": {"name": "gradnorm"}}, "`precision` should be .* `16`"),
        ({"precision": "16", "method": X_TASK}, "`precision` should be .*gradient_weights=false"),
    ],
)
def test_what_would_be_another_sum_or_gradient_is_refused(
    changed: dict[str, Any], words: str, layer: dict[str, Any], tmp_path: Path
) -> None:
    base = {**layer, "method": {"name": "sl"}, "weighting": {"name": "equal"}, "regime": "full"}
    job = prepare([{**base, **changed}], out=tmp_path / "run", mode="new")
    with pytest.raises(UsageError, match=words):
        assemble(job.config, job.data)
