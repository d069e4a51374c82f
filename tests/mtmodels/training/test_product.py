"""Every method with every network and every weighting: it trains, or it is refused with a reason.

Pairs of members are covered by a small array of combinations, made from the registries, so that a
member that joins is tested with all the others; the full product is slow.
"""

import itertools
import math
import random
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import torch
from torch import Tensor, nn

from cli.mttrain import mttrain
from cli.shared.common import run
from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import UsageError
from mtdata.reading.batch import Batch
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Network
from mtmodels.training.loop import randomness
from mtmodels.training.loop.result import StepResult
from mtmodels.training.loop.schedules import Position
from mtmodels.training.run import prepare
from mtmodels.training.setup import setup
from mtmodels.weightings import WEIGHTINGS
from mtmodels.weightings.aggregation import AggregatorOptions, AggregatorWeighting
from mtmodels.weightings.base import Weighting
from mtmodels.weightings.rlw import RLW
from tests.mtmodels.methods.making import SMALL
from tests.stores.fakes import FakeSource

TASKS = ("semantic", "depth", "normals")
SIZE = (64, 64)
QUICK = 8
"""Of so many combinations that cover the pairs one is quick; all of them take minutes."""
WHERE: tuple[str, ...] = get_args(AggregatorOptions.model_fields["gradients"].annotation)


class Combination(NamedTuple):
    """What is trained together; `where` is of aggregators, which compare gradients there."""

    method: str
    network: str
    weighting: str
    where: str


FACTORS = (tuple(METHODS), tuple(NETWORKS), tuple(WEIGHTINGS), WHERE)


def covering(factors: Sequence[Sequence[str]], seed: int = 0) -> list[Combination]:
    """Few rows in which any two values of two factors meet: greedy, by the pairs still missing."""
    rng = random.Random(seed)
    indices = list(itertools.combinations(range(len(factors)), 2))
    missing = {(i, a, j, b) for i, j in indices for a in factors[i] for b in factors[j]}
    rows = []
    for pair in rng.sample(sorted(missing), len(missing)):  # in one order, whatever hashes are
        if pair not in missing:
            continue
        row: dict[int, str] = {pair[0]: pair[1], pair[2]: pair[3]}
        for k in sorted(set(range(len(factors))) - set(row)):
            gains = {
                value: sum(_ordered(k, value, i, a) in missing for i, a in row.items())
                for value in factors[k]
            }
            most = max(gains.values())
            row[k] = rng.choice([value for value, gain in gains.items() if gain == most])
        missing -= {(i, row[i], j, row[j]) for i, j in indices}
        rows.append(Combination(*(row[k] for k in range(len(factors)))))
    return rows


def _ordered(k: int, value: str, i: int, a: str) -> tuple[int, str, int, str]:
    return (k, value, i, a) if k < i else (i, a, k, value)


