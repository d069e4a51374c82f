"""Several processes learn what one learns: the same gradients, whatever labels their parts show."""

import signal
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mtdata.building.build import build
from mtdata.building.regimes import RegimeSpec
from mtdata.errors import UsageError
from mtdata.reading.batch import Batch, join
from mtdata.reading.loader import Loader
from mtmodels import encodings, processes
from mtmodels.errors import InterruptedRun
from mtmodels.methods import METHODS
from mtmodels.methods.base import Method
from mtmodels.networks.encoders import make_encoder
from mtmodels.training.loop import randomness
from mtmodels.training.loop.schedules import Position
from mtmodels.training.loop.sync_norm import SyncNorm, synchronise
from mtmodels.training.loop.watcher import Watcher
from mtmodels.training.record.runfolder import Mode
from mtmodels.training.run import fit, prepare
from mtmodels.training.setup import setup
from mtmodels.weightings import WEIGHTINGS
from mtmodels.weightings.aggregation import AggregatorWeighting
from tests.mtmodels.methods.making import SMALL
from tests.mtmodels.training.comparing import assert_equal, assert_same_run
from tests.runs.ranks import together
from tests.stores.fakes import FakeSource

TASKS = ("semantic", "depth", "normals")
SIZE = (32, 32)
NEAR = 1e-6
COUNT = 2
MODES: tuple[Mode, ...] = ("new", "resume")
BATCH = 4


class Case(NamedTuple):
    """What is trained: members, options of the method, and how its norms go."""

    method: str
    weighting: str = "equal"
    where: str = "shared"
    network: str = "segnet"
    norms: str = "frozen"
    """`frozen`; `parts`: each over its part, as in one process with --accumulate; `sync`."""
    encoder: str = ""
    """Of a network that has a choice of them."""

    @property
    def name(self) -> str:
        """For the list of tests."""
        return "-".join(self)


class Seen(NamedTuple):
    """What a process sees of some steps: the gradients, the losses, and what is known after."""

    gradients: list[list[Tensor | None]]
    losses: list[dict[str, float]]
    weights: list[dict[str, float]]
    buffers: dict[str, Tensor]


COMPARES_IMAGES = ("contrastive", "discriminator")
"""These compare the images of a part with each other, as with --accumulate."""


def in_parts(case: Case) -> bool:
    """Whether one process has to see the batch in parts to do the same."""
    return case.norms == "parts" or case.method in COMPARES_IMAGES


def layer_of(case: Case, store: Path, **more: Any) -> dict[str, Any]:
    options = dict(SMALL.get(case.method, {}))
    options.pop("mapping", None)
    if case.method == "x-task":
        options["learn_from"] = "predictions"
    if case.method == "align":
        options["consistency_weight"] = 0.5
    if case.method == "kd":
        options["teachers"] = {task: f"runs/{task}" for task in TASKS}
    if case.method == "self-training":
        options["teachers"] = ["runs/a", "runs/b"]
    if case.method == "teacher":
        options["mix"] = "none"
    weighting: dict[str, Any] = {
        "fixed": {"values": {"semantic": 1, "depth": 2, "normals": 3}}
    }.get(case.weighting, {})
    if issubclass(WEIGHTINGS[case.weighting], AggregatorWeighting):
        weighting = {"gradients": case.where}
    return {
        "data": str(store),
        "filled_anyway": "teachers" in options,  # there is no run that could say what it saw
        "regime": "random" if case.method == "align" else "one",
        "tasks": list(TASKS),
        "method": {"name": case.method, "options": options},
        "network": {
            "name": case.network,
            "width": 0.0625,
            "options": {"encoder": case.encoder} if case.encoder else {},
        },
        "weighting": {"name": case.weighting, "options": weighting},
        "optimizer": {"name": "sgd"},
        "steps": 3,
        "batch": BATCH,
        "precision": "32",
        "device": "cpu",
        "lr": 1e-3,
        "workers": 0,
        **more,
    }


