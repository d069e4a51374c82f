"""Perceptual maps: who learns from what."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from mtmodels.losses import soft_cross_entropy
from mtmodels.methods.direct_map import DirectMap
from mtmodels.methods.perceptual_map import PerceptualMap
from mtmodels.methods.terms import Terms
from mtmodels.networks import NETWORKS
from tests.mtmodels.methods.looks import Look, look_at, own_terms
from tests.runs.batches import SIX

THREE = SIX[:3]
FOUR = (*THREE, SIX[4])
"""One task of every kind."""


def make(tasks: Any = THREE, **options: Any) -> PerceptualMap:
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](tasks, width=0.125)
    return PerceptualMap(network, mapping_width=0.03125, **options)


def extra(method: PerceptualMap, look: Look, progress: float = 1.0) -> Terms:
    return own_terms(method, look, progress=progress)


def gradients(method: PerceptualMap) -> set[str]:
    return {n.split(".")[0] for n, p in method.mappings.named_parameters() if p.grad is not None}


def reached(look: Look) -> dict[str, list[int]]:
    """The images whose prediction of a task has a gradient."""
    return {
        name: (p.grad.flatten(1).abs().sum(1) > 0).nonzero()[:, 0].tolist()
        for name, p in look.last.items()
        if p.grad is not None
    }


def test_agreement_is_what_a_loop_gives() -> None:
    """Depth as semantics, for two images that show depth: one pass each, in evaluation."""
    method = make(SIX[:2], consistency_weight=2.0).eval()
    look = look_at(method.network, {"depth": [1, 3], "semantic": [0]})
    mapping, values = method.mappings["depth_to_semantic"], []
    for row, image in enumerate([1, 3]):
        valid = look.batch.valid["depth"][[row]]
        seen = [look.last["depth"][[image]], look.batch.labels["depth"][[row]]]
        shown = [depth * valid[:, None] for depth in seen]
        one, other = (mapping(depth / depth.abs().max()) for depth in shown)
        values.append(soft_cross_entropy(one, other, valid)[valid].mean().item())
    result = extra(method, look)
    assert result.parts["consistency/depth_to_semantic"].item() == pytest.approx(
        sum(values) / 2, rel=1e-4
    )
    to_depth = result.parts["consistency/semantic_to_depth"].item()
    expected = 2 * (sum(values) + to_depth) / 4
    assert result.auxiliary["consistency"].item() == pytest.approx(expected, rel=1e-4)


def test_the_mapping_learns_as_in_direct_map() -> None:
    method = make().eval()
    torch.manual_seed(0)
    direct = DirectMap(method.network, mapping_width=0.03125).eval()
    direct.load_state_dict(method.state_dict())
    look = look_at(method.network)
    expected = own_terms(direct, look)
    result = extra(method, look)
    assert result.auxiliary["mapping"].item() == pytest.approx(
        expected.auxiliary["consistency"].item()
    )
    mine = {k: v for k, v in result.parts.items() if k.startswith("mapping/")}
    assert mine.keys() == {k.replace("consistency", "mapping") for k in expected.parts}


def test_the_mapping_alone_learns_to_map() -> None:
    method = make()
    look = look_at(method.network, {"semantic": [0], "depth": [1]})
    extra(method, look).auxiliary["mapping"].backward()
    assert not reached(look)
    assert gradients(method) == {
        "depth_to_semantic",
        "normals_to_semantic",
        "semantic_to_depth",
        "normals_to_depth",
    }


@pytest.mark.parametrize("distance", ["loss", "cosine"])
def test_the_predictions_of_labelled_tasks_alone_learn_to_agree(distance: str) -> None:
    method = make(distance=distance)
    look = look_at(method.network, {"semantic": [0], "depth": [1, 2]})
    extra(method, look).auxiliary["consistency"].backward()
    assert reached(look) == {"semantic": [0], "depth": [1, 2]}
    assert not gradients(method)
    assert look.features.grad is None


def test_void_pixels_of_the_source_do_not_matter() -> None:
    method = make(SIX[:2])
    look = look_at(method.network, {"semantic": [0], "depth": [1, 2]})
    extra(method, look).auxiliary["consistency"].backward()
    for name, images in (("semantic", [0]), ("depth", [1, 2])):
        gradient = look.last[name].grad
        assert gradient is not None
        void = ~look.batch.valid[name]
        assert (gradient[images].abs().sum(1)[void] == 0).all()
        assert gradient[images].abs().sum() > 0


def test_a_right_prediction_is_right_after_the_map() -> None:
    """Distances that are 0 where both agree: normals as depth, depth as normals."""
    method = make(SIX[1:3])
    look = look_at(method.network, {"depth": [0, 1], "normals": [2, 3]})
    right = {name: p.detach().clone() for name, p in look.last.items()}
    for name, label in look.batch.labels.items():
        right[name][look.batch.rows[name]] = label
    parts = extra(method, Look(look.views, [replace(look.outputs[0], predictions=right)])).parts
    assert parts["consistency/normals_to_depth"].item() == pytest.approx(0, abs=1e-6)
    assert parts["consistency/depth_to_normals"].item() == pytest.approx(0, abs=1e-6)
    assert extra(method, look).parts["consistency/normals_to_depth"].item() > 1e-3


def test_the_ramp_leaves_the_mapping_alone() -> None:
    method = make(ramp_up=0.5).eval()
    look = look_at(method.network)
    early, late = (extra(method, look, progress).auxiliary for progress in (0.0, 1.0))
    assert early["consistency"].item() == 0
    assert late["consistency"].item() > 0
    assert early["mapping"].item() == pytest.approx(late["mapping"].item())


def test_images_that_show_everything_map_every_task() -> None:
    method = make()
    rows = {task.name: [0, 1] for task in THREE}
    parts = extra(method, look_at(method.network, rows, images=2)).parts
    assert sum(name.startswith("mapping/") for name in parts) == 6
    assert sum(name.startswith("consistency/") for name in parts) == 6


def test_no_label_is_no_term() -> None:
    method = make()
    assert extra(method, look_at(method.network, {})) == Terms()


@pytest.mark.parametrize("distance", ["loss", "cosine"])
def test_every_kind_is_compared(distance: str) -> None:
    method = make(FOUR, distance=distance)
    look = look_at(method.network, {task.name: [0] for task in FOUR}, images=1)
    result = extra(method, look)
    result.auxiliary["consistency"].backward()
    assert reached(look) == {task.name: [0] for task in FOUR}
    assert all(p.grad is not None and p.grad.isfinite().all() for p in look.last.values())
