"""Weightings that change as the losses do, each beside a slow reference."""

import copy
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mtdata.tasks.task import Task
from mtmodels.methods.terms import Terms
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Network, Output
from mtmodels.weightings import WEIGHTINGS
from mtmodels.weightings.base import EpochStatistics, Weighting
from tests.runs.batches import SIX

NAMES = ("semantic", "depth", "normals")
MEANS = ([2.0, 0.9, 0.3], [1.5, 0.8, 0.29], [1.2, 0.75, 0.1])


def losses(values: Sequence[float], names: Sequence[str] = NAMES) -> dict[str, Tensor]:
    return {
        name: torch.tensor(value, requires_grad=True)
        for name, value in zip(names, values, strict=True)
    }


def run(
    weighting: Weighting, terms: dict[str, Tensor], shared: Sequence[nn.Parameter] = ()
) -> None:
    weighting.backward(Terms(terms), list(shared), torch.Tensor.backward)


def end(
    weighting: Weighting,
    values: Sequence[float],
    names: Sequence[str] = NAMES,
    *,
    steps: int = 50,
) -> None:
    statistics = dict(zip(names, values, strict=True))
    weighting.end_epoch(EpochStatistics(statistics, statistics, dict.fromkeys(names, steps)))


def test_dwa_weighs_by_how_slowly_losses_fell() -> None:
    weighting = WEIGHTINGS["dwa"](NAMES, temperature=1.5)
    assert weighting.weights() == dict.fromkeys(NAMES, 1.0)
    end(weighting, MEANS[0])
    assert weighting.weights() == dict.fromkeys(NAMES, 1.0)
    for before, last in itertools.pairwise(MEANS):
        end(weighting, last)
        raised = [math.exp(b / a / 1.5) for a, b in zip(before, last, strict=True)]
        expected = {n: 3 * e / sum(raised) for n, e in zip(NAMES, raised, strict=True)}
        assert weighting.weights() == pytest.approx(expected)


def test_an_epoch_without_labels_of_a_task_leaves_what_dwa_knows_of_it() -> None:
    weighting = WEIGHTINGS["dwa"](NAMES)
    end(weighting, MEANS[0])
    end(weighting, MEANS[1])
    before = weighting.weights()
    end(weighting, MEANS[1][:2], NAMES[:2])  # semantic and depth stood still
    history = weighting.get_buffer("history")
    assert history[:, 2].tolist() == [MEANS[0][2], MEANS[1][2]]
    assert history[:, 0].tolist() == [MEANS[1][0], MEANS[1][0]]
    assert weighting.weights() != before


def test_rlw_draws_weights_with_mean_one() -> None:
    weighting = WEIGHTINGS["rlw"](NAMES)
    drawn = []
    for _ in range(200):
        terms = losses(MEANS[0])
        run(weighting, terms)
        drawn.append([weighting.weights()[n] for n in NAMES])
        gradients = [t.grad.item() for t in terms.values() if t.grad is not None]
        assert gradients == pytest.approx(drawn[-1])
        assert sum(drawn[-1]) == pytest.approx(3, rel=1e-5)
    assert np.allclose(np.mean(drawn, axis=0), 1, atol=0.2)
    assert len({tuple(row) for row in drawn}) == 200


def test_adaptive_variance_as_printed() -> None:
    weighting = WEIGHTINGS["adaptive-variance"](NAMES, epsilon=0.01)
    assert weighting.weights() == pytest.approx(dict.fromkeys(NAMES, 1 / 3))
    end(weighting, MEANS[0])
    assert weighting.weights() == pytest.approx(dict.fromkeys(NAMES, 1 / 3))
    end(weighting, MEANS[1])
    with torch.no_grad():
        for name, value in zip(NAMES, (0.1, -0.4, 1.3), strict=True):
            weighting.get_parameter(f"raw.{name}").fill_(value)
    learnt = [math.log1p(math.exp(value)) for value in (0.1, -0.4, 1.3)]
    alpha = [(b + 0.01) / (a + 0.01) for a, b in zip(*MEANS[:2], strict=True)]
    parts = [w * a for w, a in zip(learnt, alpha, strict=True)]
    expected = [p / sum(parts) for p in parts]
    assert list(weighting.weights().values()) == pytest.approx(expected)
    terms = losses(MEANS[2])
    run(weighting, terms)
    gradients = [t.grad.item() for t in terms.values() if t.grad is not None]
    assert gradients == pytest.approx(expected)

    def total(raw: Sequence[float]) -> float:
        parts = [math.log1p(math.exp(r)) * a for r, a in zip(raw, alpha, strict=True)]
        return sum(p / sum(parts) * x for p, x in zip(parts, MEANS[2], strict=True))

    for i, name in enumerate(NAMES):
        parameter = weighting.get_parameter(f"raw.{name}")
        moved = [[v + s * 1e-4 * (j == i) for j, v in enumerate((0.1, -0.4, 1.3))] for s in (1, -1)]
        slope = (total(moved[0]) - total(moved[1])) / 2e-4
        assert parameter.grad is not None
        assert parameter.grad.item() == pytest.approx(slope, rel=1e-3)


