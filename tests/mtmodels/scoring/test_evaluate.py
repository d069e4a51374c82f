"""One pass over a split: what is scored, and what is left as it was."""

import math
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from mtdata import Binary, Classes, Depth, Task
from mtdata.errors import UnknownNameError
from mtdata.parallel import Pool
from mtdata.reading.batch import Batch
from mtmodels.errors import PredictionError
from mtmodels.metrics.protocols import metric_for
from mtmodels.scoring import evaluate as evaluating
from tests.mtmodels.metrics.cases import assert_same
from tests.mtmodels.scoring.scored import evaluate

SEMANTIC = Task("semantic", Classes(tuple("abc"), ((0, 0, 0),) * 3))
DEPTH = Task("depth", Depth())
TASKS = (SEMANTIC, DEPTH)


class Toy(nn.Module):
    """Logits and depth from one convolution, with a part that is frozen in evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.frozen = nn.Dropout(0.9)
        self.drop = nn.Dropout(0.9)
        self.gradients: list[bool] = []

    def predict(self, image: Tensor) -> Mapping[str, Tensor]:
        self.gradients.append(torch.is_grad_enabled())
        out = self.conv(self.drop(self.frozen(image)))
        return {"semantic": out[:, :3], "depth": out[:, 3:]}


def batch(first: int, n: int, *, depth_rows: list[int]) -> Batch:
    """Images `first..first+n-1`, all with classes, some with depth."""
    rng = torch.Generator().manual_seed(first)
    labels = {"semantic": torch.randint(0, 3, (n, 1, 4, 6), generator=rng).byte()}
    valid = {"semantic": torch.ones(n, 4, 6, dtype=torch.bool)}
    rows = {"semantic": torch.arange(n)}
    if depth_rows:
        labels["depth"] = 1 + torch.rand(len(depth_rows), 1, 4, 6, generator=rng)
        valid["depth"] = torch.rand(len(depth_rows), 4, 6, generator=rng) > 0.5
        rows["depth"] = torch.tensor(depth_rows)
    image = torch.rand(n, 3, 4, 6, generator=rng)
    return Batch(tuple(f"{first + i}" for i in range(n)), image, labels, valid, rows)


@pytest.fixture
def toy() -> Toy:
    network = Toy()
    for k, parameter in enumerate(network.parameters()):
        parameter.data = torch.sin(torch.arange(parameter.numel()) + k).reshape(parameter.shape)
    network.frozen.eval()
    return network


BATCHES = [batch(0, 3, depth_rows=[2, 0]), batch(3, 2, depth_rows=[])]


@pytest.mark.parametrize("protocol", ["mtpsl", "xtasc"])
def test_scores_each_task_on_the_images_that_show_it(toy: Toy, protocol: str) -> None:
    found = evaluate(toy.predict, BATCHES, tasks=TASKS, protocol=protocol)
    toy.eval()
    expected = {task.name: metric_for(task, protocol) for task in TASKS}
    with torch.no_grad():
        for one in BATCHES:
            predictions = toy.predict(one.image)
            for name, label in one.labels.items():
                prediction = predictions[name][one.rows[name]]
                expected[name].update(prediction, label, one.valid[name])
    assert found.scores == {name: metric.compute() for name, metric in expected.items()}
    assert found.images == 5
    assert found.labelled == {"semantic": 5, "depth": 2}


def test_leaves_every_mode_as_it_was_and_asks_for_no_gradient(toy: Toy) -> None:
    before = {name: module.training for name, module in toy.named_modules()}
    first = evaluate(toy.predict, BATCHES, tasks=TASKS)
    assert evaluate(toy.predict, BATCHES, tasks=TASKS) == first
    assert {name: module.training for name, module in toy.named_modules()} == before
    assert before["drop"]
    assert not before["frozen"]
    assert not any(toy.gradients)


def test_modes_come_back_after_an_error(toy: Toy) -> None:
    toy.conv.weight.data.fill_(math.nan)
    with pytest.raises(PredictionError, match=r"semantic.*NaN or infinity, for 0, 1, 2\."):
        evaluate(toy.predict, BATCHES, tasks=TASKS)
    assert toy.training
    assert toy.drop.training


@pytest.fixture(params=[True, False], ids=["numba", "without"])
def with_numba(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether what compiles is installed."""
    if request.param:
        pytest.importorskip("numba", reason="the extra `fast` is not installed")
    else:
        monkeypatch.setitem(sys.modules, "numba", None)
        monkeypatch.delitem(sys.modules, "mtmodels.metrics.compiled", raising=False)
    return bool(request.param)


