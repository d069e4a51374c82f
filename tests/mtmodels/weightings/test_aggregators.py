"""Aggregators do what their papers say, to the gradients of what the tasks share."""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mtmodels.methods.terms import Terms
from mtmodels.weightings import WEIGHTINGS
from mtmodels.weightings.aggregation import AggregatorWeighting

NAMES = ("semantic", "depth", "normals")
AGGREGATORS = [n for n in WEIGHTINGS if issubclass(WEIGHTINGS[n], AggregatorWeighting)]
WITH_FACTORS = [n for n in AGGREGATORS if getattr(WEIGHTINGS[n], "factors")]  # noqa: B009
SOLVERS = {"cagrad": "cvxpy", "nash-mtl": "ecos"}


def need(name: str) -> None:
    if name in SOLVERS:
        pytest.importorskip(SOLVERS[name], reason="the extra `solvers` is not installed")


each = pytest.mark.parametrize("name", AGGREGATORS)
each_with_factors = pytest.mark.parametrize("name", WITH_FACTORS)


class Net(nn.Module):
    """Two shared layers, a head a task, and losses that pull in different directions."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 4)
        self.heads = nn.ModuleDict({name: nn.Linear(4, 1) for name in NAMES})
        self.x = torch.randn(5, 6)
        self.aim = {name: torch.randn(5, 1) * 3 for name in NAMES}
        self.double()
        self.x = self.x.double()

    def shared_parameters(self) -> list[nn.Parameter]:
        return list(self.last.parameters())

    def shared(self) -> list[nn.Parameter]:
        return [*self.first.parameters(), *self.last.parameters()]

    def forward(self) -> dict[str, Tensor]:
        z = self.last(self.first(self.x).tanh())
        return {n: ((self.heads[n](z.tanh()) - a) ** 2).mean() for n, a in self.aim.items()}


def jacobian(net: Net, where: list[nn.Parameter], names: tuple[str, ...] = NAMES) -> Tensor:
    """Gradients of the tasks, one row each."""
    rows = []
    for name in names:
        net.zero_grad()
        net()[name].backward()
        rows.append(torch.cat([torch.zeros(0).double(), *(flat(p) for p in where)]))
    net.zero_grad()
    return torch.stack(rows)


def flat(p: nn.Parameter) -> Tensor:
    return torch.zeros(p.numel()).double() if p.grad is None else p.grad.flatten().clone()


def gradient(net: Net, where: list[nn.Parameter]) -> Tensor:
    return torch.cat([flat(p) for p in where])


def step(weighting: Any, net: Net, names: tuple[str, ...] = NAMES, **auxiliary: Any) -> Tensor:
    net.zero_grad()
    terms = net()
    torch.manual_seed(1)
    extra = {key: make(net) for key, make in auxiliary.items()}
    total: Tensor = weighting.backward(
        Terms({n: terms[n] for n in names}, extra), net.shared_parameters(), torch.Tensor.backward
    )
    return total


def assert_close(found: Tensor, expected: Tensor) -> None:
    difference = (found - expected).abs().max()
    assert difference <= 1e-6 * expected.abs().max(), difference


def make(name: str, **options: Any) -> AggregatorWeighting:
    need(name)
    made = WEIGHTINGS[name](NAMES, **options)
    assert isinstance(made, AggregatorWeighting)
    return made


@each
def test_heads_get_their_own_gradient(name: str) -> None:
    net, weighting = Net(), make(name)
    expected = {n: jacobian(net, list(net.heads[n].parameters()), (n,))[0] for n in NAMES}
    total = step(weighting, net)
    assert total.item() == pytest.approx(sum(loss.item() for loss in net().values()))
    for n in NAMES:
        found = gradient(net, list(net.heads[n].parameters()))
        assert torch.allclose(found, expected[n], rtol=1e-6)


@each_with_factors
def test_what_is_shared_gets_the_sum_with_the_factors_of_the_log(name: str) -> None:
    net, weighting = Net(), make(name)
    rows = jacobian(net, net.shared())
    step(weighting, net)
    factors = torch.tensor([weighting.weights()[n] for n in NAMES]).double()
    assert_close(gradient(net, net.shared()), factors @ rows)


@each
def test_short_gradients_are_combined_as_long_ones(name: str) -> None:
    """Those on maps are short: a mean over pixels is a small part of each."""
    net, found = Net(), []
    for factor in (1.0, 1e-4):
        torch.manual_seed(1)
        losses = {n: factor * loss for n, loss in net().items()}
        net.zero_grad()
        make(name).backward(Terms(losses), net.shared_parameters(), torch.Tensor.backward)
        found.append(gradient(net, net.shared()))
    assert found[1].norm() > 0
    assert_close(found[1] / found[1].norm(), found[0] / found[0].norm())


@each_with_factors
@pytest.mark.parametrize("gradients", ["last", "features"])
def test_a_factor_scales_the_whole_loss(name: str, gradients: str) -> None:
    net, weighting = Net(), make(name, gradients=gradients)
    weighting.watch(net, net.shared_parameters())
    rows = jacobian(net, list(net.parameters()))
    step(weighting, net)
    factors = torch.tensor([weighting.weights()[n] for n in NAMES]).double()
    assert_close(gradient(net, list(net.parameters())), factors @ rows)


@pytest.mark.parametrize("gradients", ["last", "features"])
def test_where_gradients_are_compared(gradients: str) -> None:
    net, weighting = Net(), make("imtl-g", gradients=gradients)
    weighting.watch(net, net.shared_parameters())
    if gradients == "last":
        rows = jacobian(net, net.shared_parameters())
    else:
        z: Tensor = net.last(net.first(net.x).tanh()).detach().requires_grad_()
        heads = [(net.get_submodule(f"heads.{n}"), net.aim[n]) for n in NAMES]
        values = [(head(z.tanh()) - aim).square().mean() for head, aim in heads]
        rows = torch.stack([torch.autograd.grad(v, z)[0].flatten() for v in values])
    step(weighting, net)
    factors = torch.tensor([weighting.weights()[n] for n in NAMES]).double()
    shadows = (factors @ rows) @ (rows / rows.norm(dim=1, keepdim=True)).T
    assert torch.allclose(shadows, shadows[0].expand(3), rtol=1e-4)


@each
def test_one_task_gets_its_gradient(name: str) -> None:
    net, weighting = Net(), make(name)
    expected = jacobian(net, list(net.parameters()), ("depth",))[0]
    step(weighting, net, ("depth",))
    assert torch.allclose(gradient(net, list(net.parameters())), expected)


def silenced(terms: dict[str, Tensor], silent: tuple[str, ...]) -> dict[str, Tensor]:
    """The same losses, some of which have a gradient of 0 on all that they reach."""
    return {name: loss * 0 if name in silent else loss for name, loss in terms.items()}


PLACES = [(n, p) for n in AGGREGATORS for p in ("shared", "last", "features")
          if p == "shared" or n in WITH_FACTORS]  # fmt: skip


@pytest.mark.parametrize(("name", "place"), PLACES)
@pytest.mark.parametrize("silent", [NAMES[:1], NAMES[1:2], NAMES[:2], NAMES])
def test_a_gradient_of_zero_is_that_of_a_task_without_labels(
    name: str, place: str, silent: tuple[str, ...]
) -> None:
    found = {}
    for absent in (False, True):
        net, weighting = Net(), make(name, gradients=place)
        weighting.watch(net, net.shared_parameters())
        step(weighting, net)  # the factors that a task without labels keeps
        net.zero_grad()
        terms = silenced(net(), silent)
        shown = {n: loss for n, loss in terms.items() if not (absent and n in silent)}
        torch.manual_seed(2)
        weighting.backward(Terms(shown), net.shared_parameters(), torch.Tensor.backward)
        found[absent] = gradient(net, list(net.parameters())), weighting.weights()
    assert torch.allclose(found[False][0], found[True][0], rtol=1e-6, atol=1e-12)
    assert found[False][1] == pytest.approx(found[True][1], rel=1e-6)
    assert found[False][0].any() == (silent != NAMES)


@each
def test_a_gradient_of_zero_on_what_is_shared_leaves_a_task_its_own(name: str) -> None:
    """A head of zeros, as some begin: it learns, and says nothing to the layers before it."""
    net, weighting = Net(), make(name)
    nn.init.zeros_(net.get_parameter("heads.depth.weight"))
    expected = jacobian(net, list(net.heads["depth"].parameters()), ("depth",))[0]
    step(weighting, net)
    assert expected.any()
    assert torch.allclose(gradient(net, list(net.heads["depth"].parameters())), expected)
    assert gradient(net, net.shared()).any()


@each
def test_auxiliary_terms_are_added_as_they_are(name: str) -> None:
    net, weighting = Net(), make(name)
    where = list(net.parameters())

    def consistency(net: Net) -> Tensor:
        return (net.first.weight**2).sum() + net.get_parameter("heads.depth.weight").sum()

    net.zero_grad()
    consistency(net).backward()
    extra = gradient(net, where)
    step(weighting, net)
    plain = gradient(net, where)
    step(make(name), net, consistency=consistency)
    assert torch.allclose(gradient(net, where), plain + extra, rtol=1e-6, atol=1e-9)


def aggregated(name: str, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """The rows that the tasks gave on the shared parameters, and what was made of them."""
    net, weighting = Net(), make(name, **options)
    rows = jacobian(net, net.shared())
    step(weighting, net)
    return rows.numpy(), gradient(net, net.shared()).numpy()


def simplex(steps: int) -> np.ndarray:
    pairs = itertools.product(range(steps + 1), repeat=2)
    return np.array([(a, b, steps - a - b) for a, b in pairs if a + b <= steps]) / steps


def in_dual_cone(rows: np.ndarray, vector: np.ndarray) -> bool:
    return bool((rows @ vector > -1e-6 * np.linalg.norm(rows, axis=1)).all())


def project(rows: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """The nearest vector that goes against no row: every set of rows held at 0 is tried."""
    best, found = np.inf, vector
    for count in range(len(rows) + 1):
        for held in itertools.combinations(rows, count):
            basis = np.linalg.qr(np.array(held).T)[0] if held else np.zeros((len(vector), 0))
            candidate = vector - basis @ (basis.T @ vector)
            distance = float(np.linalg.norm(candidate - vector))
            if in_dual_cone(rows, candidate) and distance < best:
                best, found = distance, candidate
    return found


def test_tasks_of_these_tests_conflict() -> None:
    net = Net()
    rows = jacobian(net, net.shared()).numpy()
    assert (rows @ rows.T < 0).any()


def test_mgda_is_the_shortest_average() -> None:
    rows, found = aggregated("mgda", epsilon=1e-9, iterations=10_000)
    averages = simplex(200) @ rows
    shortest = np.linalg.norm(averages, axis=1).min()
    assert np.linalg.norm(found) <= shortest * 1.001


def test_mgda_searches_as_far_as_the_code_that_its_recipe_cites() -> None:
    weighting = make("mgda")
    expected = {"gradients": "shared", "epsilon": 1e-5, "iterations": 250}
    assert weighting.options.model_dump() == expected
    assert weighting.arguments(3) == {"epsilon": 1e-5, "max_iters": 250}


def test_pcgrad_projects_in_random_order() -> None:
    rows, found = aggregated("pcgrad")
    results = []
    orders = list(itertools.permutations(range(3)))
    for chosen in itertools.product(orders, repeat=3):
        total = np.zeros_like(rows[0])
        for i, order in enumerate(chosen):
            g = rows[i].copy()
            for j in order:
                if j != i and g @ rows[j] < 0:
                    g -= (g @ rows[j]) / (rows[j] @ rows[j]) * rows[j]
            total += g
        results.append(total)
    assert any(np.allclose(found, r, rtol=1e-5) for r in results)


def test_upgrad_is_the_mean_of_projections() -> None:
    rows, found = aggregated("upgrad")
    assert np.allclose(found, np.mean([project(rows, g) for g in rows], axis=0), rtol=1e-4)


def test_dualproj_is_the_projection_of_the_mean() -> None:
    rows, found = aggregated("dualproj")
    assert np.allclose(found, project(rows, rows.mean(0)), rtol=1e-4)


def test_imtl_g_has_equal_shadows() -> None:
    rows, found = aggregated("imtl-g")
    shadows = rows @ found / np.linalg.norm(rows, axis=1)
    assert np.allclose(shadows, shadows[0], rtol=1e-4)


def test_config_has_equal_angles() -> None:
    rows, found = aggregated("config")
    cosines = rows @ found / np.linalg.norm(rows, axis=1)
    assert np.allclose(cosines, cosines[0], rtol=1e-4)
    assert cosines[0] > 0


def test_aligned_mtl_gives_principal_parts_one_length() -> None:
    rows, found = aggregated("aligned-mtl")
    values, vectors = np.linalg.eigh(rows @ rows.T)
    factors = np.sqrt(values.min()) * (vectors @ np.diag(values**-0.5) @ vectors.T).mean(0)
    assert np.allclose(found, factors @ rows, rtol=1e-3)


def test_graddrop_keeps_one_sign_a_place() -> None:
    rows, found = aggregated("graddrop")
    positive, negative = np.clip(rows, 0, None).sum(0), np.clip(rows, None, 0).sum(0)
    near = np.isclose(found, positive, rtol=1e-4) | np.isclose(found, negative, rtol=1e-4)
    assert near.all()


def test_fairgrad_with_alpha_one_balances_products() -> None:
    rows, found = aggregated("fairgrad", alpha=1.0)
    factors = np.linalg.lstsq(rows.T, found, rcond=None)[0]
    assert np.allclose(rows @ found * factors, 1, rtol=1e-2)


def test_nash_mtl_bargains() -> None:
    rows, found = aggregated("nash-mtl", longest=0.0)
    factors = np.linalg.lstsq(rows.T, found, rcond=None)[0]
    products = rows @ found * factors
    assert np.allclose(products / products.mean(), 1, atol=0.1)


def test_cagrad_stays_near_the_mean_and_helps_the_worst() -> None:
    rows, found = aggregated("cagrad", c=0.4)
    mean = rows.mean(0)
    assert np.linalg.norm(found - mean) <= 0.4 * np.linalg.norm(mean) * 1.01
    assert (rows @ found).min() >= (rows @ mean).min()


def test_gradvac_raises_cosines_to_those_it_aims_at() -> None:
    # At first it aims at 0: what conflicts is turned until it is orthogonal, as in PCGrad.
    net, weighting = Net(), make("gradvac", beta=0.0)
    rows = jacobian(net, net.shared()).numpy()
    step(weighting, net)
    found = gradient(net, net.shared()).numpy()
    assert (rows @ found).min() > (rows @ rows.sum(0)).min()


def train(weighting: AggregatorWeighting, net: Net, first: int, last: int) -> list[Tensor]:
    seen = []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    shown: list[tuple[str, ...]] = [NAMES, NAMES[:2], NAMES, NAMES[1:], NAMES, NAMES[:1]]
    for i in range(first, last):
        net.zero_grad()
        terms = net()
        torch.manual_seed(i)
        present = {n: terms[n] for n in shown[i % len(shown)]}
        weighting.backward(Terms(present), net.shared_parameters(), torch.Tensor.backward)
        optimizer.step()
        seen.append(gradient(net, list(net.parameters())))
    return seen


@each
def test_goes_on_as_if_it_had_never_stopped(name: str) -> None:
    net, weighting = Net(), make(name)
    train(weighting, net, 0, 6)
    resumed, moved = make(name), copy.deepcopy(net)
    resumed.load_state_dict(weighting.state_dict())
    assert resumed.weights() == weighting.weights()
    expected, found = train(weighting, net, 6, 12), train(resumed, moved, 6, 12)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


@each
def test_its_state_is_tensors_and_plain_values(name: str, tmp_path: Any) -> None:
    weighting = make(name)
    train(weighting, Net(), 0, 4)
    torch.save(weighting.state_dict(), tmp_path / "state.pt")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    other = make(name)
    other.load_state_dict(state)
    assert other.weights() == weighting.weights()


@pytest.mark.parametrize("name", ["gradvac", "nash-mtl"])
def test_an_absent_task_leaves_what_is_remembered_alone(name: str) -> None:
    net, weighting = Net(), make(name)
    step(weighting, net)
    before = copy.deepcopy(weighting.get_extra_state()["memory"])
    step(weighting, net, NAMES[:2])
    after = weighting.get_extra_state()["memory"]
    assert str(after[0]) == str(before[0])
    assert [tasks for tasks, _ in after] == [list(NAMES), list(NAMES[:2])]


@pytest.mark.parametrize("name", sorted(set(AGGREGATORS) - set(WITH_FACTORS)))
def test_refuses_factors_where_there_are_none(name: str) -> None:
    with pytest.raises(ValueError, match=r"`gradients` should be shared.*found last"):
        make(name, gradients="last")


@pytest.mark.parametrize("name", SOLVERS)
def test_a_missing_solver_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import torchjd._mixins

    find: Callable[[str], Any] = lambda name: None  # noqa: E731
    monkeypatch.setattr(torchjd._mixins, "find_spec", find)
    with pytest.raises(ValueError, match=r"pip install 'mtpartial\[solvers\]'"):
        WEIGHTINGS[name](NAMES)
