"""What a method may do beside its terms: stages, moving averages, teachers of other runs."""

import json
import shutil
import signal
import statistics
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mtmodels import (
    METHODS,
    WEIGHTINGS,
    Method,
    Network,
    Options,
    ParameterGroup,
    Stage,
    Supervision,
    Terms,
)
from mtmodels.errors import InterruptedRun, RunFolderError
from mtmodels.methods.base import ScheduleName, learning
from mtmodels.methods.views import Views
from mtmodels.training.loop.result import StepResult
from mtmodels.training.loop.watcher import Standing, Watcher
from mtmodels.training.record import checkpoint
from mtmodels.training.record.runfolder import RunFolder
from mtmodels.training.record.runlog import read_rows
from mtmodels.weightings.base import EpochStatistics
from mtmodels.weightings.total import TotalWeighting
from tests.mtmodels.training.comparing import assert_equal, assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import Killed
from tests.quick import few
from tests.runs.small_run import scored

TEACHERS: list[str] = []


class HookedOptions(Options):
    decay: float = 0.5
    """How much of the average stays."""
    teachers: bool = False
    """Whether to read the runs of `TEACHERS`."""


class Hooked(Method):
    """Warms the heads up, keeps an average of the weights, listens to teachers."""

    options: HookedOptions
    summary = "hooks"
    reference = "none"
    epochs_ended = 0

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **options)
        self.supervision = Supervision(network.tasks)
        self.average = deepcopy(network).requires_grad_(requires_grad=False)
        self.warmed = False

    def stages(self) -> Sequence[Stage]:
        return [Stage("warm", 2, self.forward, self.heads, self.done)]

    def heads(self) -> list[ParameterGroup]:
        heads = self.network.get_submodule("heads")
        return [ParameterGroup(learning(heads), rate=1e-2)]

    def done(self) -> None:
        self.warmed = True
        self.network.get_submodule("decoder").requires_grad_(requires_grad=False)

    def runs(self) -> Mapping[str, str]:
        named = {str(i): folder for i, folder in enumerate(TEACHERS)}
        return named if self.options.teachers else {}

    def forward(self, views: Views, *, progress: float, rng: torch.Generator) -> Terms:
        outputs = views.predict(self.network)
        terms = self.supervision.terms(views, outputs)
        for name, network in self.teachers.items():
            taught = network(views.main.image).predictions["depth"]
            own = (outputs[0].predictions["depth"] - taught).abs().mean()
            terms += Terms(auxiliary={f"depth/teacher {name}": own})
        return terms

    def after_step(self, *, progress: float) -> None:
        now = self.network.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(now[name], 1 - self.options.decay)

    def after_epoch(self, *, progress: float) -> None:
        self.epochs_ended += 1


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    METHODS.add("hooked", Hooked, origin="this test")
    yield
    METHODS.remove("hooked")
    TEACHERS.clear()


HOOKED: dict[str, Any] = {"method": {"name": "hooked"}, "holdout": 0.0, "epochs": 2}


class KillIn(Watcher):
    """Kills at a step of a stage, or of the training proper where it is empty."""

    def __init__(self, stage: str, step: int, *, ask: bool = False) -> None:
        self.stage, self.at, self.ask = stage, step, ask

    def step(self, progress: Standing, result: StepResult) -> None:
        if (progress.stage, progress.step) == (self.stage, self.at):
            if not self.ask:
                raise Killed
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def unbroken(run: Train, layer: dict[str, Any], tmp_path: Path) -> Path:
    run(tmp_path / "unbroken", **_hooked(layer))
    return tmp_path / "unbroken"


def _hooked(layer: dict[str, Any], **options: Any) -> dict[str, Any]:
    # The options of the layer below belong to another method.
    return {**HOOKED, "method": {"name": "hooked", "options": options}}


def test_a_stage_trains_what_it_says_and_leaves_rows_of_its_own(
    run: Train, layer: dict[str, Any], tmp_path: Path
) -> None:
    trainer = run(tmp_path / "run", **_hooked(layer))
    method = trainer.engine.method
    assert isinstance(method, Hooked)
    assert method.warmed
    stage = RunFolder(RunFolder(tmp_path / "run").stage("warm"))
    rows, main = read_rows(stage.metrics, "step"), RunFolder(tmp_path / "run").metrics
    assert len(rows) == 2 * len(trainer.batches) == len(read_rows(main, "step"))
    before = checkpoint.load_weights(stage.last)
    after = checkpoint.load_weights(RunFolder(tmp_path / "run").last)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    learnt = {name.split(".")[1] for name in changed if name.startswith("network.")}
    assert "encoder" in learnt
    # `done` froze the decoder, but for what batch norm counts.
    frozen = [n for n in changed if n.startswith("network.decoder")]
    assert all("running" in name or "num_batches" in name for name in frozen)


@pytest.mark.parametrize(
    ("stage", "step"),
    few([("warm", 1), ("warm", 4), ("warm", 6), ("", 1), ("", 5)], [("warm", 4), ("", 1)]),
)
def test_killed_in_a_stage_or_behind_it_and_resumed(
    run: Train, layer: dict[str, Any], tmp_path: Path, unbroken: Path, stage: str, step: int
) -> None:
    changes = _hooked(layer)
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillIn(stage, step), checkpoint_every=2, **changes)
    run(tmp_path / "run", mode="resume", checkpoint_every=2, **changes)
    assert_same_run(tmp_path / "run", unbroken)
    assert_same_run(tmp_path / "run" / "stages" / "warm", unbroken / "stages" / "warm")


