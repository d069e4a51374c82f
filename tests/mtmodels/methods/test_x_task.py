"""Cross-task consistency with frozen mappings: who learns when, and how losses are weighed."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from mtdata.tasks.task import Task
from mtmodels.losses import soft_cross_entropy
from mtmodels.methods.perceptual_map import PerceptualMap
from mtmodels.methods.terms import Terms
from mtmodels.methods.views import Views
from mtmodels.methods.x_task import XTask, against_gradients
from mtmodels.networks import NETWORKS
from tests.runs.batches import SIX, generator, random_batch

THREE = SIX[:3]
FOUR = (*THREE, SIX[4])
SIZE = (32, 64)


def make(tasks: Sequence[Task] = THREE, *, frozen: bool = True, **options: Any) -> XTask:
    torch.manual_seed(0)
    network = NETWORKS["unet-resnet18"](tasks, width=0.125)
    method = XTask(network, mapping_width=0.03125, **options)
    for stage in method.stages() if frozen else ():
        stage.done()
    return method


def views(
    tasks: Sequence[Task] = THREE,
    rows: Mapping[str, Sequence[int]] | None = None,
    images: int = 2,
) -> Views:
    return Views(random_batch(tasks, images, SIZE, rows=rows))


def step(method: XTask, seen: Views, progress: float = 1.0) -> Terms:
    terms: Terms = method(seen, progress=progress, rng=generator(0))
    return terms


def learnt(method: XTask) -> set[str]:
    """The mappings that have a gradient."""
    return {n.split(".")[0] for n, p in method.mappings.named_parameters() if p.grad is not None}


def test_the_stage_is_what_a_loop_gives() -> None:
    """Depth mapped to classes, for the two of four images that show both."""
    method = make(SIX[:2], frozen=False).eval()
    seen = views(SIX[:2], {"depth": [0, 1, 3], "semantic": [1, 2, 3]}, images=4)
    batch, values = seen.main, []
    for image in (1, 3):
        at = {name: batch.rows[name].tolist().index(image) for name in batch.labels}
        label, valid = (of["depth"][[at["depth"]]] for of in (batch.labels, batch.valid))
        depth = label * valid[:, None]
        logits = method.mappings["depth_to_semantic"](depth / depth.max())[0].log_softmax(0)
        there = batch.valid["semantic"][at["semantic"]]
        ids = batch.labels["semantic"][at["semantic"], 0][there].long()
        values.append(-logits[:, there].gather(0, ids[None]).mean().item())
    terms = method.stages()[0].forward(seen, progress=0.0, rng=generator(0))
    part = terms.parts["mapping/depth_to_semantic"].item()
    assert part == pytest.approx(sum(values) / 2, rel=1e-4)
    both = part + terms.parts["mapping/semantic_to_depth"].item()
    assert terms.auxiliary["mapping"].item() == pytest.approx(both * 2 / 4, rel=1e-4)
    assert not terms.tasks


def test_the_stage_trains_the_mappings_that_labels_allow_and_nothing_else() -> None:
    method = make(frozen=False)
    (stage,) = method.stages()
    seen = views(THREE, {"semantic": [0, 1], "depth": [1], "normals": [2]}, images=3)
    stage.forward(seen, progress=0.0, rng=generator(0)).auxiliary["mapping"].backward()
    assert learnt(method) == {"semantic_to_depth", "depth_to_semantic"}
    assert all(p.grad is None for p in method.network.parameters())
    (group,) = stage.groups()
    assert {id(p) for p in group.parameters} == {id(p) for p in method.mappings.parameters()}


def test_a_step_of_the_stage_without_a_pair_has_no_term() -> None:
    method = make(frozen=False)
    seen = views(THREE, {"semantic": [0], "depth": [1]})
    assert method.stages()[0].forward(seen, progress=0.0, rng=generator(0)) == Terms()


def test_frozen_mappings_stay_as_they_are() -> None:
    method = make().train()
    assert method.network.training
    assert not method.mappings.training
    before = {name: value.clone() for name, value in method.mappings.state_dict().items()}
    terms = step(method, views())
    torch.stack([*terms.tasks.values(), *terms.auxiliary.values()]).sum().backward()
    assert not learnt(method)
    after = method.mappings.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    (group,) = method.parameter_groups()
    assert {id(p) for p in group.parameters} == {id(p) for p in method.network.parameters()}


def test_the_perceptual_loss_is_what_a_loop_gives() -> None:
    method = make(SIX[:2], gradient_weights=False, consistency_weight=3.0).eval()
    seen = views(SIX[:2], {"depth": [0, 1]})
    batch, values = seen.main, []
    predictions = method.network(batch.image).predictions["depth"]
    for image in (0, 1):
        valid = batch.valid["depth"][[image]]
        shown = [of[[image]] * valid[:, None] for of in (predictions, batch.labels["depth"])]
        mapping = method.mappings["depth_to_semantic"]
        one, other = (mapping(depth / depth.abs().max()) for depth in shown)
        values.append(soft_cross_entropy(one, other, valid)[valid].mean().item())
    terms = step(method, seen)
    mean = sum(values) / 2
    assert terms.parts["consistency/depth_to_semantic"].item() == pytest.approx(mean, rel=1e-4)
    assert terms.auxiliary["depth/consistency"].item() == pytest.approx(3 * mean, rel=1e-4)
    assert list(terms.auxiliary) == ["depth/consistency"]


def slow_weights(sizes: list[float]) -> list[float]:
    """As released: (sum - own) / ((n - 1) sum), the first times n - 1."""
    n, total = len(sizes), math.fsum(sizes)
    first, *others = [
        math.fsum([*sizes[:i], *sizes[i + 1 :]]) / ((n - 1) * total) for i in range(n)
    ]
    return [(n - 1) * first, *others]


@pytest.mark.parametrize("tasks", [SIX[:2], THREE], ids=len)
def test_losses_are_weighed_by_their_gradients(tasks: Sequence[Task]) -> None:
    """The weight of a task scales all of its losses, and so leaves their weights alone."""
    factors = {"semantic": 1.0, "depth": 7.0, "normals": 1.0}
    method = make(tasks, task_weights={"depth": 7.0}).eval()
    seen = views(tasks)
    terms = step(method, seen)
    for task in (t.name for t in tasks):
        others = [t.name for t in tasks if t.name != task]
        outputs = seen.predict(method.network)
        direct = method.supervision.terms(seen, outputs).tasks[task]
        mapped = method.perceptual(seen.main, outputs[0].predictions, generator(0))[task]
        losses = [direct / factors[task], *(mapped[name] for name in others)]
        sizes = []
        for loss in losses:
            found = torch.autograd.grad(loss, method.network.shared_parameters(), retain_graph=True)
            total = sum(float(g.abs().sum()) for g in found)
            sizes.append(total / sum(g.numel() for g in found))
        expected = slow_weights(sizes)
        weights = [terms.parts[f"{task}/weight {name}"].item() for name in ("direct", *others)]
        assert weights == pytest.approx(expected, rel=1e-3)
        first, *rest = [w * x.item() for w, x in zip(expected, losses, strict=True)]
        assert terms.tasks[task].item() == pytest.approx(factors[task] * first, rel=1e-3)
        consistency = terms.auxiliary[f"{task}/consistency"].item()
        assert consistency == pytest.approx(factors[task] * sum(rest), rel=1e-3)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([2.0], [1.0]),
        ([0.0, 0.0], [0.5, 0.5]),
        ([3.0, 1.0], [0.25, 0.75]),
        ([0.0, 1.0, 3.0], [0.5, 0.375, 0.125]),
        ([1.0, 1e-12], [1e-12, 1.0]),
    ],
)
def test_shares_against_gradients(sizes: list[float], expected: list[float]) -> None:
    shares = against_gradients(torch.tensor(sizes))
    assert shares.tolist() == pytest.approx(expected, rel=1e-6, abs=0)
    assert shares.sum().item() == pytest.approx(1)


def test_weights_carry_no_gradient() -> None:
    terms = step(make(), views())
    weights = [part for name, part in terms.parts.items() if "/weight" in name]
    assert len(weights) == 9
    assert not any(weight.requires_grad for weight in weights)


def test_a_task_without_a_label_has_no_term() -> None:
    terms = step(make(), views(THREE, {"depth": [0], "normals": [1]}))
    assert set(terms.tasks) == {"depth", "normals"}
    assert set(terms.auxiliary) == {"depth/consistency", "normals/consistency"}
    assert step(make(), views(THREE, {})).auxiliary == {}


def test_along_the_way_the_mappings_learn_as_in_perceptual_map() -> None:
    method = make(learn_from="predictions")
    assert method.stages() == ()
    other = PerceptualMap(method.network, mapping_width=0.03125)
    other.load_state_dict(method.state_dict())
    seen = views(THREE, {"semantic": [0], "depth": [1]})
    terms = step(method.eval(), seen)
    expected = other.eval()(seen, progress=1.0, rng=generator(0))
    assert torch.equal(terms.auxiliary["mapping"], expected.auxiliary["mapping"])
    terms.auxiliary["mapping"].backward()
    assert learnt(method) == {
        "depth_to_semantic",
        "normals_to_semantic",
        "semantic_to_depth",
        "normals_to_depth",
    }
    assert all(p.grad is None for p in method.network.parameters())
    assert len(make(learn_from="predictions", mapping_rate=0.5).parameter_groups()) == 2


def test_pairs_are_chosen_where_mappings_learn_from_predictions_alone() -> None:
    with pytest.raises(ValueError, match=r"`pairs` should go with .*found all"):
        make(pairs="all")
    assert make(learn_from="predictions", pairs="all").options.pairs == "all"


def test_labels_that_never_come_in_pairs_are_refused() -> None:
    shown = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1]], dtype=bool)
    message = r"shows semantic and depth, or semantic and normals\. Let the mappings"
    with pytest.raises(ValueError, match=message):
        make().check_labels(shown)
    make(learn_from="predictions").check_labels(shown)
    make().check_labels(np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=bool))


def test_every_kind_is_mapped_and_compared() -> None:
    method = make(FOUR, frozen=False)
    seen = views(FOUR)
    stage = method.stages()[0].forward(seen, progress=0.0, rng=generator(0))
    assert len(stage.parts) == 12
    method.freeze()
    terms = step(method, seen)
    torch.stack([*terms.auxiliary.values()]).sum().backward()
    heads = method.network.get_submodule("heads")
    for task in FOUR:
        assert all(
            p.grad is not None and p.grad.isfinite().all() and p.grad.abs().max() > 0
            for p in heads.get_submodule(task.name).parameters()
        ), task.name


def test_without_gradients_losses_weigh_the_same() -> None:
    with torch.no_grad():
        terms = step(make(), views())
    assert {w.item() for n, w in terms.parts.items() if "/weight" in n} == {1.0}
