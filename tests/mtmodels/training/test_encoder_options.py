"""What an encoder may be told of its training: a rate, steps of rest, statistics that stay."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtmodels.errors import InterruptedRun
from mtmodels.methods.base import ParameterGroup
from mtmodels.training.loop.engine import Engine
from mtmodels.training.loop.groups import apart
from mtmodels.training.loop.schedules import Position
from mtmodels.training.run import prepare, train
from mtmodels.training.setup.setup import assemble
from tests.mtmodels.training.comparing import assert_same_run
from tests.quick import few
from tests.runs.small_run import small_layer, small_store

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return small_store(tmp_path_factory.mktemp("store"))


def layer(store: Path, options: dict[str, Any], **more: Any) -> dict[str, Any]:
    network = {"name": "unet", "width": 0.0625, "options": options}
    part = {"network": network, "method": {"name": "sl"}, "epochs": 1, "holdout": 0.0, **more}
    return small_layer(store) | part


@pytest.fixture
def steps(store: Path, tmp_path: Path) -> Callable[..., list[State]]:
    """The states of the network before the first step and behind each."""

    def take(options: dict[str, Any], **more: Any) -> list[State]:
        job = prepare([layer(store, options, **more)], out=tmp_path / "r", mode=None)
        parts = assemble(job.config, job.data)
        engine, states = parts.engine, []
        engine.train()
        network = parts.method.network

        def keep() -> None:
            states.append({k: v.clone() for k, v in network.state_dict().items()})

        keep()
        for number, batch in enumerate(parts.loader.epoch(0)):
            engine.step([batch], Position(number, len(parts.loader), 1, None))
            keep()
        return states

    return take


def moved(a: State, b: State, *, encoder: bool, norms: bool) -> set[str]:
    """Which entries of the encoder, or of the rest, differ; of running statistics, or weights."""
    return {
        key
        for key in a
        if key.startswith("encoder.") == encoder
        and (key.rpartition(".")[2] in ("running_mean", "running_var")) == norms
        and not key.endswith("num_batches_tracked")
        and not torch.equal(a[key], b[key])
    }


def test_the_encoder_rests_for_the_first_steps(steps: Callable[..., list[State]]) -> None:
    states = steps({"freeze_encoder": 2})
    for before, after in pairwise(states[:3]):
        assert not moved(before, after, encoder=True, norms=False)
        assert moved(before, after, encoder=True, norms=True)
        assert moved(before, after, encoder=False, norms=False)
    assert moved(states[2], states[3], encoder=True, norms=False)


def test_what_weights_do_not_go_to_learns_with_the_rest(steps: Callable[..., list[State]]) -> None:
    """The pyramid on a plain vision transformer, which knows nothing whatever the weights are."""
    plain = {"optimizer": {"name": "sgd", "options": {"momentum": 0.0}}}
    start, rested, *_ = steps({"encoder": "test_vit", "freeze_encoder": 1}, **plain)
    _, whole, *_ = steps({"encoder": "test_vit"}, **plain)
    _, slow, *_ = steps({"encoder": "test_vit", "encoder_rate": 0.25}, **plain)
    assert any("encoder.pyramid" in key for key in start)
    for key, value in start.items():
        if key.startswith("encoder.pyramid."):
            assert not torch.equal(value, whole[key])
            assert torch.equal(rested[key], whole[key])
            assert torch.equal(slow[key], whole[key])
        elif key.startswith("encoder."):
            assert torch.equal(rested[key], value)


def test_norms_of_the_encoder_keep_their_statistics(steps: Callable[..., list[State]]) -> None:
    first, *_, last = steps({"freeze_norm": True})
    assert not moved(first, last, encoder=True, norms=True)
    assert moved(first, last, encoder=True, norms=False)
    assert moved(first, last, encoder=False, norms=True)


def test_a_rate_of_its_own_is_a_factor_on_its_steps(steps: Callable[..., list[State]]) -> None:
    # One step of plain gradient descent is the rate times the gradient, and no more.
    plain = {"optimizer": {"name": "sgd", "options": {"momentum": 0.0}}, "start": "random"}
    start, whole, *_ = steps({}, **plain)
    same, slow, *_ = steps({"encoder_rate": 0.25}, **plain)
    for key, value in start.items():
        assert torch.equal(value, same[key])
        if "running" in key or "num_batches" in key:
            continue
        factor = 0.25 if key.startswith("encoder.") else 1.0
        expected = value + factor * (whole[key] - value)
        torch.testing.assert_close(slow[key], expected, rtol=1e-5, atol=1e-7)


def test_groups_stay_as_they_are_without_a_rate() -> None:
    a, b = (nn.Parameter(torch.zeros(1)) for _ in range(2))
    groups = [ParameterGroup([a, b], 3.0, rate=0.1), ParameterGroup([b])]
    assert apart(groups, [a], 1.0) == groups
    rest, encoder, other = apart(groups, [a], 0.5)
    assert (rest.parameters, rest.scale, rest.rate) == ([b], 3.0, 0.1)
    assert (encoder.parameters, encoder.scale, encoder.rate) == ([a], 1.5, 0.1)
    assert other == groups[1]


OPTIONS = {"freeze_encoder": 4, "encoder_rate": 0.1, "freeze_norm": True}


@pytest.mark.parametrize("stop", few([2, 5], [5]))
def test_a_run_that_was_stopped_goes_on_bit_equal(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    part = layer(store, OPTIONS, epochs=2, checkpoint_every=1)
    whole, other = tmp_path / "whole", tmp_path / "other"
    train(prepare([part], out=whole, mode="new"), mode="new")
    step, count = Engine.step, 0

    def stopping(*given: Any) -> Any:
        nonlocal count
        if count == stop:
            raise InterruptedRun(other, stop)
        count += 1
        return step(*given)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "step", stopping)
        with pytest.raises(InterruptedRun):
            train(prepare([part], out=other, mode="new"), mode="new")
    train(prepare([], out=other, mode="resume"), mode="resume")
    assert_same_run(whole, other)
