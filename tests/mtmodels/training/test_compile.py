"""A compiled network: the same run, names and checkpoints, and the plain one where it cannot be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jaxtyping
import pytest
import yaml
from safetensors.torch import load_file

from mtmodels.errors import InterruptedRun
from mtmodels.methods import METHODS
from mtmodels.training.loop import compiling, randomness
from mtmodels.training.loop.engine import Engine
from mtmodels.training.loop.result import StepResult
from mtmodels.training.loop.schedules import Position
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.run import prepare
from mtmodels.training.setup.setup import assemble
from tests.mtmodels.training.comparing import assert_same_run
from tests.mtmodels.training.conftest import Train
from tests.mtmodels.training.test_resume import Ask
from tests.quick import few

pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
"""torch warns of what it does itself where it looks at a network."""


@pytest.fixture(autouse=True)
def unchecked() -> Iterator[None]:
    """What checks shapes in the tests cannot be compiled."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for answers of its own, and a backend that needs no compiler and keeps every bit."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(compiling, "BACKEND", "eager")
    return tmp_path / "state" / "mtpartial" / "compiled.jsonl"


class Heard(Watcher):
    """Keeps what is said of compiling."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """Keep it."""
        self.said += [text] if text.startswith("Compiled") else []


def written(out: Path) -> Any:
    """What the run wrote down."""
    return yaml.safe_load((out / "config.yaml").read_text())["compile"]


def test_a_compiled_run_is_the_same_run(run: Train, whole: Path, tmp_path: Path) -> None:
    used: list[int] = []
    enter = compiling.Compiled.__enter__

    def spy(self: compiling.Compiled) -> None:
        used.append(1)
        enter(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling.Compiled, "__enter__", spy)
        heard = Heard()
        run(tmp_path / "run", compile="on", watcher=heard)
    assert heard.said == ["Compiled: yes, as asked for."]
    assert written(tmp_path / "run") == "on"
    assert len(used) > 9  # each of nine steps, and one before
    assert_same_run(tmp_path / "run", whole)
    weights = load_file(next((tmp_path / "run" / "checkpoints").rglob("network.safetensors")))
    assert not any("_orig_mod" in name for name in weights)


@pytest.mark.parametrize("method", few(sorted(METHODS), ["sl", "teacher", "ssl"]))
def test_every_method_trains_compiled(run: Train, tmp_path: Path, method: str) -> None:
    if method in ("kd", "self-training"):
        pytest.skip("it needs teachers; its network is that of sl")
    # A teacher that is sure of nothing teaches with a gradient of 0, which is none when compiled;
    # so does a relation to a label of which no pixel counts.
    options = {"teacher": {"confidence": 0.0}, "geometry": {"geometry_given": "all"}}
    chosen = {"name": method, "options": options.get(method, {})}
    changes: dict[str, Any] = {"method": chosen, "epochs": 1, "tasks": None, "holdout": 0.0}
    if method in ("align", "x-task"):  # they want images that show two tasks
        changes["regime"] = "full"
    run(tmp_path / "plain", **changes)
    run(tmp_path / "compiled", compile="on", **changes)
    assert_same_run(tmp_path / "compiled", tmp_path / "plain")


def test_a_compiled_run_goes_on_exactly(run: Train, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRun):
        run(tmp_path / "run", compile="on", watcher=Ask())
    run(tmp_path / "run", mode="resume")
    assert written(tmp_path / "run") == "on"
    assert_same_run(tmp_path / "run", whole)


@dataclass
class Stepped:
    """Some steps on batches that show one task or two, and what they left."""

    engine: Engine
    moved: dict[str, int]
    """Of each parameter, how often Adam moved it."""
    first: StepResult
    factors: dict[str, float]
    """Of the tasks in the first step: those after it see networks that differ in last digits."""


@pytest.fixture
def stepped(layer: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stepped]:
    """Take the steps of an epoch, with gradients that go through a compiled network as one."""
    monkeypatch.setattr(compiling, "BACKEND", "aot_eager")

    def start(**changes: Any) -> Stepped:
        plain = {"method": {"name": "sl"}, "holdout": 0.0, "precision": "32", "epochs": 1}
        job = prepare([layer, plain, changes], out=None, mode=None)
        randomness.seed_global(0)
        parts = assemble(job.config, job.data)
        engine, found = parts.engine, []
        engine.train()
        for number, batch in enumerate(parts.loader.epoch(0)):
            result = engine.step([batch], Position(number, len(parts.loader), 1))
            found.append((result, engine.weighting.weights()))
        state = engine.optimizer.state
        names = engine.method.named_parameters()
        moved = {name: int(state[p]["step"]) if p in state else 0 for name, p in names}
        return Stepped(engine, moved, *found[0])

    return start


def test_a_task_that_a_batch_does_not_show_keeps_its_layers(
    stepped: Callable[..., Stepped],
) -> None:
    plain, compiled = (
        stepped(compile=asked, regime="one", batch=1, weighting={"name": "equal"})
        for asked in ("off", "on")
    )
    assert isinstance(compiled.engine.compiled, compiling.Compiled)
    assert len(set(plain.moved.values())) > 1  # each task has layers of its own
    assert compiled.moved == plain.moved


@pytest.mark.parametrize("name", ["mgda", "adamt"])
def test_tasks_are_weighed_as_without_a_compiler(
    stepped: Callable[..., Stepped], name: str
) -> None:
    plain, compiled = (
        stepped(compile=asked, regime="full", batch=14, weighting={"name": name})
        for asked in ("off", "on")
    )
    assert compiled.factors == pytest.approx(plain.factors, rel=1e-3)
    assert compiled.first.gradient_norm == pytest.approx(plain.first.gradient_norm, rel=1e-3)


def test_a_map_within_the_network_is_one_of_the_plain_network(run: Train, tmp_path: Path) -> None:
    heard = Heard()
    weighting = {"name": "mgda", "options": {"gradients": "features"}}
    for asked in ("on", "auto"):
        changes: dict[str, Any] = {"compile": asked, "weighting": weighting, "epochs": 1}
        run(tmp_path / asked, watcher=heard, **changes)
        assert written(tmp_path / asked) == "off"
    assert heard.said == 2 * [
        "Compiled: no, as the weighting takes gradients on a map within the network, which a "
        "compiled one does not show."
    ]


def test_an_epoch_of_one_step_in_parts_is_measured(run: Train, tmp_path: Path) -> None:
    heard = Heard()
    changes: dict[str, Any] = {"batch": 6, "accumulate": 2, "epochs": 1}
    trainer = run(tmp_path / "run", compile="auto", watcher=heard, **changes)
    assert trainer.position().total == 1
    assert "s as it is" in heard.said[0]


@pytest.mark.parametrize(("times", "found"), [((1.0, 1.5), "on"), ((1.0, 1.01), "off")])
def test_auto_keeps_what_is_faster_and_remembers(
    run: Train,
    whole: Path,
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: tuple[float, float],
    found: str,
) -> None:
    real, asked = compiling.step_times, []

    def measure(*given: Any) -> tuple[float, float]:
        compiled, plain = real(*given)
        assert min(compiled, plain) > 0
        asked.append(given)
        return times

    monkeypatch.setattr(compiling, "step_times", measure)
    heard = Heard()
    run(tmp_path / "run", compile="auto", watcher=heard)
    assert written(tmp_path / "run") == found
    # The steps that were measured left no trace.
    assert_same_run(tmp_path / "run", whole)
    state.write_text("cut {\n" + state.read_text())
    run(tmp_path / "again", compile="auto", watcher=heard)
    assert len(asked) == 1
    assert heard.said[1] == heard.said[0].removesuffix(".") + ", as was measured before."
    run(tmp_path / "other", compile="auto", batch=4, epochs=1)
    assert len(asked) == 2


@pytest.mark.parametrize("asked", ["on", "auto"])
def test_without_a_compiler_the_network_runs_as_it_is(
    run: Train,
    whole: Path,
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: str,
) -> None:
    def backend(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("no C++ compiler found\nmany more lines")

    monkeypatch.setattr(compiling, "BACKEND", backend)
    heard = Heard()
    run(tmp_path / "run", compile=asked, watcher=heard)
    assert heard.said == [
        "Compiled: no, as the compiler fails or is missing (no C++ compiler found); the network "
        "runs as it is."
    ]
    assert written(tmp_path / "run") == "off"
    assert not state.exists()
    assert_same_run(tmp_path / "run", whole)