@pytest.mark.parametrize("protocol", ["mtpsl", "xtasc"])
def test_compiled_passes_score_the_same(
    toy: Toy, protocol: str, *, with_numba: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = evaluate(toy.predict, BATCHES, tasks=TASKS, protocol=protocol, keep=True)
    looked: list[Tensor] = []

    def look(values: Tensor) -> bool:
        looked.append(values)
        return True

    monkeypatch.setattr(evaluating, "all_finite", look)
    found = evaluate(toy.predict, BATCHES, tasks=TASKS, protocol=protocol, keep=True, compiled=True)
    assert bool(looked) != with_numba  # where they score they look for NaN, too
    assert found.labelled == plain.labelled
    for task, scores in plain.scores.items():
        assert_same(found.scores[task], scores, rtol=1e-6)
    assert found.samples is not None
    assert plain.samples is not None
    assert found.samples.keys == plain.samples.keys


def test_compiled_passes_name_what_is_not_finite(toy: Toy, *, with_numba: bool) -> None:
    broken = BATCHES[0].image[1]

    def predict(image: Tensor) -> Mapping[str, Tensor]:
        whole = (image != broken).flatten(1).any(1).reshape(-1, 1, 1, 1)
        return {task: said / whole for task, said in toy.predict(image).items()}

    with pytest.raises(PredictionError, match=r"semantic.*NaN or infinity, for 1\."):
        evaluate(predict, BATCHES, tasks=TASKS, compiled=True)


def test_what_compiled_passes_do_not_take_is_looked_at(toy: Toy, *, with_numba: bool) -> None:
    """`xtasc` scores disparity in double precision, without them."""
    disparity = Task("depth", Depth("disparity"))
    whole = evaluate(toy.predict, BATCHES, tasks=[disparity], protocol="xtasc", compiled=True)
    plain = evaluate(toy.predict, BATCHES, tasks=[disparity], protocol="xtasc")
    assert_same(whole.scores["depth"], plain.scores["depth"])
    toy.conv.weight.data[3] = math.nan
    with pytest.raises(PredictionError, match=r"depth.*NaN or infinity, for 2, 0\."):
        evaluate(toy.predict, BATCHES, tasks=[disparity], protocol="xtasc", compiled=True)


def test_a_task_without_a_label_has_no_score(toy: Toy) -> None:
    found = evaluate(toy.predict, BATCHES[1:], tasks=TASKS)
    assert found.scores.keys() == {"semantic"}
    assert found.labelled == {"semantic": 2, "depth": 0}


def test_a_task_that_is_not_predicted_is_named(toy: Toy) -> None:
    with pytest.raises(PredictionError, match=r"`depth`.*missing among \['semantic'\]"):
        evaluate(lambda image: {"semantic": image}, BATCHES, tasks=TASKS)


def test_unknown_protocol_is_refused_before_any_work() -> None:
    with pytest.raises(UnknownNameError, match="protocol"):
        evaluate(lambda image: {}, iter(BATCHES), tasks=TASKS, protocol="paskal")


def test_is_told_the_precision_and_tells_its_progress(toy: Toy) -> None:
    entered: list[str] = []
    told: list[tuple[int, int, str]] = []

    def precision() -> Any:
        entered.append("in")
        return nullcontext()

    def progress(done: int, total: int, what: str) -> None:
        told.append((done, total, what))

    evaluate(toy.predict, BATCHES, tasks=TASKS, precision=precision, progress=progress)
    assert entered == ["in", "in"]
    assert told == [(1, 2, "evaluate"), (2, 2, "evaluate")]
    evaluate(toy.predict, iter(BATCHES), tasks=TASKS, progress=progress)
    assert told[-1] == (2, 0, "evaluate")


def test_half_precision_predictions_are_scored_in_full(toy: Toy) -> None:
    def halved(image: Tensor) -> dict[str, Tensor]:
        return {name: p.bfloat16() for name, p in toy.eval().predict(image).items()}

    found = evaluate(halved, BATCHES, tasks=TASKS).scores["depth"]["abs_err"]
    full = evaluate(toy.predict, BATCHES, tasks=TASKS).scores["depth"]["abs_err"]
    assert found == pytest.approx(full, rel=1e-2)


def test_json_has_no_nan(toy: Toy) -> None:
    edges = Task("edges", Binary())
    nothing = torch.zeros(1, 1, 4, 6)
    one = Batch(
        ("0",),
        torch.rand(1, 3, 4, 6),
        {"edges": nothing.byte()},
        {"edges": torch.ones(1, 4, 6, dtype=torch.bool)},
        {"edges": torch.tensor([0])},
    )
    found = evaluate(lambda image: {"edges": nothing - 1}, [one], tasks=[edges])
    assert math.isnan(float(found.scores["edges"]["iou_at_0.5"]))  # type: ignore[arg-type]
    assert found.to_json() == {
        "protocol": "mtpsl",
        "images": 1,
        "labelled": {"edges": 1},
        "scores": {"edges": {"iou_at_0.5": None, "f_at_0.5": None}},
    }


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_any_number_of_jobs_scores_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = Task("edges", Binary())
    label = torch.zeros(2, 1, 24, 24, dtype=torch.uint8)
    label[:, :, 12] = 1
    both = Batch(
        ("0", "1"),
        torch.rand(2, 3, 24, 24),
        {"edges": label},
        {"edges": torch.ones(2, 24, 24, dtype=torch.bool)},
        {"edges": torch.tensor([0, 1])},
    )
    shared: list[int] = []
    share = Pool.map

    def told(pool: Pool, function: Callable[[Any], Any], items: Sized) -> Iterator[Any]:
        shared.append(len(items))
        return share(pool, function, cast(Iterable[Any], items))

    monkeypatch.setattr(Pool, "map", told)
    one, two = (
        evaluate(
            lambda image: {"edges": label.roll(1, 2).float() - 0.5},
            [both],
            tasks=[edges],
            protocol="pascal",
            thresholds=3,
            jobs=jobs,
        )
        for jobs in (1, 2)
    )
    assert one.scores["edges"]["ods_f"] == two.scores["edges"]["ods_f"]
    assert shared == [2, 2], "processes share the batch, however many threads torch has"


def _rank(rank: int, port: int, folder: str) -> None:
    """One process of two: each scores its own batches, one of them without depth."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2
    )
    found = evaluate(half, BATCHES[rank : rank + 1], tasks=TASKS)
    torch.save((found.images, found.labelled, found.scores), f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def half(image: Tensor) -> dict[str, Tensor]:
    return {"semantic": image, "depth": image[:, :1]}


@pytest.mark.slow
def test_two_processes_get_the_scores_of_the_whole(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "import sys; from tests.mtmodels.scoring import test_evaluate as t; "
        f"t._rank(int(sys.argv[1]), {port}, {str(tmp_path)!r})"
    )
    ranks = [subprocess.Popen([sys.executable, "-c", code, str(r)]) for r in range(2)]
    assert [rank.wait(120) for rank in ranks] == [0, 0]
    whole = evaluate(half, BATCHES, tasks=TASKS)
    for rank in range(2):
        images, labelled, scores = torch.load(tmp_path / f"{rank}.pt")
        assert (images, labelled) == (5, {"semantic": 5, "depth": 2})
        assert scores["semantic"] == whole.scores["semantic"]
        assert scores["depth"] == pytest.approx(whole.scores["depth"])