def test_adaptive_variance_averages_over_its_window() -> None:
    weighting = WEIGHTINGS["adaptive-variance"](("depth",), window=2)
    for value in (1.0, 3.0, 7.0):
        end(weighting, [value], ["depth"])
    other = WEIGHTINGS["adaptive-variance"](("depth", "normals"), window=2)
    for value in (1.0, 3.0, 7.0):
        end(other, [value, 1.0], ["depth", "normals"])
    # (3 + 7) / 2 over (1 + 3) / 2 for depth, 1 for normals
    assert other.weights() == pytest.approx({"depth": 2.5 / 3.5, "normals": 1 / 3.5})


def test_a_variance_of_few_steps_is_not_believed() -> None:
    """One of a single step is 0: the weight of a task was a millionth of the other's by it."""
    weighting = WEIGHTINGS["adaptive-variance"](NAMES)
    for steps, values in ((1, (0.0, 3.0, 1.0)), (3, (4.0, 1e-5, 1.0)), (9, (1.0, 2.0, 3.0))):
        end(weighting, values, steps=steps)
    assert weighting.weights() == pytest.approx(dict.fromkeys(NAMES, 1 / len(NAMES)))
    for values in ((1.0, 1.0, 1.0), (2.0, 1.0, 1.0)):
        end(weighting, values, steps=10)
    assert weighting.weights()[NAMES[0]] == pytest.approx(2 / (1 + len(NAMES)))


def test_adaptive_variance_stays_positive() -> None:
    weighting = WEIGHTINGS["adaptive-variance"](NAMES)
    optimizer = torch.optim.SGD(weighting.parameters(), lr=5.0)
    for _ in range(200):
        run(weighting, losses([100.0, 0.1, 0.01]))
        optimizer.step()
        optimizer.zero_grad()
    assert min(weighting.weights().values()) > 0


