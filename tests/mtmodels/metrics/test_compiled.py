"""Compiled passes against those of torch, which other tests hold to slow references."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtmodels.metrics import METRICS
from mtmodels.metrics.base import Metric
from mtmodels.metrics.protocols import metric_for
from mtmodels.metrics.tally import NotFiniteError
from tests.mtmodels.metrics.cases import MEMBERS, TASKS, Case, assert_same, case

pytest.importorskip("numba", reason="the extra `fast` is not installed")
from mtmodels.metrics.compiled import Compiled, compiled

COMPILED = [
    (protocol, kind)
    for protocol, kind in MEMBERS
    if METRICS[protocol].of(TASKS[kind]).compiles and protocol != "cityscapes"
]


@pytest.fixture(scope="module")
def passes() -> Iterator[Compiled]:
    with compiled() as made:
        yield made


def both(passes: Compiled, protocol: str, kind: str, *cases: Case) -> list[Metric]:
    """A metric by torch, and one by compiled passes, after the same batches."""
    metrics = [metric_for(TASKS[kind], protocol) for _ in range(2)]
    metrics[1].compiled = passes
    for one in cases:
        for metric in metrics:
            metric.update(one.prediction, one.label, one.valid)
    return metrics


@pytest.mark.parametrize(("protocol", "kind"), COMPILED)
@settings(deadline=None, max_examples=15)
@given(n=st.integers(0, 5), h=st.integers(1, 70), w=st.integers(1, 70), seed=st.integers(0, 2**16))
def test_scores_and_what_each_image_adds_are_those_of_torch(
    passes: Compiled, protocol: str, kind: str, n: int, h: int, w: int, seed: int
) -> None:
    plain, fast = both(passes, protocol, kind, case(kind, n, h, w, seed=seed))
    # An angle beside a threshold may fall to either side of it, by the rounding of 1e-5 degrees.
    assert_same(fast.compute(), plain.compute(), rtol=2e-3 if kind == "normals" else 2e-6)
    assert plain.added.keys() == fast.added.keys()
    for name, added in plain.added.items():
        moved = (added.double() - fast.added[name].double()).abs().sum()
        assert moved <= 1e-5 * added.double().abs().sum() + (2 + 0.002 * n * h * w) * (
            kind == "normals"
        )


@pytest.mark.parametrize("kind", ["classes", "streets"])
@pytest.mark.parametrize("width", [1, 2, 5, 6, 9])
def test_counts_of_classes_are_exact(passes: Compiled, kind: str, width: int) -> None:
    one = case(kind, 3, 53, 41 * width)  # blocks that are full and one that is not
    plain, fast = both(passes, "mtpsl", kind, one)
    assert fast.states["matrix"].tolist() == plain.states["matrix"].tolist()
    ties = Case(one.prediction.round(), one.label, one.valid)  # the first of several is taken
    expected = torch.from_numpy(ties.prediction.numpy().argmax(1))
    hit = (expected == ties.label[:, 0])[ties.valid].sum()
    assert both(passes, "mtpsl", kind, ties)[1].states["matrix"].trace() == hit


@pytest.mark.parametrize(("protocol", "kind"), COMPILED)
def test_what_does_not_count_may_hold_anything(passes: Compiled, protocol: str, kind: str) -> None:
    one = case(kind, 2, 40, 60)
    label = one.label.clone()
    nothing = 255 if label.dtype == torch.uint8 else torch.nan
    label.permute(0, 2, 3, 1)[~one.valid] = nothing
    _, clean = both(passes, protocol, kind, one)
    _, holed = both(passes, protocol, kind, Case(one.prediction, label, one.valid))
    assert_same(holed.compute(), clean.compute(), rtol=1e-6)


def test_angles_of_vectors_of_any_length(passes: Compiled) -> None:
    one = case("normals", 3, 30, 40)
    for factor, of_label in ((1e-30, 1), (1e-4, 1), (3, 1), (1e25, 1), (1e25, 1e25)):
        scaled = Case(one.prediction * factor, one.label * of_label, one.valid)
        plain, fast = both(passes, "mtpsl", "normals", scaled)
        assert_same(fast.compute(), plain.compute(), rtol=2e-3)
    _, same = both(passes, "mtpsl", "normals", Case(one.label, one.label, one.valid))
    assert same.compute()["rmse"] == pytest.approx(0, abs=1e-12)
    upright = torch.tensor([0.0, 0.0, 1.0]).reshape(1, 3, 1, 1).expand(1, 3, 40, 60)
    for x, z, degrees in ((0, 1, 0), (1, 0, 90), (0, -1, 180), (0, 0, 90), (1, 1, 45)):
        prediction = torch.tensor([x, 0.0, z]).reshape(1, 3, 1, 1).repeat(1, 1, 40, 60)
        prediction[:, 2, 0, 0] = 1  # one of length 1 at least
        shown = torch.ones(1, 40, 60, dtype=torch.bool)
        shown[:, 0, 0] = False
        _, found = both(passes, "mtpsl", "normals", Case(prediction, upright, shown))
        assert found.compute()["mean"] == pytest.approx(degrees, abs=1e-4)


@pytest.mark.parametrize(("protocol", "kind"), COMPILED)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_prediction_that_is_not_finite_is_refused(
    passes: Compiled, protocol: str, kind: str, value: float
) -> None:
    one = case(kind, 2, 50, 60)
    one.valid[:] = True  # an index that is made of such a value would lie outside of its array
    for where in ((1, -1, -1, -1), (1, -1), (0,)):
        broken = one.prediction.clone()
        broken[where] = value
        metric = metric_for(TASKS[kind], protocol)
        metric.compiled = passes
        with pytest.raises(NotFiniteError):
            metric.update(broken, one.label, one.valid)


@pytest.mark.parametrize("label", [4, 200, 255])
def test_a_label_that_is_no_class_is_refused(passes: Compiled, label: int) -> None:
    one = case("classes", 2, 50, 60)
    one.valid[1, 3, 4] = True
    one.label[1, 0, 3, 4] = label
    metric = metric_for(TASKS["classes"], "mtpsl")
    metric.compiled = passes
    with pytest.raises(ValueError, match="labels should be classes below 4; found others"):
        metric.update(one.prediction, one.label, one.valid)


def test_large_predictions_are_finite(passes: Compiled) -> None:
    one = case("classes", 1, 50, 60)
    plain, fast = both(
        passes, "mtpsl", "classes", Case(one.prediction.sign() * 3e38, one.label, one.valid)
    )
    assert fast.states["matrix"].tolist() == plain.states["matrix"].tolist()


def test_compiles_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = sys.modules[Compiled.__module__]
    real = module.njit

    def njit(*, cache: bool, **how: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**how)

    monkeypatch.setattr(module, "njit", njit)
    monkeypatch.setattr(module, "_errors", module._compiled(module._errors.py_func))
    with compiled() as here:
        plain, fast = both(here, "mtpsl", "depth", case("depth"))
    assert_same(fast.compute(), plain.compute(), rtol=1e-6)
