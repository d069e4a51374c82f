"""What each image adds: kept by an evaluation, written, read, and enough to score again."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtdata.errors import DataError
from mtdata.reading.batch import Batch
from mtmodels.metrics import METRICS
from mtmodels.metrics.protocols import metric_for
from mtmodels.scoring.evaluation import Evaluation
from mtmodels.scoring.samples import Samples
from tests.mtmodels.metrics.cases import MEMBERS, TASKS, assert_same, case, score
from tests.mtmodels.scoring.scored import evaluate

every_member = pytest.mark.parametrize(("protocol", "kind"), MEMBERS)


def sums(protocol: str, kind: str, weights: list[int]) -> dict[str, Any]:
    """The scores of images that count so many times each, from what each of them adds."""
    made, metric = case(kind, n=len(weights)), metric_for(TASKS[kind], protocol)
    metric.update(made.prediction, made.label, made.valid)
    many = torch.tensor(weights, dtype=torch.float64)
    states = {
        name: torch.tensordot(many, part.double(), dims=1)[None]
        for name, part in metric.added.items()
    }
    return {name: value[0].tolist() for name, value in type(metric).scores(states).items()}


@every_member
@pytest.mark.parametrize("weights", [[1, 1, 1, 1], [0, 3, 1, 2], [0, 0, 2, 0]])
def test_images_that_count_twice_are_images_scored_twice(
    protocol: str, kind: str, weights: list[int]
) -> None:
    made = case(kind, n=len(weights))
    rows = torch.tensor([i for i, many in enumerate(weights) for _ in range(many)])
    found = sums(protocol, kind, weights)
    expected = score(protocol, kind, made[rows])
    if "median" in expected:  # of a few pixels a quarter of a degree says little
        assert found.pop("median") == pytest.approx(expected.pop("median"), abs=8)
    # In other places of a batch a processor takes another arctangent: one pixel, or many at once.
    assert_same(found, expected, rtol=1e-6)


def test_the_rough_median_is_near() -> None:
    made = case("normals", n=4, h=60, w=80)
    metric = metric_for(TASKS["normals"], "mtpsl")
    metric.update(made.prediction, made.label, made.valid)
    rough = type(metric).scores({k: getattr(metric, k) for k in metric.added})
    assert rough["median"].item() == pytest.approx(metric.compute()["median"], abs=0.02)


def evaluation(**options: Any) -> tuple[Evaluation, list[Batch]]:
    """Two batches of classes and depth; two images lack depth."""
    batches, predictions = [], []
    for first, depth in ((0, [1, 2]), (3, [0])):
        semantic, depths = case("classes", n=3, seed=first), case("depth", n=len(depth), seed=first)
        predictions.append({"semantic": semantic.prediction, "depth": torch.zeros(3, 1, 4, 5)})
        predictions[-1]["depth"][depth] = depths.prediction
        batches.append(
            Batch(
                tuple(f"{first + i}" for i in range(3)),
                torch.zeros(3, 3, 4, 5),
                {"semantic": semantic.label, "depth": depths.label},
                {"semantic": semantic.valid, "depth": depths.valid},
                {"semantic": torch.arange(3), "depth": torch.tensor(depth)},
            )
        )
    answers = iter(predictions)
    tasks = [TASKS["classes"], TASKS["depth"]]
    return evaluate(lambda _: next(answers), batches, tasks=tasks, **options), batches


@pytest.mark.parametrize("protocol", ["mtpsl", "xtasc"])
def test_an_evaluation_keeps_what_adds_up_to_its_scores(protocol: str, tmp_path: Path) -> None:
    found, batches = evaluation(protocol=protocol, keep=True)
    assert found.samples is not None
    (tmp_path / "a.npz").write_bytes(found.samples.to_bytes())
    read = Samples.read(tmp_path / "a.npz")
    assert read.keys == tuple(key for batch in batches for key in batch.keys)
    assert read.kinds == {"semantic": "classes", "depth": "depth"}
    assert not read.states["depth"]["sums"][[0, 4, 5]].any()
    assert read.states["depth"]["sums"][[1, 2, 3], -1].all()
    for task, states in read.states.items():
        metric = METRICS[protocol].find(read.kinds[task], task)
        total = {n: torch.tensor(a.astype(float).sum(0)) for n, a in states.items()}
        scores: dict[str, Any] = {
            name: value.tolist() for name, value in metric.scores(total).items()
        }
        assert_same(scores, dict(found.scores[task]))


def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    assert evaluation()[0].samples is None


def test_the_file_is_small_and_the_same_again(tmp_path: Path) -> None:
    found = evaluation(keep=True)[0].samples
    assert found is not None
    assert found.to_bytes() == evaluation(keep=True)[0].samples.to_bytes()  # type: ignore[union-attr]
    (tmp_path / "a.npz").write_bytes(found.to_bytes())
    with np.load(tmp_path / "a.npz") as file:
        assert file["semantic/matrix"].dtype == np.uint8


@pytest.mark.parametrize("what", ["cut", "text", "rows", "format"])
def test_a_damaged_file_is_named(what: str, tmp_path: Path) -> None:
    path, whole = tmp_path / "a.npz", evaluation(keep=True)[0].samples
    assert whole is not None
    if what == "rows":
        whole = Samples(whole.protocol, whole.keys[:-1], whole.kinds, whole.states)
    content = whole.to_bytes()
    if what == "format":
        with np.load(io.BytesIO(content)) as file:
            arrays = dict(file)
        about = str(arrays.pop("about")).replace('"format": 1', '"format": 2')
        np.savez(path, about=about, **arrays)
    else:
        parts = {"cut": content[: len(content) // 2], "text": b"hello", "rows": content}
        path.write_bytes(parts[what])
    with pytest.raises(DataError, match=r"a\.npz should hold what each image adds.*mtmodels eval"):
        Samples.read(path)
