"""`xtc` and `align`: what is compared with what, and where gradients flow."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mtdata.reading.batch import Batch
from mtdata.tasks.task import Task
from mtmodels.methods import METHODS
from mtmodels.methods.parts.transfer import TransferMethod
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from mtmodels.networks.auxiliary.transfer_network import TransferNetwork
from mtmodels.networks.base import Output
from mtmodels.weightings.uncertainty import Uncertainty
from tests.runs.batches import PAIR, SIX, random_batch
from tests.runs.golden import XTasCGolden

THREE = SIX[:3]
both = pytest.mark.parametrize("name", ["xtc", "align"])


def make(name: str, tasks: Sequence[Task] = THREE, **options: Any) -> TransferMethod:
    torch.manual_seed(0)
    options = {"transfer_width": 0.125, **options}
    method = METHODS[name](NETWORKS["unet-resnet18"](tasks, width=0.125), **options)
    assert isinstance(method, TransferMethod)
    return method.eval()


def step(method: TransferMethod, batch: Batch) -> Terms:
    terms: Terms = method(Views(batch), progress=0.5, rng=torch.Generator())
    return terms


@both
def test_one_task_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"should predict 2 or more tasks.*found 1"):
        make(name, SIX[:1])


@both
def test_one_transfer_network_an_ordered_pair(name: str) -> None:
    assert list(make(name).transfers) == [
        "semantic_to_depth",
        "semantic_to_normals",
        "depth_to_semantic",
        "depth_to_normals",
        "normals_to_semantic",
        "normals_to_depth",
    ]


@both
@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0, {"semantic": 0.5, "normals": 0.1}])
def test_equation_11(name: str, weight: float | Mapping[str, float]) -> None:
    terms = step(make(name, consistency_weight=weight), random_batch(THREE))
    lambdas = weight if isinstance(weight, Mapping) else dict.fromkeys(terms.tasks, weight)
    for t in terms.tasks:
        share = lambdas.get(t, 1e-4)
        pairs = [terms.parts[f"{t}/to_{s.name}"].item() for s in THREE if s.name != t]
        expected = (1 - share) * terms.parts[f"{t}/direct"].item() + share * sum(pairs) / 2
        assert terms.tasks[t].item() == pytest.approx(expected, rel=1e-5)


@both
@pytest.mark.parametrize("weight", [-0.1, 1.5, {"depth": 2.0}])
def test_refuses_lambda_out_of_range(name: str, weight: float | Mapping[str, float]) -> None:
    with pytest.raises(ValueError, match=r"`lambda` should be in \[0, 1\] or a mapping, each"):
        make(name, consistency_weight=weight)


@both
@pytest.mark.parametrize(("network", "channels"), [("xtasc-resnet18", 32), ("unet-resnet18", 8)])
def test_transfer_networks_have_the_width_of_the_network(
    name: str, network: str, channels: int
) -> None:
    method = METHODS[name](NETWORKS[network](PAIR, width=0.5))
    first = next(m for m in method.modules() if isinstance(m, TransferNetwork))
    assert first.head.in_channels == channels


@both
def test_refuses_transfer_width(name: str) -> None:
    with pytest.raises(
        ValueError, match=r"`transfer_width` should be in \(0, 100\] or null; found 0"
    ):
        make(name, transfer_width=0.0)


def test_refuses_unknown_target() -> None:
    with pytest.raises(ValueError, match=r"no target `softer`. Did you mean `soft`"):
        make("xtc", target="softer")


def test_consistency_does_not_flow_into_its_target() -> None:
    method = make("xtc", PAIR, consistency_weight={"semantic": 1.0, "depth": 0.0})
    step(method, random_batch(PAIR)).tasks["semantic"].backward()
    heads = method.network.get_submodule("heads")
    assert all(p.grad is None for p in heads.get_submodule("depth").parameters())
    for part in (heads.get_submodule("semantic"), method.transfers["semantic_to_depth"]):
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in part.parameters())


def test_consistency_needs_no_label() -> None:
    method = make("xtc", consistency_weight=0.5)
    batch = random_batch(THREE, 3, rows={"depth": [1]})
    terms = step(method, batch)
    assert list(terms.tasks) == ["depth"]
    assert list(terms.auxiliary) == ["semantic/consistency", "normals/consistency"]
    pairs = [terms.parts[f"semantic/to_{s}"].item() for s in ("depth", "normals")]
    assert terms.auxiliary["semantic/consistency"].item() == pytest.approx(sum(pairs) / 4)


def test_unlabelled_images_take_part_in_consistency() -> None:
    method = make("xtc")
    few = step(method, random_batch(THREE, 3, rows={"semantic": [0], "depth": [1]}))
    none = step(method, random_batch(THREE, 3, rows={}))
    assert torch.equal(few.parts["depth/to_semantic"], none.parts["depth/to_semantic"])


def test_depth_is_compared_where_it_may_be_right() -> None:
    method = make("xtc", PAIR)
    batch = random_batch(PAIR, 2, rows={"depth": [1]})
    predictions = method.network(batch.image).predictions
    error = method.transfer("semantic", "depth", predictions) - predictions["depth"]
    everywhere = error[0].abs().mean()
    valid = error[1, 0][batch.valid["depth"][0]].abs().mean()
    value = step(method, batch).parts["semantic/to_depth"]
    assert value.item() == pytest.approx(((everywhere + valid) / 2).item(), rel=1e-5)


def test_hard_and_soft_targets() -> None:
    batch = random_batch(PAIR)
    soft, hard = make("xtc", PAIR), make("xtc", PAIR, target="hard")
    predictions = soft.network(batch.image).predictions
    likely = soft.transfer("depth", "semantic", predictions).log_softmax(1)
    weight = predictions["semantic"].softmax(1)
    expected = -(weight * likely).sum(1).mean()
    assert step(soft, batch).parts["depth/to_semantic"].item() == pytest.approx(expected.item())
    winner = predictions["semantic"].argmax(1, keepdim=True)
    expected = -likely.gather(1, winner).mean()
    assert step(hard, batch).parts["depth/to_semantic"].item() == pytest.approx(expected.item())


def test_alignment_needs_both_labels() -> None:
    method = make("align", consistency_weight=0.5)
    rows = {"semantic": [0, 1], "depth": [1, 2], "normals": [0]}
    batch = random_batch(THREE, 3, rows=rows)
    parts = step(method, batch).parts
    assert {key for key in parts if "/to_" in key} == {
        "semantic/to_depth",
        "depth/to_semantic",
        "semantic/to_normals",
        "normals/to_semantic",
    }
    transferred = method.transfer("semantic", "depth", method.network(batch.image).predictions)
    error = (transferred[1, 0] - batch.labels["depth"][0, 0])[batch.valid["depth"][0]].abs().mean()
    assert parts["semantic/to_depth"].item() == pytest.approx(error.item() / 3, rel=1e-5)


def test_alignment_under_one_label_is_supervision() -> None:
    method = make("align", consistency_weight=0.5)
    terms = step(method, random_batch(THREE, 3, rows={"semantic": [0], "depth": [1, 2]}))
    assert list(terms.tasks) == ["semantic", "depth"]
    assert not terms.auxiliary
    for task, value in terms.tasks.items():
        assert value.item() == pytest.approx(0.5 * terms.parts[f"{task}/direct"].item())


@pytest.mark.real
@pytest.mark.parametrize(("name", "prefix"), [("xtc", "xtasc"), ("align", "align")])
def test_golden_losses(
    shared: Path, monkeypatch: pytest.MonkeyPatch, name: str, prefix: str
) -> None:
    golden = XTasCGolden(shared / "golden")
    method = golden.method(name, **({"target": "hard"} if name == "xtc" else {}))
    output = Output(golden.predictions, golden.image)
    monkeypatch.setattr(method.network, "forward", lambda _: output)
    monkeypatch.setattr(method, "transfer", lambda s, t, _: golden.transferred[s, t])
    terms = step(method, golden.batch)
    weighting = Uncertainty(["semantic", "depth"]).double()
    with torch.no_grad():
        for task, s in weighting.log_variance.items():
            s.copy_(golden.losses[f"log_variance_{task}"])
    scaled = dict(zip(terms.tasks, weighting.scale(terms.tasks), strict=True))
    for task in ("semantic", "depth"):
        assert_close(terms.tasks[task], golden.losses[f"{prefix}_equal_{task}_term"])
        assert_close(scaled[task], golden.losses[f"{prefix}_uncert_{task}_term"])


def assert_close(value: Tensor, expected: Tensor) -> None:
    assert value.item() == pytest.approx(expected.item(), rel=1e-9, abs=0)


@both
def test_both_images_of_a_pair_count_once(name: str) -> None:
    method = make(name, PAIR, consistency_weight=0.5)
    batch = random_batch(PAIR)
    order = torch.tensor([1, 0])
    turned = replace(
        batch,
        labels={k: v[order] for k, v in batch.labels.items()},
        valid={k: v[order] for k, v in batch.valid.items()},
        rows={k: v[order] for k, v in batch.rows.items()},
    )
    first, second = step(method, batch), step(method, turned)
    for task in first.tasks:
        assert first.tasks[task].item() == pytest.approx(second.tasks[task].item(), rel=1e-6)
