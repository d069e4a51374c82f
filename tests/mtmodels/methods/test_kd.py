"""Distillation: what is compared with what, and who learns."""

import math

import pytest
import torch
from torch import Tensor

from mtmodels.methods import METHODS
from mtmodels.methods.kd import KD, unit_distance
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from tests.mtmodels.methods.making import make_method, options_for
from tests.runs.batches import PAIR, SIX, generator, random_batch

THREE = SIX[:3]


def make(**options: object) -> KD:
    method = make_method("kd", THREE, **options)
    assert isinstance(method, KD)
    return method


def step(method: KD, views: Views) -> Terms:
    terms: Terms = method(views, progress=0.5, rng=generator(0))
    return terms


def slow_distance(own: Tensor, taught: Tensor, weight: Tensor) -> float:
    """The released distance of one level, cell by cell."""
    images, _, height, width = own.shape
    total = 0.0
    for n in range(images):
        for y in range(height):
            for x in range(width):
                a = [
                    math.fsum(w * v for w, v in zip(row, own[n, :, y, x].tolist(), strict=True))
                    for row in weight[:, :, 0, 0].tolist()
                ]
                b = taught[n, :, y, x].tolist()
                a, b = (
                    [v / math.sqrt(math.fsum(u * u for u in vector) + 1e-6) for v in vector]
                    for vector in (a, b)
                )
                total += math.fsum((p - q) ** 2 for p, q in zip(a, b, strict=True))
    return total / (images * height * width)


@pytest.mark.parametrize("level", ["features", "decoded"])
def test_distillation_is_what_a_loop_gives(level: str) -> None:
    method = make().eval()
    batch = random_batch(THREE, 2)
    terms = step(method, Views(batch))
    with torch.no_grad():
        own = getattr(method.network(batch.image), level)
        for task, teacher in method.teachers.items():
            weight = method.adapters.get_submodule(f"{task}.{level}").weight
            expected = slow_distance(own, getattr(teacher(batch.image), level), weight)  # type: ignore[arg-type]
            assert terms.parts[f"{task}/{level}"].item() == pytest.approx(expected, rel=1e-4)


def test_the_sum_over_levels_by_task() -> None:
    method = make(distillation_weights={"normals": 2.0, "depth": 0.5}).eval()
    terms = step(method, Views(random_batch(THREE)))
    for task, factor in {"semantic": 1.0, "depth": 0.5, "normals": 2.0}.items():
        both = sum(terms.parts[f"{task}/{level}"].item() for level in ("features", "decoded"))
        assert terms.auxiliary[f"{task}/distillation"].item() == pytest.approx(factor * both)


def test_no_label_is_needed_and_all_views_take_part() -> None:
    method = make().eval()
    first, second = random_batch(THREE, rows={}), random_batch(THREE, rows={}, seed=1)
    alone = [step(method, Views(batch)).auxiliary for batch in (first, second)]
    both = step(method, Views(first, second, steps=[[]])).auxiliary
    for name in ("semantic/distillation", "depth/distillation", "normals/distillation"):
        mean = sum(terms[name].item() for terms in alone) / 2
        assert both[name].item() == pytest.approx(mean, rel=1e-5)


def test_a_network_that_is_its_own_teacher_has_nothing_to_learn() -> None:
    method = make_method("kd", PAIR[:1]).eval()
    method.teachers["semantic"] = method.network
    assert isinstance(method, KD)
    for adapter in method.adapters.get_submodule("semantic").children():
        torch.nn.init.dirac_(adapter.weight)  # type: ignore[arg-type]
    terms = step(method, Views(random_batch(PAIR[:1])))
    assert terms.auxiliary["semantic/distillation"].item() == pytest.approx(0, abs=1e-6)


def test_the_teachers_learn_nothing() -> None:
    method = make()
    before = {n: p.clone() for t in method.teachers.values() for n, p in t.state_dict().items()}
    terms = step(method, Views(random_batch(THREE)))
    torch.stack([*terms.auxiliary.values()]).sum().backward()
    for teacher in method.teachers.values():
        assert all(p.grad is None for p in teacher.parameters())
    after = {n: p for t in method.teachers.values() for n, p in t.state_dict().items()}
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_batch_norm_of_the_teachers_takes_the_batch_if_it_should() -> None:
    batch = random_batch(THREE)
    running, of_batch = (
        step(make(teacher_norm=norm), Views(batch)) for norm in ("running", "batch")
    )
    assert not torch.equal(running.parts["depth/features"], of_batch.parts["depth/features"])
    trained = [
        m.training for t in make(teacher_norm="batch").teachers.values() for m in t.modules()
    ]
    assert any(trained)
    assert not all(trained)  # nothing but the norms, dropout say


@pytest.mark.parametrize("name", NETWORKS)
def test_any_network_has_the_encoder_level(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](PAIR, width=0.0625)
    method = METHODS["kd"](network, **options_for("kd", PAIR))
    for task in PAIR:
        method.teachers[task.name] = NETWORKS[name]([task], width=0.0625).eval()
    method.loaded()
    terms = method(Views(random_batch(PAIR, 2, (64, 64))), progress=0.0, rng=generator(0))
    levels = {part.split("/")[1] for part in terms.parts} - {"direct"}
    assert levels == ({"features", "decoded"} if network.decoded_channels else {"features"})


def test_every_map_that_is_declared_is_given() -> None:
    for name in NETWORKS:
        network = NETWORKS[name](PAIR, width=0.0625).eval()
        decoded = network(torch.rand(1, 3, 64, 64)).decoded
        assert (decoded is None) == (network.decoded_channels == 0), name
        if decoded is not None:
            side = 64 // network.decoded_stride
            assert decoded.shape == (1, network.decoded_channels, side, side), name


@pytest.mark.parametrize("weight", [-1.0, {"depth": float("inf")}])
def test_refuses_weights(weight: object) -> None:
    with pytest.raises(ValueError, match="`distillation_weights` should be 0 or more"):
        make(distillation_weights=weight)


def test_distances_are_in_single_precision_and_finite_at_zero() -> None:
    a = torch.zeros(1, 4, 2, 2, dtype=torch.float16, requires_grad=True)
    distance = unit_distance(a, torch.ones(1, 4, 2, 2, dtype=torch.float16))
    assert distance.dtype == torch.float32
    distance.sum().backward()
    assert a.grad is not None
    assert a.grad.isfinite().all()