def fresh_teachers(method: Method) -> dict[str, dict[str, str]]:
    """The same untrained networks in every process, in place of those of runs."""
    network = method.network
    by_name = {task.name: task for task in network.tasks}
    torch.manual_seed(1)
    for name in method.runs():
        tasks = [by_name[name]] if name in by_name else network.tasks  # of one task, or of all
        teacher = type(network)(tasks, **network.options.model_dump())
        method.teachers[name] = teacher.requires_grad_(requires_grad=False).eval()
    method.loaded()
    return {}


def part_of(batch: Batch, rows: slice, tasks: Sequence[str] = TASKS) -> Batch:
    """Some images of a batch with the labels of some tasks, in double precision."""
    images = range(len(batch))[rows]
    labels, valid, at = {}, {}, {}
    for task in tasks:
        of = batch.rows.get(task, torch.zeros(0, dtype=torch.int64)).tolist()
        kept = [i for i, image in enumerate(of) if image in images]
        if kept:
            label = batch.labels[task][kept]
            labels[task] = label.double() if label.is_floating_point() else label
            valid[task] = batch.valid[task][kept]
            at[task] = torch.tensor([of[i] - images[0] for i in kept])
    return replace(
        batch, keys=batch.keys[rows], image=batch.image[rows].double(), labels=labels, valid=valid,
        rows=at, extents=None if batch.extents is None else batch.extents[rows],
        cameras=None if batch.cameras is None else batch.cameras[rows],
    )  # fmt: skip


def uneven(batches: Sequence[Batch]) -> list[Batch]:
    """Steps of a run; of the second, all labels are in the first half, and of the last no label."""
    half = slice(0, BATCH // 2), slice(BATCH // 2, BATCH)
    first = part_of(batches[0], slice(0, BATCH))
    one_sided = join([part_of(batches[1], half[0]), part_of(batches[1], half[1], ())])
    return [first, one_sided, part_of(batches[0], slice(0, BATCH), ())]


def learn(case: Case, store: Path) -> Seen:
    """Three steps in this process: of the whole batch where it is alone, of its part else."""
    torch.set_default_dtype(torch.float64)
    count = processes.count()
    accumulate = COUNT if in_parts(case) and count == 1 else 1
    more = {"sync_norm": True} if case.norms == "sync" else {}
    layer = layer_of(case, store, accumulate=accumulate, devices=count, **more)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "load_runs", fresh_teachers)
        patch.setattr(encodings, "_gumbel", lambda like, rng: torch.zeros_like(like))
        if case.weighting == "graddrop":  # it draws for parameters in an order of its own
            patch.setattr(torch, "rand", lambda *size, **_: torch.full(size[0], 0.4))
        job = prepare([layer], out=store.parent / "none", mode="new")
        parts = setup.assemble(job.config, job.data)
        whole = Loader(job.data.train, BATCH, seed=0, shuffle=True, drop_last=True)
        return _steps(case, parts, uneven(list(whole.epoch(0))), accumulate)


def _steps(case: Case, parts: setup.Parts, batches: Sequence[Batch], accumulate: int) -> Seen:
    engine, count = parts.engine, processes.count()
    for stage in parts.method.stages():
        stage.done()
    engine.train()
    if case.norms == "frozen":
        for module in parts.method.modules():
            module.eval() if isinstance(module, _BatchNorm) else None
    gradients: list[list[Tensor | None]] = []

    def note(*_: object) -> None:
        learns = engine.groups.parameters
        gradients.append([None if p.grad is None else p.grad.clone() for p in learns])

    engine.optimizer.optimizer.register_step_pre_hook(note)
    losses, weights = [], []
    for number, batch in enumerate(batches):
        size = BATCH // (count * accumulate)
        begin = processes.rank() * size
        chosen = [
            part_of(batch, slice(begin + i * size, begin + (i + 1) * size))
            for i in range(accumulate)
        ]
        if count == 1:
            # Of several processes all draw alike for a weighting, as a function of the step.
            engine._seed = lambda *of: (  # type: ignore[method-assign]
                randomness.seed_step(engine.rng, engine.config.seed, "", *of)
            )
        result = engine.step(chosen, Position(number, 3, 1, 3))
        losses.append({**result.tasks, **result.auxiliary, "total": result.loss or 0.0})
        weights.append(engine.weighting.weights())
    buffers = {n: b.clone() for n, b in parts.method.named_buffers() if b.is_floating_point()}
    return Seen(gradients, losses, weights, buffers)