class Shared(nn.Module):
    """One shared layer, three losses on it of very different size."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.layer = nn.Parameter(torch.randn(5, generator=generator))
        self.inputs = torch.randn(3, 5, generator=generator)

    def losses(self) -> dict[str, Tensor]:
        values = (self.inputs @ self.layer - 1) ** 2 * torch.tensor([10.0, 1.0, 0.1])
        return dict(zip(NAMES, values, strict=True))


def released_gradnorm(
    network: Shared, first: Tensor, weights: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """Gradient of the weights, by differentiating the printed equations twice."""
    w = weights.clone().requires_grad_()
    values = torch.stack(list(network.losses().values()))
    norms = torch.stack(
        [
            torch.autograd.grad(w[i] * values[i], network.layer, create_graph=True)[0].norm()
            for i in range(3)
        ]
    )
    ratio = values.detach() / first
    target = (norms.mean() * (ratio / ratio.mean()) ** alpha).detach()
    (gradient,) = torch.autograd.grad((norms - target).abs().sum(), w)
    return gradient, values.detach()


def test_gradnorm_follows_its_equations_step_by_step() -> None:
    network = Shared()
    weighting = WEIGHTINGS["gradnorm"](NAMES, alpha=0.7)
    learnt = [weighting.get_parameter(f"learnt.{name}") for name in NAMES]
    optimizer = torch.optim.SGD([*learnt, network.layer], lr=1e-3)
    weights, first = torch.ones(3), torch.stack(list(network.losses().values())).detach()
    for _ in range(6):
        expected, _ = released_gradnorm(network, first, weights, 0.7)
        (slope,) = torch.autograd.grad(
            (weights * torch.stack(list(network.losses().values()))).sum(), network.layer
        )
        run(weighting, network.losses(), [network.layer])
        found = torch.stack([p.grad for p in learnt if p.grad is not None])
        assert torch.allclose(found, expected, rtol=1e-4)
        assert network.layer.grad is not None
        assert torch.allclose(network.layer.grad, slope, rtol=1e-4)
        optimizer.step()
        optimizer.zero_grad()
        weights = weights - 1e-3 * expected
        weights = 3 * weights / weights.sum()
        assert list(weighting.weights().values()) == pytest.approx(weights.tolist(), rel=1e-4)
    assert weighting.weights()["semantic"] < 1 < weighting.weights()["normals"]


def test_gradnorm_asks_how_slow_a_task_is_and_not_how_many_labels_the_first_batch_had() -> None:
    """Tasks that are alike but for the number of images of 8 that show them at first."""
    found = []
    for first in ((2, 2), (1, 4)):
        generator = torch.Generator().manual_seed(1)
        weighting = WEIGHTINGS["gradnorm"](["a", "b"], rate=1e-2)
        shared = nn.Parameter(torch.ones(2))
        optimizer = torch.optim.Adam(weighting.parameters(), lr=1e-2)
        for step in range(200):
            shows = first if step == 0 else torch.randint(1, 5, (2,), generator=generator).tolist()
            terms = Terms(
                tasks={t: n / 8 * x.abs() for t, n, x in zip("ab", shows, shared, strict=True)},
                images={t: torch.tensor(n) for t, n in zip("ab", shows, strict=True)},
            )
            weighting.backward(terms, [shared], torch.Tensor.backward)
            optimizer.step()
            optimizer.zero_grad()
            shared.grad = None
        found.append(weighting.weights())
    assert found[1] == pytest.approx(found[0], abs=0.05)


def test_gradnorm_takes_a_pasted_part_of_a_label_as_a_part() -> None:
    weighting = WEIGHTINGS["gradnorm"](["a", "b"])
    shared = nn.Parameter(torch.ones(2))
    terms = Terms(
        tasks={"a": 2 * shared[0], "b": 0.25 * 2 * shared[1]},
        images={"a": torch.tensor(1), "b": torch.tensor(0.25)},
    )
    weighting.backward(terms, [shared], torch.Tensor.backward)
    assert weighting.get_buffer("first").tolist() == [2, 2]


@pytest.mark.parametrize("name", ["uncertainty", "dwa", "rlw", "adaptive-variance", "gradnorm"])
def test_a_term_that_a_task_owns_has_its_factor_of_now(name: str) -> None:
    weighting = WEIGHTINGS[name](["a", "b"])
    with torch.no_grad():
        for number, parameter in enumerate(weighting.parameters()):
            parameter.add_(0.3 * number)
    own, loss = torch.ones((), requires_grad=True), torch.ones((), requires_grad=True)
    terms = Terms(tasks={"a": loss * 1}, auxiliary={"b/term": own * 1}, owners={"b/term": "b"})
    weighting.backward(terms, [], torch.Tensor.backward)
    assert own.grad is not None
    assert loss.grad is not None
    weights = weighting.weights()
    assert own.grad.item() == pytest.approx(weights["b"])
    assert loss.grad.item() == pytest.approx(weights["a"])


@pytest.mark.parametrize("name", sorted(set(WEIGHTINGS) - {"adamt", "cagrad", "fixed", "nash-mtl"}))
def test_a_term_that_a_task_owns_has_its_last_factor(name: str) -> None:
    """Where the batch does not show the task, and the factors were found before."""
    torch.manual_seed(0)
    weighting, shared = WEIGHTINGS[name](["a", "b", "c"]), nn.Parameter(torch.ones(4))
    weighting.order = [shared]
    rows = torch.tensor([[1.0, 2, 0, 0], [0, 1, 3, 0], [0, 0, 1, 1]])
    losses = {task: (row * shared).sum() for task, row in zip("abc", rows, strict=True)}
    weighting.backward(Terms(tasks=losses), [shared], torch.Tensor.backward)
    own = torch.ones((), requires_grad=True)
    shown = {task: (row * shared).sum() for task, row in zip("ab", rows, strict=False)}
    terms = Terms(tasks=shown, auxiliary={"c/term": own * 1}, owners={"c/term": "c"})
    weighting.backward(terms, [shared], torch.Tensor.backward)
    assert own.grad is not None
    assert own.grad.item() == pytest.approx(weighting.weights().get("c", 1.0), rel=1e-5)


def test_gradnorm_takes_a_term_of_a_task_that_no_image_shows() -> None:
    weighting, shared = WEIGHTINGS["gradnorm"](["a", "b"]), nn.Parameter(torch.ones(2))
    terms = Terms(
        tasks={"a": shared[0].abs(), "b": shared[1].abs()},
        images={"a": torch.tensor(2), "b": torch.tensor(0)},
    )
    assert weighting.backward(terms, [shared], torch.Tensor.backward).isfinite()
    assert all(p.grad is not None and p.grad.isfinite() for p in weighting.parameters())


@pytest.mark.parametrize("empty", [0, 1, 3])
def test_gradnorm_begins_with_the_first_loss_that_is_above_zero(empty: int) -> None:
    """The first images may be of one side only, where the loss of a binary task is 0."""
    weighting, layer = WEIGHTINGS["gradnorm"](["a", "b"]), nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam(weighting.parameters(), lr=0.01)
    for step in range(50):
        optimizer.zero_grad()
        run(weighting, {"a": layer[0] * 1, "b": layer[1] * (step >= empty)}, [layer])
        optimizer.step()
        if step < empty:
            assert weighting.get_buffer("first")[1].isnan()
    assert weighting.get_buffer("first").tolist() == [1, 1]
    # Both have the same loss and gradient from then on, and soon the same weight.
    assert weighting.weights() == pytest.approx({"a": 1, "b": 1}, abs=0.02 * (empty + 1))


def test_gradnorm_leaves_absent_tasks_alone() -> None:
    network = Shared()
    weighting = WEIGHTINGS["gradnorm"](NAMES)
    optimizer = torch.optim.Adam(weighting.parameters(), lr=0.05)
    for names in (NAMES, NAMES[:2], NAMES[:1], NAMES[:2]):
        before = weighting.weights()
        present = {name: network.losses()[name] for name in names}
        run(weighting, present, [network.layer])
        optimizer.step()
        optimizer.zero_grad()
        after = weighting.weights()
        assert sum(after.values()) == pytest.approx(3, rel=1e-5)
        if "normals" not in names:
            assert after["normals"] == before["normals"]
        if len(names) == 1:
            assert after == pytest.approx(before)


class Forked(Network):
    """Two shared convolutions, a decoder of two for each task."""

    summary, reference = "two shared convolutions", "nobody's"

    def __init__(self, tasks: Sequence[Task], **options: Any) -> None:
        super().__init__(tasks, **options)
        self.shared = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 4, 3), nn.Tanh())
        self.decoders = nn.ModuleDict(
            {
                t.name: nn.Sequential(nn.Conv2d(4, 5, 1), nn.Tanh(), nn.Conv2d(5, 1, 1))
                for t in tasks
            }
        )

    def forward(self, image: Tensor) -> Output:
        features = self.shared(image)
        return Output({t.name: self.decoders[t.name](features) for t in self.tasks}, features)

    def shared_parameters(self) -> list[nn.Parameter]:
        return list(self.shared[2].parameters())

    def losses(self) -> dict[str, Tensor]:
        image = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)).double()
        predictions = self(image).predictions
        return {n: ((p - 3 * i) ** 2).mean() for i, (n, p) in enumerate(predictions.items())}


def forked() -> Forked:
    torch.manual_seed(0)
    return Forked(SIX[:3]).double()


def adamt(network: Forked) -> Weighting:
    weighting = WEIGHTINGS["adamt"](NAMES)
    weighting.watch(network, network.shared_parameters())
    return weighting


def gradients(module: nn.Module) -> list[Tensor]:
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in module.parameters()]


@pytest.mark.parametrize("shown", [NAMES, NAMES[:2], NAMES[1:2]])
def test_adamt_weighs_what_is_shared_by_the_first_layer_of_each_decoder(
    shown: tuple[str, ...],
) -> None:
    network = forked()
    weighting = adamt(network)
    sizes, shared, own = {}, {}, {}
    for name in shown:
        network.zero_grad()
        network.losses()[name].backward()
        decoder = network.get_submodule(f"decoders.{name}")
        total, number = 0.0, 0
        for value in gradients(decoder)[0].flatten().tolist():
            total, number = total + abs(value), number + 1
        sizes[name], shared[name], own[name] = (
            total / number,
            gradients(network.shared),
            gradients(decoder),
        )
    network.zero_grad()
    losses = network.losses()
    extra = {"depth/extra": network.get_parameter("shared.0.weight").square().sum()}
    weighting.backward(
        Terms({n: losses[n] for n in shown}, extra), network.shared_parameters(), Tensor.backward
    )
    factors = {n: sizes[n] / sum(sizes.values()) for n in shown}
    for i, found in enumerate(gradients(network.shared)):
        expected = sum(factors[n] * shared[n][i] for n in shown)
        if i == 0:
            expected = expected + 2 * network.get_parameter("shared.0.weight")
        assert torch.allclose(found, torch.as_tensor(expected), rtol=1e-6, atol=1e-12)
    for name in shown:
        found_own = gradients(network.get_submodule(f"decoders.{name}"))
        assert all(torch.allclose(a, b) for a, b in zip(found_own, own[name], strict=True))
    if len(shown) > 1:
        assert {n: weighting.weights()[n] for n in shown} == pytest.approx(factors)


def test_adamt_goes_on_as_if_it_had_never_stopped() -> None:
    def steps(weighting: Weighting, network: Forked, first: int, last: int) -> list[Tensor]:
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for i in range(first, last):
            optimizer.zero_grad()
            losses = network.losses()
            present = {n: losses[n] for n in (NAMES, NAMES[:2], NAMES[:1])[i % 3]}
            run(weighting, present, network.shared_parameters())
            optimizer.step()
        return [p.detach().clone() for p in network.parameters()]

    network = forked()
    weighting = adamt(network)
    steps(weighting, network, 0, 3)
    moved = copy.deepcopy(network)
    resumed = adamt(moved)
    resumed.load_state_dict(weighting.state_dict())
    assert resumed.weights() == weighting.weights()
    assert sum(resumed.weights().values()) != 3
    both = zip(steps(resumed, moved, 3, 7), steps(weighting, network, 3, 7), strict=True)
    assert all(torch.equal(a, b) for a, b in both)
    assert resumed.weights() == weighting.weights()


@pytest.mark.parametrize("name", NETWORKS)
def test_adamt_finds_its_layers_in_every_network(name: str) -> None:
    network = NETWORKS[name](SIX[:3], width=0.0625)
    WEIGHTINGS["adamt"](NAMES).watch(network, network.shared_parameters())
    for task in NAMES:
        layer = network.first_layer(task)
        assert layer is not None
        assert task in next(n for n, m in network.named_modules() if m is layer).split(".")


@pytest.mark.parametrize("name", ["dwa", "rlw", "adaptive-variance", "gradnorm"])
def test_goes_on_as_if_it_had_never_stopped(name: str) -> None:
    def steps(weighting: Weighting, network: Shared, count: int) -> list[dict[str, float]]:
        groups = [{"params": [network.layer]}]
        groups += [{"params": g.parameters} for g in weighting.parameter_groups()]
        optimizer = torch.optim.SGD(groups, lr=1e-2)
        seen = []
        for i in range(count):
            torch.manual_seed(i)
            run(weighting, network.losses(), [network.layer])
            optimizer.step()
            optimizer.zero_grad()
            end(weighting, [loss.item() for loss in network.losses().values()])
            seen.append(weighting.weights())
        return seen

    network, weighting = Shared(), WEIGHTINGS[name](NAMES)
    steps(weighting, network, 3)
    resumed, moved = WEIGHTINGS[name](NAMES), copy.deepcopy(network)
    resumed.load_state_dict(weighting.state_dict())
    assert resumed.weights() == weighting.weights()
    assert steps(resumed, moved, 3) == steps(weighting, network, 3)