def test_all_pairs_of_members_meet() -> None:
    rows = covering(FACTORS)
    for i, j in itertools.combinations(range(4), 2):
        assert {(r[i], r[j]) for r in rows} == set(itertools.product(FACTORS[i], FACTORS[j]))
    product = math.prod(map(len, FACTORS))
    assert len(rows) < 2 * len(NETWORKS) * len(WEIGHTINGS) < product / 4


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images to train on, 64x64, of which each shows one of three tasks."""
    path = tmp_path_factory.mktemp("product") / "fake.h5"
    source = FakeSource(images=(12, 1), missing=0, sizes=(SIZE,))
    build(source, path, size=SIZE, tasks=TASKS, regimes=[RegimeSpec("one")])
    return path


def layer_of(each: Combination, store: Path) -> dict[str, Any]:
    """The configuration of a combination, small and with what the method has to be told."""
    options = dict(SMALL.get(each.method, {}))
    options.pop("mapping", None)  # the one that suits the network, as for a user
    if each.method == "x-task":
        options["learn_from"] = "predictions"  # no image shows two tasks
    if each.method == "kd":
        options["teachers"] = {task: f"runs/{task}" for task in TASKS}
    if each.method == "self-training":
        options["teachers"] = ["runs/a", "runs/b"]
    weighting: dict[str, Any] = {"fixed": {"values": dict.fromkeys(TASKS, 1.0)}}.get(
        each.weighting, {}
    )
    if issubclass(WEIGHTINGS[each.weighting], AggregatorWeighting):
        weighting = {"gradients": each.where}
    return {
        "data": str(store),
        "filled_anyway": "teachers" in options,  # there is no run that could say what it saw
        "regime": "one",
        "tasks": list(TASKS),
        "method": {"name": each.method, "options": options},
        "network": {"name": each.network, "width": 0.0625},
        "weighting": {"name": each.weighting, "options": weighting},
        "steps": 2,
        "batch": 4,
        "lr": 1e-2,
        "workers": 0,
    }


def fresh_teachers(method: Method) -> dict[str, dict[str, str]]:
    """Networks like the one that trains, of one task where it is named, in place of runs."""
    network = method.network
    by_name = {task.name: task for task in network.tasks}
    for name in method.runs():
        tasks = [by_name[name]] if name in by_name else network.tasks
        teacher = type(network)(tasks, **network.options.model_dump())
        method.teachers[name] = teacher.requires_grad_(requires_grad=False).eval()
    method.loaded()
    return {}


def train(each: Combination, store: Path, out: Path) -> str | None:
    """Two steps; returns why it was refused, or None where it trained."""
    try:
        job = prepare([layer_of(each, store)], out=out, mode="new")
        parts = setup.assemble(job.config, job.data)
    except UsageError as error:
        assert not out.exists()
        return str(error)
    method, weighting = parts.method, parts.weighting
    position = Position(0, len(parts.loader), 1, 2)
    engine = parts.engine
    engine.train()
    randomness.seed_global(job.config.seed)  # as a training does: layers drop maps by chance
    for stage in method.stages():
        stage.done()
    before = {name: p.detach().clone() for name, p in method.named_parameters()}
    own = {name: p.detach().clone() for name, p in weighting.named_parameters()}
    shown: set[str] = set()
    batches = list(parts.loader.epoch(0))
    for number, batch in enumerate((batches[0], without(batches[1], TASKS[number_of(each)]))):
        factors, kept = weighting.weights(), of_tasks(weighting)
        result = engine.step([batch], Position(number, position.steps_per_epoch, 1, 2))
        check_terms(result, shown=set(batch.labels))
        shown |= set(result.tasks)
        for task in set(kept) - set(result.tasks):
            # Factors may have a sum of 1, and what is kept may be brought to scale a step later.
            same = kept[task] and kept[task] == of_tasks(weighting)[task]
            assert same or factors.get(task) == pytest.approx(weighting.weights().get(task))
    check_moved(method, before, shown)
    assert all(p.isfinite().all() for p in weighting.parameters())
    for name, value in weighting.named_parameters():
        if set(name.split(".")) & shown:
            assert not torch.equal(value, own[name]), f"{name} of the weighting did not move"
    return None


def of_tasks(weighting: Weighting) -> dict[str, list[float]]:
    """What it has learnt for each task; of `rlw`, which draws for all and keeps nothing, none."""
    if isinstance(weighting, RLW):
        return {}
    named = {name.split(".")[-1]: p.item() for name, p in weighting.named_parameters()}
    return {task: [named[task]] if task in named else [] for task in TASKS}


def number_of(each: Combination) -> int:
    """Which task is hidden in the second step: another one in other combinations."""
    return zlib.crc32(" ".join(each).encode()) % len(TASKS)


def without(batch: Batch, task: str) -> Batch:
    """The batch without the labels of a task."""
    labels, valid, rows = (
        {t: x for t, x in of.items() if t != task} for of in (batch.labels, batch.valid, batch.rows)
    )
    return replace(batch, labels=labels, valid=valid, rows=rows)


def check_terms(result: StepResult, *, shown: set[str]) -> None:
    """Finite, and named: by the task, or by what they are beside one."""
    assert set(result.tasks) == shown
    assert not set(result.auxiliary) & set(TASKS)
    named = {**result.tasks, **result.auxiliary, **result.parts}
    assert all(name.strip() and math.isfinite(value) for name, value in named.items()), named
    assert result.loss is not None
    assert math.isfinite(result.loss)
    assert 0 < result.gradient_norm < math.inf


def check_moved(method: Method, before: Mapping[str, Tensor], shown: set[str]) -> None:
    """Something moved in each part that learns, but in those of tasks that no image showed."""
    learns = {id(p) for group in method.parameter_groups() for p in group.parameters}
    moved: dict[str, bool] = {}
    for name, parameter in method.named_parameters():
        assert parameter.isfinite().all(), name
        if id(parameter) in learns and not set(name.split(".")) & (set(TASKS) - shown):
            part = part_of(name)
            moved[part] = moved.get(part, False) or not torch.equal(parameter, before[name])
    assert moved
    assert all(moved.values()), moved


def part_of(name: str) -> str:
    """The module that a parameter is of: with the task, where it belongs to one."""
    first, *others = name.split(".")[:-1]
    task = [word for word in others if word in TASKS]
    return ".".join([first, *others[:1], *task])


def check(each: Combination, store: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It trains, or what refuses it says so in a paragraph of its own."""
    monkeypatch.setattr(setup, "load_runs", fresh_teachers)
    reason, expected = train(each, store, out), senseless(each)
    if reason is not None and "is not installed here" in reason:
        pytest.skip(reason)
    if expected is None:
        assert reason is None
    else:
        assert reason is not None, f"should be refused: {expected}"
        assert expected in reason