def alone(cases: Sequence[Case], store: Path) -> list[Seen | str]:
    return [tried(case, store) for case in cases]


def tried(case: Case, store: Path) -> Seen | str:
    try:
        return learn(case, store)
    except UsageError as error:
        return str(error)


def compared(expected: Sequence[Seen | str], cases: Sequence[Case], store: Path) -> dict[str, str]:
    """What differs, by case; a case that is refused alike in both says so."""
    wrong = {}
    for case, one in zip(cases, expected, strict=True):
        found = tried(case, store)
        if isinstance(one, str) or isinstance(found, str):
            wrong[case.name] = f"refused: {one if isinstance(one, str) else found}"
            continue
        if differs := difference(one, found):
            wrong[case.name] = differs
    return wrong


def difference(one: Seen, other: Seen) -> str:
    """Where two processes saw other numbers; empty where they did not."""
    if len(one.gradients) != len(other.gradients):
        return f"{len(one.gradients)} and {len(other.gradients)} steps"
    for number, (a, b) in enumerate(zip(one.gradients, other.gradients, strict=True)):
        if not any(x is not None and bool(x.any()) for x in a):
            return f"step {number}: no gradient"
        scale = max(float(x.abs().max()) for x in a if x is not None)
        for x, y in zip(a, b, strict=True):
            both = [torch.zeros(()) if v is None else v for v in (x, y)]
            far = float((both[0] - both[1]).abs().max())
            if not far <= NEAR * max(scale, 1.0):
                return f"step {number}: a gradient of {scale:.3g} differs by {far:.3g}"
    for what in ("losses", "weights"):
        for number, (a, b) in enumerate(zip(getattr(one, what), getattr(other, what), strict=True)):
            if set(a) != set(b) or b != pytest.approx(a, rel=1e-5, abs=1e-7):
                return f"step {number}: {what} {a} and {b}"
    return ""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images to train on; under `one` each shows one of three tasks."""
    path = tmp_path_factory.mktemp("devices") / "fake.h5"
    source = FakeSource(images=(12, 1), missing=0, sizes=(SIZE,))
    build(source, path, size=SIZE, tasks=TASKS, regimes=[RegimeSpec("one"), RegimeSpec("random")])
    return path


def check(cases: Sequence[Case], store: Path) -> None:
    """Each process of two finds what one alone found."""
    for found in together(COUNT, compared, list(cases), store, alone=alone):
        assert found == {}


QUICK = [
    Case("sl"),
    Case("xtc", "uncertainty"),
    Case("sl", "pcgrad"),
    Case("sl", "gradnorm"),
    Case("sl", norms="parts"),
    Case("sl", norms="sync"),
    Case("sl", network="unet", norms="sync", encoder="test_efficientnet"),  # norms of timm's own
]


def test_gradients_are_those_of_one_process(store: Path) -> None:
    check(QUICK, store)


def test_a_norm_over_all_processes_is_a_plain_one_in_one_process() -> None:
    """With the activation that timm's has behind it, under the same names."""
    plain = make_encoder("test_efficientnet")
    synchronised = deepcopy(plain)
    synchronise(synchronised)
    assert {type(m) for m in synchronised.modules() if isinstance(m, _BatchNorm)} == {SyncNorm}
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for training in (True, False):
        both = [one.train(training)(image) for one in (plain, synchronised)]
        assert all(map(torch.equal, *both))
    assert_equal(synchronised.state_dict(), plain.state_dict(), "state")
    with pytest.raises(ValueError, match=r"to be over all processes; found BatchNorm1d\. Leave"):
        synchronise(nn.Sequential(nn.BatchNorm1d(2)))


@pytest.mark.slow
def test_every_method(store: Path) -> None:
    # With norms that stand still, rounding decides which pixels of even maps SegNet pools, and the
    # mapping magnifies that: its parts are compared with parts of the same size.
    check([Case(m, norms="parts" if m == "mtpsl" else "frozen") for m in METHODS], store)