def test_asked_to_stop_in_a_stage_names_the_run(
    run: Train, layer: dict[str, Any], tmp_path: Path, unbroken: Path
) -> None:
    changes = _hooked(layer)
    with pytest.raises(InterruptedRun) as caught:
        run(tmp_path / "run", watcher=KillIn("warm", 3, ask=True), **changes)
    assert str(tmp_path / "run") in str(caught.value)
    assert "stages" not in str(caught.value)
    run(tmp_path / "run", mode="resume", **changes)
    assert_same_run(tmp_path / "run", unbroken)


def test_an_average_follows_every_step_and_is_kept(
    run: Train, layer: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Tensor]] = []

    class Look(Watcher):
        def step(self, progress: Standing, result: StepResult) -> None:
            if not progress.stage:
                now = trainer_of[0].network.state_dict()
                seen.append({name: value.clone() for name, value in now.items()})

    trainer_of: list[Method] = []
    init = Hooked.__init__

    def remember(self: Hooked, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        trainer_of.append(self)

    monkeypatch.setattr(Hooked, "__init__", remember)
    trainer = run(tmp_path / "run", watcher=Look(), **_hooked(layer, decay=0.0))
    method = trainer.engine.method
    assert isinstance(method, Hooked)
    assert method.epochs_ended == 2
    # A decay of 0 leaves the weights behind the last step alone.
    kept = checkpoint.load_weights(RunFolder(tmp_path / "run").last)
    for name, value in seen[-1].items():
        if value.is_floating_point() and "running" not in name:
            assert torch.equal(kept[f"average.{name}"], value), name


def test_teachers_of_other_runs_are_read_and_never_kept(
    run: Train, layer: dict[str, Any], whole: Path, tmp_path: Path
) -> None:
    TEACHERS.append(str(scored(Path(shutil.copytree(whole, tmp_path / "whole")))))
    changes = _hooked(layer, teachers=True)
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillIn("", 4), checkpoint_every=1, **changes)
    run(tmp_path / "run", mode="resume", **changes)
    rows = read_rows(RunFolder(tmp_path / "run").metrics, "step")
    assert all(row["auxiliary"]["depth/teacher 0"] > 0 for row in rows)
    weights = checkpoint.load_weights(RunFolder(tmp_path / "run").last)
    assert not [name for name in weights if "teacher" in name]
    kept = json.loads(RunFolder(tmp_path / "run").manifest.read_text())["runs"]["0"]
    assert kept["weights"] == checkpoint.digest(RunFolder(whole).best)


def test_other_weights_of_a_teacher_are_refused(
    run: Train, layer: dict[str, Any], tmp_path: Path
) -> None:
    run(tmp_path / "teacher", epochs=1)
    TEACHERS.append(str(scored(tmp_path / "teacher")))
    changes = _hooked(layer, teachers=True)
    with pytest.raises(Killed):
        run(tmp_path / "run", watcher=KillIn("", 2), **changes)
    run(tmp_path / "teacher", mode="overwrite", epochs=1, seed=1)
    scored(tmp_path / "teacher")
    with pytest.raises(RunFolderError, match="resumed with the weights of `0`"):
        run(tmp_path / "run", mode="resume", **changes)


def test_what_comes_behind_a_stage_is_not_what_comes_without(unbroken: Path) -> None:
    stage = checkpoint.load_weights(RunFolder(unbroken / "stages" / "warm").last)
    last = checkpoint.load_weights(RunFolder(unbroken).last)
    with pytest.raises(AssertionError):
        assert_equal(stage, last, "weights")


class Listening(TotalWeighting):
    """One learnt factor a task, at a rate of its own; keeps what it is told of each epoch."""

    summary = "learnt factors"
    reference = "none"

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks, **options)
        self.factor = torch.nn.Parameter(torch.ones(len(self.tasks)))
        self.told: list[EpochStatistics] = []

    def scale(self, losses: Mapping[str, Tensor]) -> list[Tensor]:
        return [self.factor[self.tasks.index(name)] * loss for name, loss in losses.items()]

    def weights(self) -> dict[str, float]:
        return dict(zip(self.tasks, self.factor.tolist(), strict=True))

    def parameter_groups(self) -> list[ParameterGroup]:
        constant = ScheduleName(name="constant")
        return [ParameterGroup([self.factor], rate=1e-3, schedule=constant, weight_decay=0.0)]

    def end_epoch(self, statistics: EpochStatistics) -> None:
        self.told.append(statistics)


@pytest.fixture
def listening() -> Iterator[None]:
    WEIGHTINGS.add("listening", Listening, origin="this test")
    yield
    WEIGHTINGS.remove("listening")


@pytest.mark.usefixtures("listening")
def test_a_weighting_learns_at_its_own_rate_and_hears_means_and_variances(
    run: Train, tmp_path: Path
) -> None:
    trainer = run(tmp_path / "run", weighting={"name": "listening"}, lr=1e-5, epochs=2)
    weighting = trainer.engine.weighting
    assert isinstance(weighting, Listening)
    # Adam's first steps are as long as the rate, and the run's own is a hundredth of it.
    assert (weighting.factor - 1).abs().max() > 3e-3
    assert [group["lr"] for group in trainer.engine.optimizer.param_groups][-1] == 1e-3
    rows = read_rows(RunFolder(tmp_path / "run").metrics, "step")
    for epoch, told in enumerate(weighting.told, start=1):
        for task, mean in told.means.items():
            shown = [r for r in rows if r["epoch"] == epoch and task in r["tasks"]]
            values = [r["tasks"][task] / r["images"][task] for r in shown]  # of an image
            assert mean == pytest.approx(statistics.fmean(values))
            assert told.variances[task] == pytest.approx(statistics.pvariance(values), abs=1e-9)