def senseless(each: Combination) -> str | None:
    """What a refusal of it says; None where it should train."""
    weighting = WEIGHTINGS[each.weighting]
    if (
        issubclass(weighting, AggregatorWeighting)
        and not weighting.factors
        and each.where != "shared"
    ):
        return "gives no factor a task"
    return "over images that show both; found none" if each.method == "align" else None


def name_of(each: Combination) -> str:
    """For the list of tests."""
    return "-".join(each)


PAIRS = [
    pytest.param(each, id=name_of(each), marks=[] if i % QUICK == 0 else [pytest.mark.slow])
    for i, each in enumerate(covering(FACTORS))
]


@pytest.mark.parametrize("each", PAIRS)
def test_pairs(
    each: Combination, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(each, store, tmp_path / "run", monkeypatch)


def weightings() -> list[tuple[str, str]]:
    """All, and of those that compare gradients each with every place where it may."""
    return [
        (name, where)
        for name, weighting in WEIGHTINGS.items()
        for where in (WHERE if issubclass(weighting, AggregatorWeighting) else WHERE[:1])
    ]


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_product(
    method: str, network: str, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {}
    for weighting, where in weightings():
        each = Combination(method, network, weighting, where)
        try:
            check(each, store, tmp_path / name_of(each), monkeypatch)
        except pytest.skip.Exception:
            continue
        except Exception as error:
            wrong[name_of(each)] = f"{type(error).__name__}: {error}"
    assert wrong == {}


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("align", "over images that show both; found none"),
        ("kd", "`teachers`"),
        ("x-task", "images that show both"),
    ],
)
def test_a_refusal_is_a_paragraph(
    method: str, reason: str, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ["--data", str(store), "--method", method, "--regime", "one", "--out", str(out)]
    assert run(mttrain, words) == 2
    assert reason in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_what_compares_on_a_shared_layer_is_refused_where_there_is_none(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NETWORKS["segnet"], "shared_parameters", lambda network: [])
    for weighting, where in (("gradnorm", "shared"), ("mgda", "last"), ("mgda", "features")):
        each = Combination("sl", "segnet", weighting, where)
        reason = train(each, store, tmp_path / "run")
        assert reason is not None
        assert f"weighting `{weighting}` with network `segnet`" in reason
    assert "x-task" in (
        train(Combination("x-task", "segnet", "equal", ""), store, tmp_path / "run") or ""
    )
    assert train(Combination("sl", "segnet", "mgda", "shared"), store, tmp_path / "run") is None


@pytest.mark.parametrize("frozen", [False, True])
def test_what_compares_on_layers_of_a_task_is_refused_where_none_learns(
    frozen: bool, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = nn.Conv2d(1, 1, 1).requires_grad_(requires_grad=False) if frozen else None
    monkeypatch.setattr(Network, "first_layer", lambda network, task: layer)
    reason = train(Combination("sl", "segnet", "adamt", ""), store, tmp_path / "run")
    assert reason is not None
    assert "weighting `adamt` with network `segnet`" in reason
    assert "found none for `semantic`" in reason
