"""Crop consistency against a slow reference."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from mtdata.reading.geometry import Crop
from mtdata.reading.geometry.device import apply
from mtdata.tasks.task import Task
from mtmodels.kinds import kind_model
from mtmodels.methods.ssl import SSL
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.networks import NETWORKS
from mtmodels.networks.base import Output
from tests.mtmodels.methods.looks import second_view
from tests.runs.batches import SIX, random_batch

ROWS = {"semantic": [0, 2], "depth": [1], "normals": [1], "parts": [2], "saliency": [0]}
CROPS = [Crop(1.2, 0.3, 0.7), Crop(1.2, 0.6, 0.2), Crop(1.5, 0.9, 0.1)]


def make(**options: Any) -> SSL:
    torch.manual_seed(0)
    return SSL(NETWORKS["unet-resnet18"](SIX, width=0.125), **options).double()


def views() -> Views:
    batch = random_batch(SIX, 3, rows=ROWS)
    return second_view(replace(batch, image=batch.image.double()), SIX, [CROPS])


def step(method: SSL, of: Views, progress: float = 1.0) -> Terms:
    terms: Terms = method(of, progress=progress, rng=torch.Generator())
    return terms


def squared(_: str, second: Tensor, target: Tensor) -> float:
    return (target - second).square().mean().item()


def by_kind(kind: str, second: Tensor, target: Tensor) -> float:
    """The loss of the kind, of values pixel by pixel: what labels would say, were they soft."""
    total, pixels = 0.0, target[0, 0].numel()
    for p, q in zip(target[0].flatten(1).T.tolist(), second[0].flatten(1).T.tolist(), strict=True):
        if kind == "classes":
            total -= sum(a * math.log(b) for a, b in zip(p, q, strict=True))
        elif kind == "binary":
            total -= p[0] * math.log(q[0]) + (1 - p[0]) * math.log(1 - q[0])
        elif kind == "depth":
            total += abs(p[0] - q[0])
        else:
            total += 1 - sum(a * b for a, b in zip(p, q, strict=True))
    return total / pixels


DISTANCES = {"squared": squared, "loss": by_kind}


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("task", SIX, ids=lambda task: task.name)
def test_equals_the_loop(task: Task, distance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method, of = make(ssl_weight=0.7, distance=distance), views()
    with torch.no_grad():
        outputs: Output = method.network(of.all.image)
    monkeypatch.setattr(method.network, "forward", lambda _: outputs)
    found = step(method, of).auxiliary
    k = SIX.index(task)
    name, row, kind = SIX[k].name, kind_model(SIX[k]), SIX[k].kind
    total = 0.0
    for image in range(3):
        hidden = [t.name for t in SIX if image not in ROWS.get(t.name, [])]
        if name not in hidden:
            continue
        whole = row.as_value(outputs.predictions[name][image : image + 1])
        cropped, _ = apply(whole, [CROPS[image]], kind=kind, prediction=True)
        second = row.as_value(outputs.predictions[name][3 + image : 4 + image])
        total += DISTANCES[distance](kind.name, second, cropped) / len(hidden)
    assert found[f"{name}/crops"].item() == pytest.approx(0.7 * total / 3, rel=1e-9)


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_whole_image_is_the_target(distance: str, monkeypatch: pytest.MonkeyPatch) -> None:
    method, of = make(distance=distance), views()
    with torch.no_grad():
        output = method.network(of.all.image)
    leaves = {name: p.clone().requires_grad_() for name, p in output.predictions.items()}
    monkeypatch.setattr(method.network, "forward", lambda _: Output(leaves, output.features))
    torch.stack([*step(method, of).auxiliary.values()]).sum().backward()
    for name, leaf in leaves.items():
        assert leaf.grad is not None
        assert (leaf.grad[:3] == 0).all(), name
        hidden = [i for i in range(3) if i not in ROWS.get(name, [])]
        assert all(leaf.grad[3 + i].abs().sum() > 0 for i in hidden), name


def test_a_network_that_commutes_with_crops_has_nothing_to_learn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method, of = make(), views()
    with torch.no_grad():
        output = method.network(of.all.image)
    same = {}
    for task in SIX:
        flat = output.predictions[task.name].mean((2, 3), keepdim=True).expand(6, -1, 32, 32)
        first = flat[:1].expand(3, -1, -1, -1)
        if task.name == "normals":
            first = torch.nn.functional.normalize(first, dim=1)
        moved, _ = apply(first, CROPS, kind=task.kind, prediction=True)
        same[task.name] = torch.cat([first, moved])
    monkeypatch.setattr(method.network, "forward", lambda _: Output(same, output.features))
    for name, term in step(method, of).auxiliary.items():
        assert term.item() == pytest.approx(0, abs=1e-12), name


def test_ramps_up_and_leaves_labelled_tasks() -> None:
    method = make(ramp_up=0.5)
    batch = random_batch(SIX, 3)
    of = second_view(replace(batch, image=batch.image.double()), SIX, [CROPS])
    assert step(method, of).auxiliary == {}
    partial = views()
    assert all(v == 0 for v in step(method, partial, 0.0).auxiliary.values())
    full, half = (step(method, partial, p).auxiliary["edges/crops"].item() for p in (0.5, 0.25))
    assert half == pytest.approx(full / 2)


def test_refuses() -> None:
    with pytest.raises(ValueError, match="`ssl_weight` should be 0 or more; found -1"):
        make(ssl_weight=-1.0)
    with pytest.raises(ValueError, match="`ramp_up` should be in"):
        make(ramp_up=1.5)
