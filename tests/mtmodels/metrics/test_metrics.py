"""What holds for every metric of every protocol."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mtdata.errors import UnknownNameError
from mtmodels import processes
from mtmodels.metrics import METRICS
from mtmodels.metrics.protocols import metric_for
from mtmodels.metrics.scores import HIGHER_IS_BETTER
from tests.mtmodels.metrics.cases import (
    MEMBERS,
    TASKS,
    Case,
    assert_same,
    case,
    is_nan,
    perfect,
    score,
)
from tests.mtmodels.metrics.reference import REFERENCES

ROUNDING = {"normals": 1e-6}
"""Angles are float32, of which whole vectors of the processor and what is left over differ."""
every_member = pytest.mark.parametrize(("protocol", "kind"), MEMBERS)


@every_member
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_reference(protocol: str, kind: str, seed: int) -> None:
    made = case(kind, seed=seed)
    arrays = (x.numpy().astype(np.float64) for x in (made.prediction, made.label, made.valid))
    assert_same(score(protocol, kind, made), REFERENCES[protocol, kind](*arrays), rtol=1e-6)


@every_member
@given(data=st.data())
@settings(max_examples=8)
def test_order_and_split_into_batches_do_not_matter(
    protocol: str, kind: str, data: st.DataObject
) -> None:
    made = case(kind, n=5, seed=data.draw(st.integers(0, 99)))
    order = torch.tensor(data.draw(st.permutations(range(5))))
    cut = data.draw(st.integers(0, 5))
    shuffled = made[order]
    parts = score(protocol, kind, shuffled[slice(0, cut)], shuffled[slice(cut, 5)])
    assert_same(parts, score(protocol, kind, made), rtol=ROUNDING.get(kind, 1e-9))


@every_member
def test_a_perfect_prediction_has_the_best_scores(protocol: str, kind: str) -> None:
    made = case(kind)
    right = Case(perfect(kind, made.label), made.label, made.valid)
    for name, value in score(protocol, kind, right).items():
        best = 100.0 if HIGHER_IS_BETTER[name] else 0.0
        for one in value if isinstance(value, list) else [value]:
            assert one == pytest.approx(best, abs=1e-9) or (name.endswith("iou") and np.isnan(one))


@every_member
@given(seed=st.integers(0, 99), junk=st.sampled_from([0.0, 1.0, float("nan"), float("inf")]))
@settings(max_examples=8)
def test_pixels_that_are_not_valid_do_not_matter(
    protocol: str, kind: str, seed: int, junk: float
) -> None:
    made = case(kind, seed=seed)
    hidden = ~made.valid[:, None]
    spoilt = Case(
        torch.where(hidden, junk, made.prediction),
        torch.where(hidden, junk if made.label.is_floating_point() else 200, made.label),
        made.valid,
    )
    assert_same(score(protocol, kind, spoilt), score(protocol, kind, made))


@every_member
def test_what_is_scored_is_left_as_it_was(protocol: str, kind: str) -> None:
    made, again = case(kind), case(kind)
    score(protocol, kind, made)
    assert torch.equal(made.prediction, again.prediction)
    assert torch.equal(made.label, again.label)
    assert torch.equal(made.valid, again.valid)


@every_member
def test_nothing_valid_is_nan(protocol: str, kind: str) -> None:
    made = case(kind)
    empty = Case(made.prediction, made.label, torch.zeros_like(made.valid))
    assert all(is_nan(value) for value in score(protocol, kind, empty).values())


@every_member
def test_an_image_with_nothing_valid_changes_nothing(protocol: str, kind: str) -> None:
    made = case(kind)
    assert_same(score(protocol, kind, made), score(protocol, kind, made[slice(0, 2)]))


@every_member
def test_names_every_score_and_its_direction(protocol: str, kind: str) -> None:
    scores = score(protocol, kind, case(kind))
    better = metric_for(TASKS[kind], protocol).better
    assert scores.keys() == better.keys()
    assert all(HIGHER_IS_BETTER[name] is high for name, high in better.items())


@every_member
def test_processes_are_merged_by_adding(
    protocol: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = case(kind, n=5)
    parts = [made[slice(0, 2)], made[slice(2, 5)]]
    ranks = [metric_for(TASKS[kind], protocol) for _ in parts]
    for rank, part in zip(ranks, parts, strict=True):
        rank.update(part.prediction, part.label, part.valid)
    names, held = iter(ranks[0].states), [rank.states for rank in ranks]

    def summed(_: Tensor) -> Tensor:
        name = next(names)
        return held[0][name] + held[1][name]

    monkeypatch.setattr(processes, "summed", summed)
    merged = ranks[0]
    merged.gather()
    assert_same(merged.compute(), score(protocol, kind, made), rtol=ROUNDING.get(kind, 1e-9))


@every_member
def test_the_state_does_not_grow(protocol: str, kind: str) -> None:
    metric = metric_for(TASKS[kind], protocol)
    before = sum(state.numel() for state in metric.states.values())
    made = case(kind, n=5)
    metric.update(made.prediction, made.label, made.valid)
    assert sum(state.numel() for state in metric.states.values()) == before
    assert metric.images == 5


@every_member
def test_starts_again_after_reset(protocol: str, kind: str) -> None:
    metric = metric_for(TASKS[kind], protocol)
    made = case(kind)
    for _ in range(2):
        metric.reset()
        metric.update(made.prediction, made.label, made.valid)
    assert_same(metric.compute(), score(protocol, kind, made))


def test_protocols_are_explained() -> None:
    assert all(protocol.summary for protocol in METRICS.values())


def test_unknown_protocol_is_named() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean `mtpsl`"):
        metric_for(TASKS["depth"], "mtpls")
