"""Every weighting keeps what `Weighting` promises."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch

from mtmodels.methods.terms import Terms
from mtmodels.weightings import WEIGHTINGS
from mtmodels.weightings.base import Weighting
from tests.asserts import assert_descends_every_loss

NAMES = ("semantic", "depth", "normals")
OPTIONS: dict[str, dict[str, Any]] = {
    "fixed": {"values": {"semantic": 1.0, "depth": 2.0, "normals": 0.5}}
}
LOSSES = {name: torch.tensor(value) for name, value in zip(NAMES, (2.5, 0.7, 0.1), strict=True)}
SUM_OF_ALL = ("rlw", "adaptive-variance")
"""Their weights have one sum over all tasks of the run, in the batch or not."""
each_weighting = pytest.mark.parametrize("name", WEIGHTINGS)


def make(name: str, **options: Any) -> Weighting:
    return WEIGHTINGS[name](NAMES, **{**OPTIONS.get(name, {}), **options})


def total(weighting: Weighting, terms: Terms) -> float:
    leaves = Terms(
        {k: v.clone().requires_grad_() for k, v in terms.tasks.items()},
        {k: v.clone().requires_grad_() for k, v in terms.auxiliary.items()},
    )
    torch.manual_seed(0)  # for those that draw
    return weighting.backward(leaves, [], torch.Tensor.backward).item()


@each_weighting
def test_descends_every_loss(name: str) -> None:
    assert_descends_every_loss(make(name), LOSSES)


@each_weighting
def test_order_of_tasks_does_not_matter(name: str) -> None:
    turned = dict(reversed(LOSSES.items()))
    first = make(name)
    expected = total(first, Terms(LOSSES))
    assert total(make(name), Terms(turned)) == pytest.approx(expected)
    options = OPTIONS.get(name, {})
    other = WEIGHTINGS[name](tuple(reversed(NAMES)), **options)
    assert total(other, Terms(LOSSES)) == pytest.approx(expected)
    assert other.weights() == pytest.approx(first.weights())


@each_weighting
def test_gradient_of_a_loss_is_its_weight(name: str) -> None:
    weighting = make(name)
    leaves = {key: value.clone().requires_grad_() for key, value in LOSSES.items()}
    weighting.backward(Terms(leaves), [], torch.Tensor.backward)
    for key, weight in weighting.weights().items():
        gradient = leaves[key].grad
        assert gradient is not None
        assert gradient.item() == pytest.approx(weight)


@each_weighting
def test_an_absent_task_takes_no_part(name: str) -> None:
    weighting = make(name)
    present = {key: LOSSES[key] for key in ("semantic", "normals")}
    value = total(weighting, Terms(present))
    if name in SUM_OF_ALL:
        weights = weighting.weights()
        assert value == pytest.approx(sum(weights[k] * v.item() for k, v in present.items()))
    else:
        options = {"values": {k: OPTIONS[name]["values"][k] for k in present if name in OPTIONS}}
        smaller = WEIGHTINGS[name](tuple(present), **(options if name in OPTIONS else {}))
        assert value == pytest.approx(total(smaller, Terms(present)))
    moved = {key for key, p in weighting.named_parameters() if p.grad is not None}
    assert not any("depth" in key for key in moved)


@each_weighting
def test_auxiliary_terms_are_added_as_they_are(name: str) -> None:
    extra = {"depth/consistency": torch.tensor(0.3)}
    difference = total(make(name), Terms(LOSSES, extra)) - total(make(name), Terms(LOSSES))
    assert difference == pytest.approx(0.3, rel=1e-5)
    assert total(make(name), Terms({}, extra)) == pytest.approx(0.3)


@each_weighting
def test_a_batch_without_terms_sends_nothing_backwards(name: str) -> None:
    def refuse(_: torch.Tensor) -> None:
        raise AssertionError

    assert make(name).backward(Terms({}), [], refuse) == 0


@each_weighting
def test_state_round_trip(name: str) -> None:
    first, second = make(name), make(name)
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(0.25)
    second.load_state_dict(first.state_dict())
    assert second.weights() == first.weights()


@each_weighting
def test_says_what_it_is(name: str) -> None:
    assert WEIGHTINGS[name].summary
    assert WEIGHTINGS[name].reference


@pytest.mark.parametrize(("form", "start", "factor"), [("xtasc", 0.0, 1.0), ("mtan", -0.5, 0.5)])
def test_uncertainty_as_published(form: str, start: float, factor: float) -> None:
    weighting = make("uncertainty", form=form)
    assert weighting.weights() == pytest.approx(dict.fromkeys(NAMES, 0.5 * math.exp(-start)))
    expected = sum(0.5 * math.exp(-start) * v.item() + factor * start for v in LOSSES.values())
    assert total(weighting, Terms(LOSSES)) == pytest.approx(expected)
    for key, parameter in weighting.named_parameters():
        assert parameter.grad is not None
        loss = LOSSES[key.split(".")[-1]].item()
        expected_gradient = factor - 0.5 * math.exp(-start) * loss
        assert parameter.grad.item() == pytest.approx(expected_gradient, rel=1e-5)


ADD_UP = [name for name in WEIGHTINGS if WEIGHTINGS[name].adds_up]
SHOWN = [
    ("semantic", "depth", "normals", "semantic"),
    ("depth", "semantic", "depth", "depth"),
    ("normals", "normals", "normals", "depth"),
    ("semantic",) * 4,
]
"""The one task that each of four images shows."""


def in_parts(weighting: Weighting, shown: Sequence[str], parts: int) -> tuple[list[Any], float]:
    """Gradients of two steps of a batch in parts, and the total of the second.

    Images have a consistency for the tasks that they do not show, which is part of the loss of a
    task where the batch shows it, and stands beside the others where it does not.
    """
    layer = torch.linspace(0.5, 2, 12).double().requires_grad_()
    weighting.double()
    for step in range(2):  # what one step remembers is nothing to the next
        layer.grad, total = None, 0.0
        weighting.zero_grad()
        weighting.begin_step(parts)
        for part in range(parts):
            size = len(shown) // parts
            rows = range(part * size, (part + 1) * size)
            direct = {n: [layer[i] ** 2 * (i + 1 + step) for i in rows if shown[i] == n]
                      for n in NAMES}  # fmt: skip
            beside = {n: [layer[i + 4] * (k + 2) for i in rows if shown[i] != n]
                      for k, n in enumerate(NAMES)}  # fmt: skip
            sums = {n: torch.stack([*direct[n], *beside[n]]).sum() / size for n in NAMES}
            owned = {f"{n}/own": sums[n] for n in NAMES if not direct[n]}
            terms = Terms(
                {n: sums[n] for n in NAMES if direct[n]},
                owned | {"crops": layer[8 + part * size : 8 + part * size + size].mean()},
                owners={name: name.split("/")[0] for name in owned},
            )
            sent = weighting.backward(terms, [], lambda x: (x / parts).backward())
            total += sent.item() / parts
    return [layer.grad, *(p.grad for p in weighting.parameters())], total


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("name", ADD_UP)
def test_gradients_of_parts_add_up_under_partial_labels(name: str, shown: Sequence[str]) -> None:
    options = [{"form": "xtasc"}, {"form": "mtan"}] if name == "uncertainty" else [{}]
    for chosen in options:
        whole, total = in_parts(make(name, **chosen), shown, 1)
        for parts in (2, 4):
            found, same = in_parts(make(name, **chosen), shown, parts)
            assert same == pytest.approx(total, rel=1e-6)
            for a, b in zip(found, whole, strict=True):
                assert (a is None) == (b is None)  # an absent task is left alone
                if a is not None:
                    torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)


def test_equal_is_the_sum() -> None:
    assert total(make("equal"), Terms(LOSSES)) == pytest.approx(3.3)


def test_an_absent_task_keeps_its_uncertainty_under_adam() -> None:
    weighting = make("uncertainty")
    optimizer = torch.optim.Adam(weighting.parameters(), lr=0.1)
    for losses in (LOSSES, {"semantic": LOSSES["semantic"]}):
        before = dict(weighting.weights())
        total(weighting, Terms(losses))
        optimizer.step()
        optimizer.zero_grad()
    after = weighting.weights()
    assert after["depth"] == before["depth"]
    assert after["semantic"] != before["semantic"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("uncertainty", {"form": "kendall"}, "no form `kendall`"),
        ("fixed", {"values": {"semantic": 1.0}}, "found none for depth, normals"),
        ("fixed", {"values": {"deep": 1.0}}, "task for the option `values` `deep`"),
        (
            "fixed",
            {"values": dict.fromkeys(NAMES, -1.0)},
            r"`values\[semantic\]` should be above 0; found -1.0",
        ),
    ],
)
def test_refuses_options(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(name, **options)


@each_weighting
def test_what_ran_away_is_no_error_of_python(name: str) -> None:
    """The next step says it, in words of its own: a term is not finite."""
    weighting = make(name)
    for parameter in weighting.parameters():
        parameter.data.fill_(-1e30)
    assert set(weighting.weights()) <= set(NAMES)


@each_weighting
def test_no_weight_decays(name: str) -> None:
    """What a weighting learns is no weight of a network: decay would pull factors to a value."""
    assert all(group.weight_decay == 0 for group in make(name).parameter_groups())