@pytest.mark.slow
def test_every_weighting(store: Path) -> None:
    places = [Case("sl", "mgda", where) for where in ("last", "features")]
    check([*(Case("sl", weighting) for weighting in WEIGHTINGS), *places], store)
    check([Case("x-task", "gradnorm"), Case("xtc", "mgda"), Case("xtc", "uncertainty")], store)


@pytest.mark.slow
def test_norms(store: Path) -> None:
    check([Case("sl", norms="parts"), Case("sl", norms="sync"), Case("xtc", norms="sync")], store)


def test_the_caches_of_all_processes_have_to_fit(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = layer_of(Case("sl"), store, cache="memory")
    cache = prepare([layer], out=tmp_path / "one", mode="new").data.cache
    assert cache is not None
    monkeypatch.setattr("mtdata.reading.cache.available", lambda: int(1.5 * cache.nbytes))
    prepare([layer], out=tmp_path / "one", mode="new")
    with pytest.raises(UsageError, match="in each of 2 processes"):
        prepare([layer, {"devices": 2}], out=tmp_path / "two", mode="new")


class AskInScores(Watcher):
    """Asks the process that scores to stop, in every score of an epoch."""

    def evaluating(self, what: str, done: int, total: int) -> None:
        if what == "score":
            signal.raise_signal(signal.SIGTERM)


def stopped_in_scores(store: Path, out: Path) -> list[str]:
    """What a process is told of a run, and of one that is stopped in its scores and goes on."""
    more = {"keep_unlabelled": True, "holdout": 0.3, "batch": 2, "steps": None, "epochs": 2}
    layer, told = layer_of(Case("sl", "dwa"), store, devices=COUNT, **more), []
    for name, watchers in (("whole", [Watcher()]), ("cut", [AskInScores(), Watcher()])):
        for mode, watcher in zip(MODES, watchers, strict=False):
            job = prepare([layer], out=out / name, mode=mode)
            processes.wait()
            try:
                fit(job, mode=mode, arguments=[], watcher=watcher)
                told.append("done")
            except InterruptedRun as error:
                told.append(str(error))
            processes.wait()
    return told


def test_a_signal_while_an_epoch_is_scored_stops_all(store: Path, tmp_path: Path) -> None:
    for told in together(COUNT, stopped_in_scores, store, tmp_path):
        assert [told[0], told[2]] == ["done", "done"]
        assert ", which is saved" in told[1]
    assert_same_run(tmp_path / "cut", tmp_path / "whole")


def begun_with(others: Sequence[dict[str, Any]], store: Path, out: Path) -> list[str]:
    """What a process is told of runs that all but the first begin with other keys."""
    told = []
    for number, other in enumerate(others):
        layer = layer_of(Case("sl"), store, devices=COUNT, keep_unlabelled=True)
        layer |= other if processes.rank() else {}
        job = prepare([layer], out=out / str(number), mode="new")
        try:
            fit(job, mode="new", arguments=[], watcher=Watcher())
            told.append("")
        except UsageError as error:
            told.append(str(error))
    return told


def test_processes_that_were_given_other_things_are_refused(store: Path, tmp_path: Path) -> None:
    """Before anything is written: their weights would part, and hidden labels get in."""
    copy = tmp_path / "copy.h5"
    copy.write_bytes(store.read_bytes())
    others = (
        {"regime": "full"},
        {"seed": 1},
        {"lr": 1e-2},
        {"tasks": ["semantic"]},
        {"precision": "bf16"},
        # Its own path and what changes no weight.
        {"data": str(copy), "workers": 1, "log_every": 3},
    )
    named = ("`regime` is one (", "`seed` is 0", "`lr` is 0.001", "`tasks` is", "`precision` is")
    for told in together(COUNT, begun_with, others, store, tmp_path / "runs"):
        for text, key in zip(told, named, strict=False):
            assert key in text
            assert "in process 1" in text
        assert told[-1] == ""
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [str(len(named))]
